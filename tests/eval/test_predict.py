"""Tests of eval/predict.py: networks here are a few lines of array maths."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pose_jax import geometry
from pose_jax.codec import decode
from pose_jax.eval import predict
from pose_jax.models.output import PoseOutput

FRAMES = geometry.Frames((32, 24), (8, 6))
PERMUTATION = (1, 0, 2)
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)


def _batch(num=4, seed=0):
  rng = np.random.default_rng(seed)
  box = np.concatenate(
    [rng.uniform(0, 50, (num, 2)), rng.uniform(20, 90, (num, 2))], 1
  )
  return {
    "image": rng.integers(0, 256, (num, 32, 24, 3)).astype(np.uint8),
    "img_from_hm": FRAMES.img_from_hm(*FRAMES.center_size(box)),
  }


def _forward(variables, images):
  """Every fourth pixel, times the weights."""
  return PoseOutput(heatmaps=images[:, ::4, ::4] * variables)


def _make(**changes):
  options = {
    "permutation": PERMUTATION,
    "decoder": decode.argmax,
    "flip_test": False,
    "mean": MEAN,
    "std": STD,
  }
  return predict.make_predict(_forward, FRAMES, **{**options, **changes})


WEIGHTS = np.array([1.0, -1.0, 2.0], np.float32).reshape(1, 1, 1, 3)


def _normalized(image):
  result = np.zeros(image.shape, np.float32)
  for c in range(3):
    result[..., c] = (image[..., c] / 255 - MEAN[c]) / STD[c]
  return result


def _on_device(batch):
  return {key: jnp.asarray(value) for key, value in batch.items()}


def test_keypoints_are_peaks_taken_back_to_the_photograph():
  batch = _batch()
  out = _make()(WEIGHTS, _on_device(batch))
  maps = _normalized(batch["image"])[:, ::4, ::4] * WEIGHTS
  for b in range(4):
    matrix = batch["img_from_hm"][b]
    for k in range(3):
      y, x = np.unravel_index(maps[b, ..., k].argmax(), (8, 6))
      expected = matrix @ np.array([x, y, 1.0])
      np.testing.assert_allclose(
        out["kpts_xy_img"][b, k], expected, rtol=1e-5, atol=1e-4
      )
      assert out["score"][b, k] == pytest.approx(maps[b, y, x, k], abs=1e-5)


@pytest.mark.parametrize("alignment", ["corner", "unit"])
def test_flip_test_averages_with_the_mirror_image(alignment):
  frames = geometry.Frames((32, 24), (8, 6), alignment)
  run = predict.make_predict(
    _forward,
    frames,
    permutation=PERMUTATION,
    decoder=decode.argmax,
    flip_test=True,
    mean=MEAN,
    std=STD,
    with_heatmaps=True,
  )
  batch = _batch(num=2)
  got = np.asarray(run(WEIGHTS, _on_device(batch))["heatmaps"])
  image = _normalized(batch["image"])
  plain = image[:, ::4, ::4] * WEIGHTS
  mirrored = image[:, :, ::-1][:, ::4, ::4] * WEIGHTS
  shift = 1 if alignment == "corner" else 0
  for b, y, x, k in np.ndindex(2, 8, 6, 3):
    column = x - shift if x >= shift else x
    other = mirrored[b, y, 5 - column, PERMUTATION[k]]
    expected = (plain[b, y, x, k] + other) / 2
    assert got[b, y, x, k] == pytest.approx(expected, abs=1e-5)


def test_jit_changes_nothing():
  run = _make(flip_test=True, decoder=decode.quarter)
  batch = _on_device(_batch())
  plain, jitted = run(WEIGHTS, batch), jax.jit(run)(WEIGHTS, batch)
  for key in plain:
    np.testing.assert_allclose(plain[key], jitted[key], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("flip_test", [False, True])
def test_result_is_float32_whatever_the_network_computes_in(flip_test):
  def forward(variables, images):
    maps = images[:, ::4, ::4].astype(jnp.bfloat16)
    return PoseOutput(heatmaps=maps)

  run = predict.make_predict(
    forward,
    FRAMES,
    permutation=PERMUTATION,
    decoder=functools.partial(decode.dark, blur_kernel=3),
    flip_test=flip_test,
    mean=MEAN,
    std=STD,
    with_heatmaps=True,
  )
  out = run(None, _on_device(_batch()))
  assert {v.dtype for v in out.values()} == {jnp.dtype("float32")}


def test_heatmaps_stay_on_the_device_unless_asked_for():
  assert set(_make()(WEIGHTS, _on_device(_batch()))) == {
    "kpts_xy_img",
    "score",
  }


@pytest.mark.parametrize(
  ("heatmaps", "message"),
  [
    (None, "returned no heatmaps"),
    (jnp.zeros((4, 6, 8, 3)), r"heatmaps are \(6, 8\).* made for \(8, 6\)"),
  ],
)
def test_network_of_another_kind_is_refused(heatmaps, message):
  run = predict.make_predict(
    lambda variables, images: PoseOutput(heatmaps=heatmaps),
    FRAMES,
    permutation=PERMUTATION,
    decoder=decode.argmax,
    flip_test=False,
    mean=MEAN,
    std=STD,
  )
  with pytest.raises(ValueError, match=message):
    run(None, _on_device(_batch()))
