"""The step: against a plain reimplementation, and on several devices."""

import dataclasses
import functools
import json
import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from hasty import HASTY

from pose_jax import parallel
from pose_jax.codec import accuracy
from pose_jax.geometry import Frames
from pose_jax.models.output import PoseOutput
from pose_jax.train.losses import mse
from pose_jax.train.state import init_state, init_variables
from pose_jax.train.step import prepare_images, train_step
from pose_jax.train.supervision import LossWeights, TargetRule

ROOT = pathlib.Path(__file__).parents[2]
FRAMES = Frames(crop_hw=(16, 16), map_hw=(4, 4), alignment="unit")
TARGET = TargetRule(FRAMES.hm_from_crop, FRAMES.map_hw, 1.0, True)
IMAGES = functools.partial(
  prepare_images, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25)
)


class TwoStages(nn.Module):
  """A convolution that answers twice; no batch statistics."""

  @nn.compact
  def __call__(self, images, *, train):
    x = nn.Conv(3, (4, 4), strides=4)(images)
    return PoseOutput(heatmaps=x, stages=(2 * x, x))


class WithPlugIns(nn.Module):
  """Two stages, links and a lifted map, which is the one to decode."""

  @nn.compact
  def __call__(self, images, *, train):
    x = nn.Conv(3, (4, 4), strides=4)(images)
    lifted = nn.ConvTranspose(3, (2, 2), strides=(2, 2))(x)
    links = nn.Conv(2, (4, 4), strides=4)(images)
    return PoseOutput(
      heatmaps=lifted, stages=(-x, x), lifted=lifted, links=links
    )


def make_batch(rows=4, seed=0):
  rng = np.random.default_rng(seed)
  return {
    "image": rng.integers(0, 256, (rows, 16, 16, 3), dtype=np.uint8),
    "kpts_xy_crop": rng.uniform(0, 15, (rows, 3, 2)).astype(np.float32),
    "vis": rng.integers(0, 3, (rows, 3)).astype(np.int8),
    "sample_seed": rng.integers(0, 99, rows).astype(np.uint32),
  }


def step_of(model, optimizer, **options):
  return functools.partial(
    train_step,
    model=model,
    optimizer=optimizer,
    **{"loss": mse, "target": TARGET, "images": IMAGES} | options,
  )


def test_step_is_gradient_descent_on_the_sum_over_stages():
  model, optimizer = TwoStages(), optax.sgd(0.5)
  state = init_state(init_variables(model, (16, 16), 0), optimizer)
  batch = {k: jnp.asarray(v) for k, v in make_batch().items()}
  new, metrics = jax.jit(step_of(model, optimizer))(state, batch)

  images = (batch["image"].astype(jnp.float32) / 255 - 0.5) / 0.25
  heatmaps, weight = TARGET(batch)

  def objective(params):
    x = nn.Conv(3, (4, 4), strides=4).apply(
      {"params": params["Conv_0"]}, images
    )
    return mse(2 * x, heatmaps, weight) + mse(x, heatmaps, weight)

  value, grads = jax.value_and_grad(objective)(state.params)
  assert float(metrics["loss"]) == pytest.approx(float(value), rel=1e-5)
  assert float(metrics["grad_norm"]) == pytest.approx(
    float(optax.tree.norm(grads)), rel=1e-4
  )
  wanted = jax.tree.map(lambda p, g: p - 0.5 * g, state.params, grads)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6),
    new.params,
    wanted,
  )
  assert int(new.step) == 1


def test_scaled_targets_are_told_in_units_of_their_peak():
  """The loss is of maps of 255, the logged peak and accuracy as of 1."""
  batch = {k: jnp.asarray(v) for k, v in make_batch().items()}
  scaled = dataclasses.replace(TARGET, scale=255.0)
  heatmaps, weight = TARGET(batch)
  np.testing.assert_allclose(scaled(batch)[0], 255 * heatmaps, rtol=1e-6)
  np.testing.assert_array_equal(scaled(batch)[1], weight)
  model, optimizer = TwoStages(), optax.sgd(0.0)
  variables = init_variables(model, (16, 16), 0)
  told = {}
  for target, factor in ((TARGET, 1.0), (scaled, 255.0)):
    params = jax.tree.map(lambda p, f=factor: f * p, variables["params"])
    state = init_state({**variables, "params": params}, optimizer)
    step = step_of(model, optimizer, target=target)
    _, told[factor] = jax.jit(step)(state, batch)
  one, many = told[1.0], told[255.0]
  assert float(many["loss"]) == pytest.approx(255**2 * float(one["loss"]), 1e-4)
  for name in ("peak", "heatmap_accuracy"):
    assert float(many[name]) == pytest.approx(float(one[name]), rel=1e-4)
  assert float(one["peak"]) != 0


