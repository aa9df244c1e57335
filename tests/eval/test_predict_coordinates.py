"""Tests of predict.py and passes.py where coordinates or presence are said."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pose_jax import geometry
from pose_jax.codec import decode
from pose_jax.eval import passes, predict
from pose_jax.models.output import PoseOutput

CROP_HW = (16, 12)
PERMUTATION = (1, 2, 0)  # not its own inverse: the wrong way round is seen
KEYS = {"kpts_xy_img", "score"}


def _numbers(images, xp):
  """Three keypoints' six numbers of each picture, between -1 and 1."""
  rows, columns = np.linspace(-1, 1, 16), np.linspace(-1, 1, 12) ** 3
  x = xp.tanh(xp.einsum("bhwc,w->bc", images, columns.astype("float32")) / 50)
  y = xp.tanh(xp.einsum("bhwc,h->bc", images, rows.astype("float32")) / 50)
  return x, y


def _forward(variables, images):
  x, y = _numbers(images, jnp)
  output = PoseOutput(coordinates=jnp.stack([x, y], -1))
  if "sigmas" in variables:
    output = output.replace(
      coordinate_sigmas=jnp.stack([jnp.abs(x), y * y], -1)
    )
  if "presence" in variables:
    output = output.replace(presence_logits=3 * x + y)
  if "bfloat16" in variables:
    output = jax.tree.map(lambda values: values.astype(jnp.bfloat16), output)
  return output


def _make(*ways, frames, forward=_forward, **options):
  return predict.make_predict(
    forward,
    frames,
    ways,
    permutation=PERMUTATION,
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
    **options,
  )


def _frames(alignment="corner", map_hw=CROP_HW, keep_aspect=True):
  return geometry.Frames(CROP_HW, map_hw, alignment, keep_aspect=keep_aspect)


def _batch(ways, frames, num=2):
  rng = np.random.default_rng(0)
  box = np.concatenate(
    [rng.uniform(0, 50, (num, 2)), rng.uniform(20, 90, (num, 2))], 1
  )
  shape = (num, len(predict.scales_of(ways)), *CROP_HW, 3)
  return {
    "images": jnp.asarray(rng.integers(0, 256, shape), jnp.uint8),
    "img_from_hm": frames.img_from_hm(*frames.center_size(box)),
  }


def _by_hand(way, batch, frames):
  """What every pass says, in loops: kpts_xy_img, 1 - sigma, probability."""
  images = (np.asarray(batch["images"]) / 255.0 - 0.5) / 0.25
  scales = predict.scales_of([way])
  num, mirrored = len(images), (False, True) if way.flip_test else (False,)
  kpts, certain, there = (np.zeros(s) for s in ((num, 3, 2), *[(num, 3)] * 2))
  for scale, flip in [(s, m) for s in way.scales for m in mirrored]:
    crops = images[:, scales.index(scale)]
    x, y = _numbers(crops[:, :, ::-1] if flip else crops, np)
    for b, k in np.ndindex(num, 3):
      j = PERMUTATION[k] if flip else k
      units_xy = np.array([-x[b, j] if flip else x[b, j], y[b, j]])
      crop_xy = (units_xy + 0.5) * CROP_HW[::-1] - 0.5
      matrix = geometry.compose(
        geometry.invert(frames.scaled_from_hm(scale)), frames.hm_from_crop
      )
      matrix = geometry.compose(batch["img_from_hm"][b], matrix)
      kpts[b, k] += matrix @ [*crop_xy, 1]
      certain[b, k] += 1 - (abs(x[b, j]) + y[b, j] ** 2) / 2
      there[b, k] += 1 / (1 + np.exp(-3 * x[b, j] - y[b, j]))
  count = len(way.scales) * len(mirrored)
  return kpts / count, certain / count, there / count


@pytest.mark.parametrize(
  "frames",
  [
    _frames("corner"),
    _frames("unit", (4, 3)),
    _frames("udp", (4, 3), keep_aspect=False),
  ],
  ids=lambda f: f.alignment,
)
def test_coordinates_are_averaged_and_taken_back_to_the_photograph(frames):
  ways = [
    predict.TestTime(None, flip_test, scales)
    for flip_test in (False, True)
    for scales in ((1.0,), (0.5, 1.0, 1.5))
  ]
  batch = _batch(ways, frames)
  run = jax.jit(_make(*ways, frames=frames))
  found = run({"sigmas": 1, "presence": 1}, batch)
  assert set(found) == {*KEYS, "presence"}
  for v, way in enumerate(ways):
    rows = [predict.scales_of(ways).index(s) for s in predict.scales_of([way])]
    expected = _by_hand(
      way, batch | {"images": batch["images"][:, rows]}, frames
    )
    for key, value in zip(
      ("kpts_xy_img", "score", "presence"), expected, strict=True
    ):
      np.testing.assert_allclose(found[key][:, v], value, rtol=2e-5, atol=2e-4)


