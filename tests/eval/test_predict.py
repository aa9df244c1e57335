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
    "images": rng.integers(0, 256, (num, 1, 32, 24, 3)).astype(np.uint8),
    "img_from_hm": FRAMES.img_from_hm(*FRAMES.center_size(box)),
  }


def _forward(variables, images):
  """Every fourth pixel, times the weights."""
  return PoseOutput(heatmaps=images[:, ::4, ::4] * variables)


def _make(
  *ways,
  forward=_forward,
  frames=FRAMES,
  with_heatmaps=False,
  shown_forward=None,
  channel_order="rgb",
  **changes,
):
  """One way with `changes`, unless ways are given."""
  changes.setdefault("decoder", decode.argmax)
  return predict.make_predict(
    forward,
    frames,
    ways or (predict.TestTime(**changes),),
    permutation=PERMUTATION,
    mean=MEAN,
    std=STD,
    channel_order=channel_order,
    with_heatmaps=with_heatmaps,
    shown_forward=shown_forward,
  )


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
  maps = _normalized(batch["images"][:, 0])[:, ::4, ::4] * WEIGHTS
  for b in range(4):
    matrix = batch["img_from_hm"][b]
    for k in range(3):
      y, x = np.unravel_index(maps[b, ..., k].argmax(), (8, 6))
      expected = matrix @ np.array([x, y, 1.0])
      np.testing.assert_allclose(
        out["kpts_xy_img"][b, 0, k], expected, rtol=1e-5, atol=1e-4
      )
      assert out["score"][b, 0, k] == pytest.approx(maps[b, y, x, k], abs=1e-5)


@pytest.mark.parametrize("alignment", ["corner", "unit"])
def test_flip_test_averages_with_the_mirror_image(alignment):
  frames = geometry.Frames((32, 24), (8, 6), alignment)
  run = _make(frames=frames, flip_test=True, with_heatmaps=True)
  batch = _batch(num=2)
  got = np.asarray(run(WEIGHTS, _on_device(batch))["heatmaps"])
  image = _normalized(batch["images"][:, 0])
  plain = image[:, ::4, ::4] * WEIGHTS
  mirrored = image[:, :, ::-1][:, ::4, ::4] * WEIGHTS
  shift = 1 if alignment == "corner" else 0
  for b, y, x, k in np.ndindex(2, 8, 6, 3):
    column = x - shift if x >= shift else x
    other = mirrored[b, y, 5 - column, PERMUTATION[k]]
    expected = (plain[b, y, x, k] + other) / 2
    assert got[b, y, x, k] == pytest.approx(expected, abs=1e-5)