def test_peak_is_the_mean_height_over_labelled_keypoints():
  model, optimizer = TwoStages(), optax.sgd(0.0)
  state = init_state(init_variables(model, (16, 16), 0), optimizer)
  batch = {k: jnp.asarray(v) for k, v in make_batch().items()}
  _, metrics = jax.jit(step_of(model, optimizer))(state, batch)
  output = model.apply({"params": state.params}, IMAGES(batch), train=False)
  peaks = np.asarray(output.heatmaps).max((1, 2))
  # A weight may be 0 for a labelled keypoint outside the map; none is here.
  labelled = np.asarray(batch["vis"]) > 0
  assert float(metrics["peak"]) == pytest.approx(
    peaks[labelled].mean(), rel=1e-5
  )


def test_heatmap_accuracy_is_the_share_of_peaks_near_their_target():
  model, optimizer = TwoStages(), optax.sgd(0.0)
  state = init_state(init_variables(model, (16, 16), 0), optimizer)
  batch = {k: jnp.asarray(v) for k, v in make_batch(rows=32).items()}
  _, metrics = jax.jit(step_of(model, optimizer))(state, batch)
  output = model.apply({"params": state.params}, IMAGES(batch), train=False)
  found, (wanted, weight) = np.asarray(output.heatmaps), TARGET(batch)
  near, count = 0, 0
  for b, k in np.argwhere(np.asarray(weight) > 0):
    peaks = [
      np.array(np.unravel_index(maps[b, :, :, k].argmax(), (4, 4)))
      for maps in (found, np.asarray(wanted))
    ]
    is_near = np.linalg.norm((peaks[0] - peaks[1]) / 0.4) <= 0.5
    near += is_near and found[b, :, :, k].max() > 0
    count += 1
  assert 0 < near < count
  assert float(metrics["heatmap_accuracy"]) == pytest.approx(near / count)


def test_heatmap_accuracy_of_devices_with_unequal_labels():
  model, optimizer = TwoStages(), optax.sgd(0.0)
  state = init_state(init_variables(model, (16, 16), 0), optimizer)
  batch = make_batch(rows=32)
  batch["vis"][:16] = 0
  batch["vis"][0, 0] = 2  # one label on one device, many on the other
  step = step_of(model, optimizer)
  _, alone = jax.jit(step)(state, batch)
  _, together = parallel.parallel_step(step)(
    parallel.replicate(state), parallel.shard(batch)
  )
  accuracy = float(alone["heatmap_accuracy"])
  assert 0 < accuracy < 1
  got = np.asarray(together["heatmap_accuracy"]).ravel()
  np.testing.assert_allclose(got, accuracy, rtol=1e-6)
  batch["vis"][:] = 0
  _, nobody = jax.jit(step)(state, batch)
  assert float(nobody["heatmap_accuracy"]) == 0


def test_plug_ins_are_trained_and_logged_by_themselves():
  """On one device and on two; the accuracy is that of the last stage."""
  model, optimizer = WithPlugIns(), optax.sgd(0.5)
  state = init_state(init_variables(model, (16, 16), 0), optimizer)
  frames = dataclasses.replace(FRAMES, map_hw=(8, 8))
  target = dataclasses.replace(
    TARGET, lifted_from_crop=frames.hm_from_crop, pairs=((0, 1), (1, 2))
  )
  weights = LossWeights(stages=(1.0, 2.0), lifted=0.5, links=0.25)
  host_batch = make_batch(rows=32)
  batch = {k: jnp.asarray(v) for k, v in host_batch.items()}
  step = step_of(model, optimizer, target=target, weights=weights)
  new, alone = jax.jit(step)(state, batch)
  output = model.apply({"params": state.params}, IMAGES(batch), train=False)
  heatmaps, weight = target(batch)
  first, last = (mse(maps, heatmaps, weight) for maps in output.stages)
  assert float(alone["loss"]) == pytest.approx(
    float(
      first + 2 * last + 0.5 * alone["loss_lifted"] + 0.25 * alone["loss_links"]
    ),
    rel=1e-5,
  )
  assert float(alone["loss_links"]) == pytest.approx(
    float(mse(output.links, *target.links(batch))), rel=1e-5
  )
  near, counted = accuracy.heatmap_accuracy(output.stages[-1], heatmaps)
  assert float(alone["heatmap_accuracy"]) == pytest.approx(
    float(near.sum() / counted.sum())
  )
  jax.tree.map(
    lambda a, b: np.testing.assert_(np.abs(a - b).max() > 1e-4),
    state.params,
    new.params,
  )
  _, together = parallel.parallel_step(step)(
    parallel.replicate(state), parallel.shard(host_batch)
  )
  assert set(together) == set(alone)
  for name in ("loss", "loss_lifted", "loss_links"):
    value = np.asarray(together[name]).ravel()
    np.testing.assert_allclose(value, float(alone[name]), rtol=1e-5)


def test_jitter_changes_images_only_where_asked_for():
  batch = {k: jnp.asarray(v) for k, v in make_batch().items()}
  plain = IMAGES(batch)
  none = IMAGES(batch, jitter={"channel_gain": 0.0, "brightness": 0.0})
  some = IMAGES(batch, jitter={"channel_gain": 0.4, "brightness": 0.0})
  np.testing.assert_array_equal(plain, none)
  assert np.abs(plain - some).max() > 0.1


