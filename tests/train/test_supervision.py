"""Targets of stages, lifted maps and links; their losses and their sum."""

import dataclasses
import functools

import jax.numpy as jnp
import numpy as np
import pytest

from pose_jax.codec import targets
from pose_jax.geometry import ALIGNMENTS, Frames, transform
from pose_jax.models.output import PoseOutput
from pose_jax.train.losses import mse, ohkm, torch_mse
from pose_jax.train.supervision import (
  LossWeights,
  TargetRule,
  supervised_loss,
  total_loss,
)

FRAMES = Frames(crop_hw=(16, 16), map_hw=(4, 4), alignment="unit")
TWICE = dataclasses.replace(FRAMES, map_hw=(8, 8))
TARGET = TargetRule(
  FRAMES.hm_from_crop,
  FRAMES.map_hw,
  1.0,
  True,
  lifted_from_crop=TWICE.hm_from_crop,
  pairs=((0, 1), (1, 2)),
  link_sigma_hm=0.7,
)


def make_batch(rows=4, seed=0):
  rng = np.random.default_rng(seed)
  return {
    "kpts_xy_crop": jnp.asarray(
      rng.uniform(0, 15, (rows, 3, 2)).astype(np.float32)
    ),
    "vis": jnp.asarray(rng.integers(0, 3, (rows, 3)).astype(np.int8)),
  }


def in_frame(batch, matrix):
  return transform(
    np.asarray(batch["kpts_xy_crop"], np.float64), matrix
  ).astype(np.float32)


def test_target_rule_encodes_in_the_heatmap_frame():
  batch = make_batch()
  heatmaps, weight = TARGET(batch)
  wanted, wanted_weight = targets.gaussian(
    in_frame(batch, FRAMES.hm_from_crop),
    (np.asarray(batch["vis"]) > 0).astype(np.float32),
    map_hw=(4, 4),
    sigma=1.0,
    unbiased=True,
  )
  np.testing.assert_allclose(heatmaps, wanted, atol=1e-5)
  np.testing.assert_array_equal(weight, wanted_weight)


@pytest.mark.parametrize("alignment", ALIGNMENTS)
@pytest.mark.parametrize("unbiased", [False, True])
def test_lifted_targets_are_of_a_map_twice_the_size(alignment, unbiased):
  """The same points of the crop, by the frames of such a map."""
  small, large = (
    Frames((64, 48), map_hw, alignment) for map_hw in ((16, 12), (32, 24))
  )
  rule = TargetRule(
    small.hm_from_crop,
    small.map_hw,
    1.5,
    unbiased,
    scale=3.0,
    lifted_from_crop=large.hm_from_crop,
  )
  batch = make_batch(rows=8)
  maps, weight = rule.lifted(batch)
  wanted, wanted_weight = targets.gaussian(
    in_frame(batch, large.hm_from_crop),
    (np.asarray(batch["vis"]) > 0).astype(np.float32),
    map_hw=(32, 24),
    sigma=3.0,
    unbiased=unbiased,
  )
  np.testing.assert_allclose(maps, 3 * wanted, atol=1e-4)
  np.testing.assert_array_equal(weight, wanted_weight)


def test_link_targets_join_labelled_keypoints_in_the_heatmap_frame():
  batch = make_batch(rows=12)
  vis = np.asarray(batch["vis"])
  for scale in (1.0, 255.0):
    maps, weight = dataclasses.replace(TARGET, scale=scale).links(batch)
    wanted, _ = targets.links(
      in_frame(batch, FRAMES.hm_from_crop),
      (vis > 0).astype(np.float32),
      pairs=((0, 1), (1, 2)),
      map_hw=(4, 4),
      sigma=0.7,
    )
    np.testing.assert_allclose(maps, scale * wanted, rtol=1e-4, atol=1e-4)
    # v = 1, hidden, is labelled, too.
    both = (vis[:, :2] > 0) & (vis[:, 1:] > 0)
    np.testing.assert_array_equal(weight, both)
  assert 0 < both.sum() < both.size and (vis == 1).any()