def test_score_is_certainty_else_presence_else_one():
  points = jnp.zeros((1, 3, 2))
  sigmas = jnp.array([[[0.5, 0.1], [0.0, 0.0], [1.0, 1.0]]])
  logits = jnp.array([[0.0, 40.0, -40.0]])
  for said, score in (
    ({"coordinate_sigmas": sigmas}, [0.7, 1, 0]),
    ({"coordinate_sigmas": sigmas, "presence_logits": logits}, [0.7, 1, 0]),
    ({"presence_logits": logits}, [0.5, 1, 0]),
    ({}, [1, 1, 1]),
  ):
    found = passes.read(PoseOutput(coordinates=points, **said), _frames())
    np.testing.assert_allclose(found.score[0], score, atol=1e-6)
    assert (found.presence is None) == ("presence_logits" not in said)
    assert found.heatmaps is None


def test_presence_stands_beside_heatmaps_whose_peak_is_the_score():
  def forward(variables, images):
    output = _forward({"presence": 1}, images)
    return PoseOutput(
      heatmaps=images[:, ::4, ::4], presence_logits=output.presence_logits
    )

  frames, way = _frames(map_hw=(4, 3)), predict.TestTime(decode.argmax, True)
  batch = _batch([way], frames)
  run = _make(way, frames=frames, forward=forward, with_heatmaps=True)
  found = run(None, batch)
  assert set(found) == {*KEYS, "presence", "heatmaps"}
  peaks = np.asarray(found["heatmaps"]).max((1, 2))
  np.testing.assert_allclose(found["score"][:, 0], peaks)
  _, _, there = _by_hand(way, batch, frames)
  np.testing.assert_allclose(found["presence"][:, 0], there, atol=1e-5)


def test_each_crop_goes_through_the_network_once_and_all_is_float32():
  seen = []

  def forward(variables, images):
    jax.debug.callback(lambda i: seen.append(i.shape), images)
    return _forward({"sigmas": 1, "presence": 1, "bfloat16": 1}, images)

  frames = _frames()
  ways = [
    predict.TestTime(None, flip_test, scales)
    for flip_test in (False, True)
    for scales in ((1.0,), (0.5, 1.5))
  ]
  found = _make(*ways, frames=frames, forward=forward)(
    None, _batch(ways, frames)
  )
  jax.block_until_ready(found)
  jax.effects_barrier()
  assert len(seen) == 6  # three scales and their mirror images
  assert {values.dtype for values in found.values()} == {jnp.dtype("float32")}


def test_attention_is_shown_where_there_are_no_heatmaps():
  def forward(variables, images):
    return _forward({}, images).replace(attention={"maps": images})

  frames, way = _frames(), predict.TestTime(None, True)
  batch = _batch([way], frames)
  run = _make(way, frames=frames, forward=forward, with_heatmaps=True)
  found = run(None, batch)
  assert set(found) == {*KEYS, "attention/maps"}
  plain = (np.asarray(batch["images"][:, 0]) / 255 - 0.5) / 0.25
  np.testing.assert_allclose(found["attention/maps"], plain, atol=1e-5)


@pytest.mark.parametrize(
  "decoder, heatmaps, message",
  [
    (decode.argmax, False, "it regresses coordinates.*decoder be None"),
    (None, True, "no coordinates: choose a decoder of heatmaps"),
  ],
)
def test_a_decoder_of_the_other_kind_is_refused(decoder, heatmaps, message):
  def forward(variables, images):
    if heatmaps:
      return PoseOutput(heatmaps=images)
    return _forward({}, images)

  frames, way = _frames(), predict.TestTime(decoder)
  run = _make(way, frames=frames, forward=forward)
  with pytest.raises(ValueError, match=message):
    jax.eval_shape(run, None, _batch([way], frames))


def test_clipping_of_maps_that_are_not_there_is_refused():
  with pytest.raises(ValueError, match="decoder None says that there are none"):
    predict.TestTime(None, clip_negative=True)