def test_what_does_not_vary_leaves_no_operation_in_the_step():
  batch = {k: jnp.asarray(v) for k, v in make_batch().items()}
  off = dict(
    jitter={"channel_gain": 0.0, "blur_probability": 0.0},
    covers={"probability": 0.0, "max_holes": 3},
  )
  programs = [
    str(jax.make_jaxpr(lambda b, o=options: IMAGES(b, **o))(batch))
    for options in ({}, off)
  ]
  assert programs[0] == programs[1]


def test_rectangles_lie_on_top_of_the_colours():
  batch = {k: jnp.asarray(v) for k, v in make_batch().items()}
  jitter = {"channel_gain": 0.4}
  covers = {"probability": 1.0, "fill_rgb": (0.0, 255.0, 0.0)}
  varied = IMAGES(batch, jitter=jitter)
  covered = IMAGES(batch, jitter=jitter, covers=covers)
  is_hole = (np.asarray(covered) == (-2, 2, -2)).all(-1)  # normalised green
  assert 0.02 < is_hole.mean() < 0.2
  np.testing.assert_array_equal(covered[~is_hole], varied[~is_hole])


_EIGHT_DEVICES = """
import functools, json, sys
import jax, jax.numpy as jnp, numpy as np, optax
from pose_jax import parallel
from pose_jax.codec import accuracy
from pose_jax.geometry import Frames
from pose_jax.models import make_model
from pose_jax.skeleton import LSP14
from pose_jax.train.losses import mse
from pose_jax.train.state import init_state, init_variables
from pose_jax.train.step import prepare_images, train_step
from pose_jax.train.supervision import TargetRule

assert parallel.num_devices() == 8
frames = Frames((64, 64), (16, 16), "corner")
model_config = json.loads(sys.argv[1])
optimizer = optax.sgd(0.5)
def make(synchronised):
  model = make_model(
    {**model_config, "sync_batch_norm": synchronised}, LSP14
  )
  return model, functools.partial(
    train_step, model=model, optimizer=optimizer, loss=mse,
    target=TargetRule(frames.hm_from_crop, frames.map_hw, 2.0, False),
    images=functools.partial(prepare_images, mean=(0.5,) * 3, std=(0.2,) * 3),
  )
rng = np.random.default_rng(0)
batches = [{
  "image": rng.integers(0, 256, (16, 64, 64, 3), dtype=np.uint8),
  "kpts_xy_crop": rng.uniform(0, 63, (16, 14, 2)).astype(np.float32),
  "vis": rng.integers(0, 3, (16, 14)).astype(np.int8),
  "sample_seed": np.arange(16, dtype=np.uint32),
} for _ in range(3)]
model, one = make(False)
start = init_state(init_variables(model, (64, 64), 0), optimizer)
alone, together = start, parallel.replicate(start)
one, eight = jax.jit(one), parallel.parallel_step(make(True)[1])
for batch in batches:
  alone, m1 = one(alone, batch)
  together, m8 = eight(together, parallel.shard(batch))
  np.testing.assert_allclose(m1["loss"], m8["loss"], rtol=2e-4)
def worst(a, b):
  # relative to the array's own size: steps are far larger than rounding
  return float(np.abs(a - b).max() / (np.abs(a).max() + 1e-3))
moved = jax.tree.leaves(jax.tree.map(worst, start.params, alone.params))
apart = jax.tree.leaves(jax.tree.map(worst, alone.params, together.params))
stats = jax.tree.leaves(
  jax.tree.map(worst, alone.batch_stats, together.batch_stats)
)
print("moved", max(moved), "apart", max(apart), max(stats))
assert max(moved) > 0.1
assert max(apart) < 2e-3 and max(stats) < 2e-3
"""


_RESNET = {"name": "pose_resnet", "depth": 18, "width": 8}
_RESNET |= {"deconv_filters": (8, 8, 8), "deconv_kernels": (4, 4, 4)}
_HRNET = {"name": "hrnet", "width": 4, "stem_width": 4}  # blocks traced once
_HRNET |= {"num_modules": (1, 1, 1), "num_blocks": 1}


@pytest.mark.slow
@pytest.mark.parametrize("network", [_RESNET, _HRNET], ids=["resnet", "hrnet"])
def test_eight_devices_equal_one_under_sgd(network):
  """Adam would hide a gradient eight times too large; SGD does not."""
  environment = os.environ | {
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": f"--xla_force_host_platform_device_count=8 {HASTY}",
  }
  done = subprocess.run(
    [sys.executable, "-c", _EIGHT_DEVICES, json.dumps(network)],
    cwd=ROOT,
    env=environment,
    capture_output=True,
    text=True,
    timeout=600,
  )
  assert done.returncode == 0, done.stdout + done.stderr