def test_loss_of_no_stage_is_zero_and_of_two_is_their_sum():
  maps = jnp.ones((1, 4, 4, 3))
  zeros, weight = jnp.zeros_like(maps), jnp.ones((1, 3))
  one = supervised_loss(PoseOutput(stages=(maps,)), zeros, weight, mse)
  two = supervised_loss(PoseOutput(stages=(maps, maps)), zeros, weight, mse)
  assert float(two) == pytest.approx(2 * float(one)) and float(one) > 0


@pytest.mark.parametrize("background", ["rest", "highest"])
def test_background_is_a_map_more_of_every_stage(background):
  """(K l + l_background) / (K + 1), its target what keypoints leave."""
  rng = np.random.default_rng(1)
  stages = rng.random((2, 2, 4, 4, 3)).astype(np.float32)
  grounds = rng.random((2, 2, 4, 4, 1)).astype(np.float32)
  heatmaps = rng.random((2, 4, 4, 3)).astype(np.float32)
  weight = np.float32([[1, 0, 1], [1, 1, 1]])
  output = PoseOutput(stages=tuple(stages), backgrounds=tuple(grounds))
  for scale in (1.0, 255.0):
    wanted = 0.0
    for stage, ground in zip(stages, grounds, strict=True):
      target = (scale * heatmaps).max(-1)
      if background == "rest":
        target = scale - target
      of_ground = 0.5 * np.square(ground[..., 0] - target).mean()
      of_keypoints = float(mse(stage, scale * heatmaps, weight))
      wanted += (3 * of_keypoints + of_ground) / 4
    found = supervised_loss(
      output,
      jnp.asarray(scale * heatmaps),
      jnp.asarray(weight),
      mse,
      scale=scale,
      background=background,
    )
    assert float(found) == pytest.approx(float(wanted), rel=1e-5)


def test_background_competes_among_the_hardest_keypoints():
  maps = jnp.zeros((1, 4, 4, 3))
  targets_, weight = jnp.zeros_like(maps), jnp.ones((1, 3))
  output = PoseOutput(stages=(maps,), backgrounds=(maps[..., :1] - 1,))
  hardest = functools.partial(ohkm, top_k=1)
  # Every keypoint is right; the background says -1 where it is 1.
  assert float(supervised_loss(output, targets_, weight, hardest)) == 2.0


def test_stages_behind_those_with_a_background_have_none():
  """A plug-in refines heatmaps, not the background."""
  rng = np.random.default_rng(2)
  stages = rng.random((3, 2, 4, 4, 3)).astype(np.float32)
  grounds = rng.random((2, 2, 4, 4, 1)).astype(np.float32)
  heatmaps = rng.random((2, 4, 4, 3)).astype(np.float32)
  weight = np.float32([[1, 0, 1], [1, 1, 1]])
  arguments = jnp.asarray(heatmaps), jnp.asarray(weight), mse
  found = supervised_loss(
    PoseOutput(stages=tuple(stages), backgrounds=tuple(grounds)), *arguments
  )
  own = supervised_loss(
    PoseOutput(stages=tuple(stages[:2]), backgrounds=tuple(grounds)), *arguments
  )
  wanted = float(own) + float(mse(stages[2], heatmaps, weight))
  assert float(found) == pytest.approx(wanted, rel=1e-6)


def test_stages_count_what_they_are_given():
  rng = np.random.default_rng(3)
  stages = tuple(rng.random((3, 2, 4, 4, 3)).astype(np.float32))
  heatmaps, weight = jnp.zeros((2, 4, 4, 3)), jnp.ones((2, 3))
  of = functools.partial(
    supervised_loss, PoseOutput(stages=stages), heatmaps, weight, mse
  )
  alone = [float(mse(stage, heatmaps, weight)) for stage in stages]
  assert float(of(stage_weights=(0.5, 2, 0))) == pytest.approx(
    0.5 * alone[0] + 2 * alone[1], rel=1e-6
  )
  assert float(of(stage_weights=(1.0, 1.0, 1.0))) == float(of())
  with pytest.raises(ValueError, match=r"must be 3 numbers.*got \(1.0, 2.0\)"):
    of(stage_weights=(1.0, 2.0))


