"""The cascade: what each stage sees, where it starts, what reaches what."""

import dataclasses
from functools import partial

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from classic_parts import (
  abstract_variables,
  count_of,
  quick_jit,
  randomised,
)
from flax import linen as nn

from pose_jax.models import make_model, says_presence
from pose_jax.models.deeppose import DeepPose, starts_of
from pose_jax.models.output import PoseOutput, Truth
from pose_jax.ops import draws
from pose_jax.ops.crops import crop_round
from pose_jax.skeleton import COCO17, LSP14, MPII16

K = 3
CROP_HW = H, W = 40, 64
SUB_HW = 8, 8


class Net(nn.Module):
  """Linear in the mean colours of four by four cells."""

  hw: tuple[int, int]
  crop_step = 4

  @nn.compact
  def __call__(self, x, train=False):
    assert x.shape[1:] == (*self.hw, 3)
    cells = x.reshape(len(x), 4, self.hw[0] // 4, 4, self.hw[1] // 4, 3)
    y = nn.Dense(2 * K, name="out")(cells.mean((2, 4)).reshape(len(x), -1))
    return PoseOutput(coordinates=0.5 * y.reshape(-1, K, 2))

  @nn.nowrap
  def map_hw(self, crop_hw):
    return tuple(crop_hw)


def cascade(num_stages=3, **options):
  sizes = (CROP_HW, *(SUB_HW,) * (num_stages - 1))
  return DeepPose(tuple(partial(Net, hw) for hw in sizes), SUB_HW, **options)


@pytest.fixture(scope="module")
def made():
  """Variables of any cascade here, and four smooth images."""
  abstract = abstract_variables(cascade(), *CROP_HW)
  return randomised(abstract), smooth(4, *CROP_HW)


def smooth(count, height, width):
  rng = np.random.default_rng(1)
  coarse = rng.standard_normal((count, 5, 6, 3)).astype(np.float32)
  return np.stack([cv2.resize(x, (width, height)) for x in coarse])


def truth_of(batch, seed=0):
  rng = np.random.default_rng(seed)
  return Truth(
    np.float32(rng.uniform(-0.3, 0.3, (batch, K, 2))),
    np.ones((batch, K), bool),
    np.arange(100, 100 + batch, dtype=np.uint32),
  )


def in_pixels(units):
  """Units of the crop in its pixels, by hand."""
  return (np.asarray(units) + 0.5) * [W, H] - 0.5


def lengths(points):
  return np.hypot(*np.moveaxis(np.asarray(points), -1, 0))


@pytest.mark.parametrize("pair", [(0, 2), None])
def test_a_stage_sees_squares_round_what_the_one_before_says(made, pair):
  variables, images = made
  model = cascade(sub_crop_size=1.5, diameter_pair=pair)
  output = quick_jit(model.apply)(variables, images)
  stages = output.coordinate_stages
  assert len(stages) == 3 and output.heatmaps is None and not output.stages
  np.testing.assert_array_equal(output.coordinates, stages[-1])
  params = variables["params"]
  first = Net(CROP_HW).apply({"params": params["stage1"]}, images)
  np.testing.assert_allclose(stages[0], first.coordinates, atol=1e-6)
  for number in (2, 3):
    before = in_pixels(stages[number - 2])
    if pair is None:
      diameters = lengths(before.max(1) - before.min(1))
    else:
      diameters = lengths(before[:, 0] - before[:, 2])
    assert diameters.min() > 6.4  # no smallest diameter is in the way
    for b, i in np.ndindex(4, K):
      side = 1.5 * diameters[b]
      square = crop_round(
        images[b][None],
        jnp.float32(before[b, i])[None, None],
        jnp.full((1, 1, 2), side, jnp.float32),
        SUB_HW,
      )
      of_stage = {"params": params[f"stage{number}"]}
      pairs = Net(SUB_HW).apply(of_stage, square[0]).coordinates[0]
      np.testing.assert_allclose(
        in_pixels(stages[number - 1])[b, i],
        before[b, i] + side * np.asarray(pairs[i]),
        atol=1e-3,
      )


def test_stages_that_say_nothing_keep_the_first_ones_coordinates(made):
  variables, images = made
  params = dict(variables["params"])
  for name in ("stage2", "stage3"):
    params[name] = jax.tree.map(jnp.zeros_like, params[name])
  output = quick_jit(cascade().apply)({"params": params}, images)
  for stage in output.coordinate_stages:
    np.testing.assert_array_equal(stage, output.coordinate_stages[0])


def test_one_stage_is_the_regressor_alone(made):
  variables, images = made
  params = {"stage1": variables["params"]["stage1"]}
  output = cascade(1).apply({"params": params}, images)
  alone = Net(CROP_HW).apply({"params": params["stage1"]}, images)
  np.testing.assert_allclose(output.coordinates, alone.coordinates, atol=1e-6)
  assert len(output.coordinate_stages) == 1


def test_shifted_pictures_have_shifted_coordinates(made):
  """Behind simulated predictions, which shift with the annotation."""
  variables, _ = made
  blob, truth = smooth(4, 24, 24), truth_of(4)
  truth = truth.replace(coordinates=truth.coordinates / 6)
  model = cascade(2, diameter_pair=(0, 1), simulated_std=0.1)

  @quick_jit
  def run(images, truth):
    output = model.apply(variables, images, train=True, truth=truth)
    return output.coordinates

  def at(row, column):
    images = np.zeros((4, *CROP_HW, 3), np.float32)
    images[:, row : row + 24, column : column + 24] = blob
    by = np.float32([(column - 20) / W, (row - 8) / H])[None, None]
    return run(images, truth.replace(coordinates=truth.coordinates + by)), by

  here, _ = at(8, 20)
  there, by = at(5, 27)
  np.testing.assert_allclose(there, here + by, atol=1e-5)
  assert np.abs(here - truth.coordinates).max() > 0.02


def starts(before, truth, **options):
  options = {"diameter_pair": (0, 1), "simulated_std": 0.2} | options
  options = {"stage": 2, "crop_hw": CROP_HW} | options
  run = quick_jit(lambda *arrays: starts_of(*arrays, **options))
  return jax.tree.map(np.asarray, run(before, truth))


def seen_often(count):
  """One person, labelled all over, with as many seeds."""
  return Truth(
    np.tile(truth_of(1).coordinates, (count, 1, 1)),
    np.ones((count, K), bool),
    np.arange(count, dtype=np.uint32),
  )


def test_simulated_predictions_are_a_rows_own():
  before, truth = np.zeros((6, K, 2), np.float32), truth_of(6)
  centers, _ = starts(before, truth)
  again, _ = starts(before, truth)
  np.testing.assert_array_equal(again, centers)
  order = np.array([4, 2, 5])
  some, _ = starts(before[order], jax.tree.map(lambda x: x[order], truth))
  np.testing.assert_array_equal(some, centers[order])
  other, _ = starts(before, truth, stage=3)
  assert (other != centers).all()
  is_row = np.arange(6) == 1
  other, _ = starts(before, truth.replace(seed=truth.seed + np.uint32(is_row)))
  assert ((other != centers) == is_row[:, None, None]).all()


def test_simulated_predictions_stray_by_the_deviation_in_both_axes():
  count = 3000
  truth = seen_often(count)
  centers, diameter = starts(np.zeros((count, K, 2), np.float32), truth)
  annotated = in_pixels(truth.coordinates)[0]
  np.testing.assert_allclose(
    diameter, lengths(annotated[0] - annotated[1]), rtol=1e-5
  )
  off = (in_pixels(centers) - annotated) / diameter[:, None, None]
  # Each of K x 2: three standard errors of mean and deviation, and a little.
  np.testing.assert_allclose(off.mean(0), 0, atol=3.5 * 0.2 / count**0.5)
  np.testing.assert_allclose(off.std(0), 0.2, rtol=3.5 / (2 * count) ** 0.5)
  correlation = np.corrcoef(off.reshape(count, -1).T) - np.eye(2 * K)
  assert np.abs(correlation).max() < 4 / count**0.5


def test_keypoints_without_annotation_keep_the_prediction():
  before = truth_of(4, seed=1).coordinates
  is_labelled = np.ones((4, K), bool)
  is_labelled[1, 2] = is_labelled[2, 1] = is_labelled[3] = False
  truth = truth_of(4).replace(is_labelled=is_labelled)
  centers, diameter = starts(before, truth)
  kept = (centers == before).all(-1)
  np.testing.assert_array_equal(kept, ~is_labelled)
  annotated, said = in_pixels(truth.coordinates), in_pixels(before)
  ends = [  # of the diameter, the first two keypoints
    annotated[0, 0] - annotated[0, 1],
    annotated[1, 0] - annotated[1, 1],
    annotated[2, 0] - said[2, 1],
    said[3, 0] - said[3, 1],
  ]
  expected = np.maximum(lengths(ends), 6.4)
  np.testing.assert_allclose(diameter, expected, rtol=1e-5)
  assert (expected > 6.4).sum() >= 3
  # What stands where nothing is annotated has no effect.
  nonsense = np.where(is_labelled[..., None], truth.coordinates, np.nan)
  again, _ = starts(before, truth.replace(coordinates=nonsense))
  np.testing.assert_array_equal(again, centers)


def test_a_pose_that_is_a_point_has_the_smallest_diameter():
  for pair in ((0, 1), None):
    point = np.full((2, K, 2), 0.1, np.float32)
    _, diameter = starts(point, None, diameter_pair=pair)
    np.testing.assert_allclose(diameter, 0.1 * 64)


def test_simulated_predictions_are_nothing_that_colours_draw_too():
  count = 400
  truth = seen_often(count)
  before = np.zeros((count, K, 2), np.float32)
  noise = np.concatenate(
    [
      starts(before, truth, stage=stage)[0].reshape(count, -1)
      for stage in (2, 3, 4)
    ],
    axis=1,
  )
  drawn = np.concatenate(
    [
      draws.uniform(jnp.asarray(truth.seed), purpose, 6)
      for purpose in draws.PURPOSES
    ],
    axis=1,
  )
  both = np.concatenate([noise, drawn], 1).argsort(0).argsort(0)
  related = np.corrcoef(both.T) - np.eye(both.shape[1])
  assert np.abs(related).max() < 5 / count**0.5  # of one key it is 1


def test_truth_is_for_training_with_simulated_predictions(made):
  variables, images = made
  truth = truth_of(4)

  def computed(model, **told):
    apply = partial(model.apply, variables, **told)
    return str(jax.make_jaxpr(apply)(images))

  plain = computed(cascade())
  assert plain == computed(cascade(), truth=truth)
  assert plain == computed(cascade(), train=True)
  own = cascade(simulated_std=0.0)
  assert plain == computed(own, train=True, truth=truth)
  simulated = computed(cascade(), train=True, truth=truth)
  assert "random_bits" in simulated and "random_bits" not in plain


@pytest.mark.parametrize("is_told", [True, False])
def test_gradients_reach_a_stages_own_parameters_alone(made, is_told):
  variables, images = made
  truth = truth_of(4) if is_told else None

  def loss(params, stage):
    output = cascade().apply(
      {"params": params}, images, train=True, truth=truth
    )
    return jnp.square(jnp.stack(output.coordinate_stages)[stage] - 0.2).sum()

  gradient = quick_jit(jax.grad(loss))
  for stage in range(3):
    found = gradient(variables["params"], stage)
    for name, leaves in found.items():
      for leaf in jax.tree.leaves(leaves):
        leaf = np.asarray(leaf)
        assert np.isfinite(leaf).all()
        assert leaf.any() == (name == f"stage{stage + 1}")


def test_pairs_of_other_keypoints_are_not_read(made):
  """Keypoint i reads the i-th pair: biases of one move that keypoint alone."""
  variables, images = made
  params = dict(variables["params"])
  bias = params["stage3"]["out"]["bias"].at[2:4].add(1.0)
  params["stage3"] = {"out": {**params["stage3"]["out"], "bias": bias}}
  apply = quick_jit(cascade().apply)
  before = apply(variables, images).coordinates
  after = apply({"params": params}, images).coordinates
  moved = np.abs(after - before).max((0, 2))
  np.testing.assert_array_equal(moved > 1e-3, [False, True, False])


TINY = {
  "name": "deeppose",
  "num_stages": 2,
  "width": 2,
  "coordinate_layers": (6,),
  "sub_crop_hw": (32, 32),
}


@pytest.mark.parametrize(
  ("skeleton", "pair"),
  [
    (COCO17, (5, 12)),
    (MPII16, (13, 2)),  # whose PCK has no pair
    (LSP14, (9, 2)),
    (dataclasses.replace(LSP14, keypoints=tuple("abcdefghijklmn")), (9, 2)),
    (
      dataclasses.replace(
        MPII16, keypoints=tuple("abcdefghijklmnop"), pck_pair=None
      ),
      None,
    ),
  ],
)
def test_the_diameter_is_from_the_left_shoulder_to_the_right_hip(
  skeleton, pair
):
  model = make_model(TINY, skeleton)
  assert model.diameter_pair == pair
  assert model.learns_from_truth
  assert not dataclasses.replace(model, simulated_std=0.0).learns_from_truth


def test_parameters_by_hand():
  model = make_model(TINY, LSP14)
  variables = abstract_variables(model, 64, 96)
  assert set(variables["params"]) == {"stage1", "stage2"}
  trunk = (3 * 121 + 1) * 2 + (2 * 25 + 1) * 6 + (6 * 9 + 1) * 12
  trunk += (12 * 9 + 1) * 8 + (8 * 9 + 1) * 8
  cells = {"stage1": 2 * 3, "stage2": 1}  # each with 8 features
  for stage, count in cells.items():
    dense = (8 * count + 1) * 6 + (6 + 1) * 28
    assert count_of(variables["params"][stage]) == trunk + dense


def test_the_first_stage_says_presence():
  model = make_model(TINY | {"presence_layers": (5,)}, LSP14)
  plain = make_model(TINY, LSP14)
  assert says_presence(model) and not says_presence(plain)
  variables = abstract_variables(model, 64, 96)
  without = abstract_variables(plain, 64, 96)
  more = count_of(variables["params"]) - count_of(without["params"])
  assert more == (8 * 6 + 1) * 5 + (5 + 1) * 14
  variables = randomised(variables)
  images = smooth(2, 64, 96)
  output = quick_jit(model.apply)(variables, images)
  first = model.stages[0](parent=None)
  alone = quick_jit(first.apply)(
    {"params": variables["params"]["stage1"]}, images
  )
  np.testing.assert_array_equal(output.presence_logits, alone.presence_logits)
  assert np.std(output.presence_logits) > 0


def test_it_takes_the_crops_of_its_first_stage():
  model = make_model(TINY | {"backbone": "baseline1"}, LSP14)
  assert model.crop_step == 16 and model.map_hw((64, 48)) == (64, 48)
  with pytest.raises(ValueError, match=r"multiples of 16 .*, got \(64, 90\)"):
    model.map_hw((64, 90))


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"num_stages": 0}, "num_stages must be at least 1, got 0"),
    ({"sub_crop_hw": (32, 40)}, r"multiples of 32 .*'alexnet', got \(32, 40\)"),
    ({"sub_crop_hw": (32,)}, r"two positive multiples of 32 .*, got \(32,\)"),
    ({"sub_crop_size": 0.0}, "sub_crop_size must be above 0 .*, got 0.0 and"),
    ({"simulated_std": -0.1}, "simulated_std at least 0 .* and -0.1"),
    ({"diameter_pair": (0, 1)}, "no option 'diameter_pair'"),
    ({"backbone": "vgg", "depth": 17}, "depth must be one of 16, 19"),
  ],
)
def test_values_that_cannot_be_built_are_refused(options, message):
  with pytest.raises(ValueError, match=message):
    make_model(TINY | options, LSP14)