def test_blue_first_is_what_a_network_of_bgr_pictures_sees():
  batch = _batch()
  wanted = _make()(WEIGHTS, _on_device(batch))
  batch["images"] = batch["images"][..., ::-1]
  found = _make(channel_order="bgr")(WEIGHTS, _on_device(batch))
  np.testing.assert_array_equal(found["kpts_xy_img"], wanted["kpts_xy_img"])


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

  run = _make(
    forward=forward,
    decoder=functools.partial(decode.dark, blur_kernel=3),
    flip_test=flip_test,
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
  run = _make(forward=lambda variables, images: PoseOutput(heatmaps=heatmaps))
  with pytest.raises(ValueError, match=message):
    run(None, _on_device(_batch()))


def _pyramid_batch(scales, num=3, seed=1):
  """Different noise at every scale: only equal maps can give equal results."""
  batch = _batch(num)
  rng = np.random.default_rng(seed)
  shape = (num, len(scales), 32, 24, 3)
  return {**batch, "images": rng.integers(0, 256, shape).astype(np.uint8)}


def test_ways_together_are_what_each_is_alone():
  ways = [
    predict.TestTime(decoder, flip_test, scales)
    for decoder in (decode.argmax, decode.quarter)
    for flip_test in (False, True)
    for scales in ((1.0,), (0.8, 1.0, 1.25))
  ]
  scales = predict.scales_of(ways)
  assert scales == (0.8, 1.0, 1.25)
  batch = _pyramid_batch(scales)
  together = _make(*ways)(WEIGHTS, _on_device(batch))
  assert together["kpts_xy_img"].shape == (3, 8, 3, 2)
  for v, way in enumerate(ways):
    rows = [scales.index(s) for s in predict.scales_of([way])]
    alone = _make(way)(
      WEIGHTS, _on_device({**batch, "images": batch["images"][:, rows]})
    )
    for key, value in alone.items():
      np.testing.assert_allclose(
        together[key][:, v], value[:, 0], rtol=1e-6, atol=1e-5
      )


def test_each_crop_goes_through_the_network_once():
  seen = []

  def forward(variables, images):
    # A callback per execution: tracing alone would not tell of a loop's runs.
    jax.debug.callback(lambda i: seen.append(i.shape), images)
    return _forward(variables, images)

  ways = [
    predict.TestTime(decoder, flip_test, scales)
    for decoder in (decode.argmax, decode.quarter)
    for flip_test in (False, True)
    for scales in ((1.0,), (0.5, 2.0))
  ]
  batch = _on_device(_pyramid_batch((0.5, 1.0, 2.0)))
  jax.block_until_ready(_make(*ways, forward=forward)(WEIGHTS, batch))
  jax.effects_barrier()
  assert len(seen) == 6  # three scales and their mirror images


def test_negative_values_are_clipped_before_the_average():
  # Maps of -1 at one scale and 1 at the other: mean 0, or 0.5 if clipped.
  def forward(variables, images):
    return PoseOutput(heatmaps=jnp.sign(images[:, ::4, ::4]))

  batch = _batch(1)
  images = np.zeros((1, 2, 32, 24, 3), np.uint8)
  images[:, 1] = 255
  batch = _on_device({**batch, "images": images})
  for clip_negative, expected in ((False, 0.0), (True, 0.5)):
    run = _make(
      forward=forward,
      scales=(0.5, 1.0),
      clip_negative=clip_negative,
      with_heatmaps=True,
    )
    centre = np.asarray(run(None, batch)["heatmaps"])[0, 3:5, 2:4]
    np.testing.assert_allclose(centre, expected, atol=1e-6)


def test_a_batch_of_other_scales_is_refused():
  run = _make(scales=(0.5, 1.0))
  with pytest.raises(ValueError, match="crops at 1 scales.* need 2"):
    run(WEIGHTS, _on_device(_batch()))


@pytest.mark.parametrize("scales", [(), (1.0, 1.0)])
def test_a_way_has_each_scale_once(scales):
  with pytest.raises(ValueError, match="each scale once"):
    predict.TestTime(decode.argmax, scales=scales)


def _attending(variables, images):
  """As _forward, with attention that tells crops and mirror images apart."""
  output = _forward(variables, images)
  return output.replace(
    attention={
      "part": images[:, ::2, ::2],
      "part/steps": jnp.stack([images, 2 * images], 1).astype(jnp.bfloat16),
    }
  )


@pytest.mark.parametrize(
  "scales, flip_test",
  [((1.0,), False), ((1.0,), True), ((0.5, 2.0), False), ((0.5, 1.0), True)],
)
def test_attention_shown_is_that_of_the_crop_as_it_is(scales, flip_test):
  way = predict.TestTime(decode.argmax, flip_test, scales)
  batch = _pyramid_batch(predict.scales_of([way]))
  run = _make(way, forward=_attending, with_heatmaps=True)
  got = run(WEIGHTS, _on_device(batch))
  plain = _normalized(batch["images"][:, predict.scales_of([way]).index(1.0)])
  assert set(got) == {
    *("kpts_xy_img", "score", "heatmaps"),
    *("attention/part", "attention/part/steps"),
  }
  np.testing.assert_allclose(
    got["attention/part"], plain[:, ::2, ::2], atol=1e-5
  )
  assert got["attention/part/steps"].dtype == jnp.float32
  np.testing.assert_allclose(
    got["attention/part/steps"][:, 1], 2 * plain, atol=0.05
  )
  without = _make(way, with_heatmaps=True)(WEIGHTS, _on_device(batch))
  np.testing.assert_allclose(got["heatmaps"], without["heatmaps"], atol=1e-6)


def _loop_outputs(jaxpr):
  """Shapes of what its loops, which lax.map becomes, leave behind."""
  (scan,) = [e for e in jaxpr.eqns if e.primitive.name == "scan"]
  return [tuple(v.aval.shape) for v in scan.outvars]


@pytest.mark.parametrize("scales", [(0.5, 1.0), (0.5, 1.0, 2.0), (0.5, 2.0)])
def test_only_the_crop_shown_has_its_attention_computed(scales):
  way = predict.TestTime(decode.argmax, True, scales)
  batch = _pyramid_batch(predict.scales_of([way]), num=3)
  run = _make(
    way, with_heatmaps=True, forward=_forward, shown_forward=_attending
  )
  others = 2 * len(scales) - (1.0 in scales)
  jaxpr = jax.make_jaxpr(run)(WEIGHTS, _on_device(batch)).jaxpr
  assert _loop_outputs(jaxpr) == [(others, 3, 8, 6, 3)]  # heatmaps alone
  jaxpr = jax.make_jaxpr(_make(way, with_heatmaps=True, forward=_attending))(
    WEIGHTS, _on_device(batch)
  ).jaxpr
  assert _loop_outputs(jaxpr) == [(others, 3, 8, 6, 3)]
  got = run(WEIGHTS, _on_device(batch))
  plain = _normalized(batch["images"][:, predict.scales_of([way]).index(1.0)])
  np.testing.assert_allclose(
    got["attention/part"], plain[:, ::2, ::2], atol=1e-5
  )
  without = _make(way)(WEIGHTS, _on_device(batch))
  for key, value in without.items():
    np.testing.assert_allclose(got[key], value, rtol=1e-6, atol=1e-6)


def test_attention_stays_on_the_device_unless_asked_for():
  got = _make(forward=_attending)(WEIGHTS, _on_device(_batch()))
  assert set(got) == {"kpts_xy_img", "score"}
