"""The step of networks that regress: two devices are as good as one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from pose_jax import parallel
from pose_jax.models.output import PoseOutput
from pose_jax.train.losses import mse
from pose_jax.train.regression import RegressionRule
from pose_jax.train.state import init_state, init_variables
from pose_jax.train.step import train_step
from pose_jax.train.supervision import TargetRule


class TwoStages(nn.Module):
  """Two stages of coordinates, and presence, from the mean colour."""

  @nn.compact
  def __call__(self, images, train=False):
    x = images.mean((1, 2))
    first = nn.Dense(6, name="first")(x).reshape(-1, 3, 2)
    last = first + nn.Dense(6, name="last")(x).reshape(-1, 3, 2)
    return PoseOutput(
      coordinates=last,
      coordinate_stages=(first, last),
      presence_logits=nn.Dense(3, name="presence")(x),
    )


def make_batch():
  """Four people, of whom the first two have fewer labels."""
  rng = np.random.default_rng(0)
  return {
    "image": rng.integers(0, 256, (4, 8, 8, 3), dtype=np.uint8),
    "kpts_xy_crop": rng.uniform(-2, 9, (4, 3, 2)).astype(np.float32),
    "vis": np.array([[0, 0, 2], [0, 1, 0], [2, 2, 2], [1, 2, 2]], np.int8),
    "sample_seed": np.arange(4, dtype=np.uint32),
  }


def test_two_devices_equal_one():
  model, optimizer = TwoStages(), optax.sgd(0.5)
  step = functools.partial(
    train_step,
    model=model,
    optimizer=optimizer,
    loss=mse,
    target=TargetRule(np.eye(2, 3), (8, 8), 1.0, True),  # of no maps
    images=lambda batch: batch["image"].astype(jnp.float32) / 255,
    rule=RegressionRule("l1", (0.5, 1.0), 2.0, 3.0),
    weight_penalty=0.1,
  )
  state = init_state(init_variables(model, (8, 8), 0), optimizer)
  batch = make_batch()
  alone, told = jax.jit(step)(state, jax.tree.map(jnp.asarray, batch))
  assert parallel.num_devices() == 2
  both, told_both = parallel.parallel_step(step)(
    parallel.replicate(state), parallel.shard(batch)
  )
  assert set(told) == {
    *("loss", "grad_norm", "loss_presence", "loss_coordinates"),
    *("presence_accuracy", "located"),
  }
  for name, value in told.items():
    assert float(told_both[name]) == pytest.approx(float(value), rel=1e-5), name
  for a, b in zip(
    jax.tree.leaves(alone.params), jax.tree.leaves(both.params), strict=True
  ):
    np.testing.assert_allclose(a, b, atol=1e-6)