def _output(batch, *, num_lifted=1, seed=4):
  rng = np.random.default_rng(seed)
  rows = len(batch["vis"])

  def maps(*shape):
    return jnp.asarray(rng.random((rows, *shape)).astype(np.float32))

  lifted = tuple(maps(8, 8, 3) for _ in range(num_lifted))
  stages = maps(4, 4, 3), maps(4, 4, 3)
  return PoseOutput(
    heatmaps=stages[-1],
    stages=stages,
    lifted=lifted if num_lifted > 1 else lifted[0],
    links=maps(4, 4, 2),
  )


@pytest.mark.parametrize("loss", [mse, torch_mse])
@pytest.mark.parametrize("num_lifted", [1, 3])
def test_the_loss_is_the_weighted_sum_of_what_there_is(loss, num_lifted):
  batch = make_batch()
  output = _output(batch, num_lifted=num_lifted)
  heatmaps, weight = TARGET(batch)
  weights = LossWeights(stages=(1.0, 3.0), lifted=0.5, links=0.25)
  total, parts = total_loss(
    output, batch, heatmaps, weight, target=TARGET, loss=loss, weights=weights
  )
  first, last = (float(loss(s, heatmaps, weight)) for s in output.stages)
  several = output.lifted if num_lifted > 1 else (output.lifted,)
  of_lifted = sum(float(loss(m, *TARGET.lifted(batch))) for m in several)
  of_links = float(loss(output.links, *TARGET.links(batch)))
  assert {k: float(v) for k, v in parts.items()} == pytest.approx(
    {"loss_lifted": of_lifted, "loss_links": of_links}, rel=1e-6
  )
  assert float(total) == pytest.approx(
    first + 3 * last + 0.5 * of_lifted + 0.25 * of_links, rel=1e-6
  )


def test_links_count_a_fifth_and_lifted_maps_fully_unless_told():
  batch = make_batch()
  heatmaps, weight = TARGET(batch)
  output = _output(batch)
  plain = dict(target=TARGET, loss=mse, weights=LossWeights())
  total, parts = total_loss(output, batch, heatmaps, weight, **plain)
  stages = supervised_loss(output, heatmaps, weight, mse)
  assert float(total) == pytest.approx(
    float(stages + parts["loss_lifted"] + 0.2 * parts["loss_links"]), rel=1e-6
  )


def test_without_plug_ins_the_loss_is_that_of_the_stages_to_the_bit():
  batch = make_batch()
  heatmaps, weight = TARGET(batch)
  output = _output(batch).replace(lifted=None, links=None)
  total, parts = total_loss(
    output,
    batch,
    heatmaps,
    weight,
    target=TargetRule(FRAMES.hm_from_crop, FRAMES.map_hw, 1.0, True),
    loss=mse,
    weights=LossWeights(),
  )
  assert parts == {}
  assert float(total) == float(
    sum(mse(stage, heatmaps, weight) for stage in output.stages)
  )


def test_links_with_an_unlabelled_end_do_not_count():
  batch = make_batch()
  batch["vis"] = batch["vis"].at[:, 1].set(0)  # both links end there
  batch["kpts_xy_crop"] = batch["kpts_xy_crop"].at[:, 1].set(jnp.nan)
  heatmaps, weight = TARGET(batch)
  _, parts = total_loss(
    _output(batch),
    batch,
    heatmaps,
    weight,
    target=TARGET,
    loss=mse,
    weights=LossWeights(),
  )
  assert float(parts["loss_links"]) == 0
  assert np.isfinite(float(parts["loss_lifted"]))
