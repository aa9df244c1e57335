"""Our side of train_step.py: reads "train" or "forward", answers seconds.

Freed memory stays with the process, as in commands, unless it is GIVEN_BACK.
"""

import resource
import sys
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from launch.freed_memory import keep_freed_memory
from pose_jax.models import make_model
from pose_jax.skeleton import COCO17
from pose_jax.train.losses import mse

GIVEN_BACK = "given_back"


def main(depth: int, batch: int, height: int, width: int) -> None:
  """Serves steps until standard input ends."""
  model = make_model({"name": "pose_resnet", "depth": depth}, COCO17)
  rng = np.random.default_rng(0)
  shape = (batch, height, width, 3)
  images = jnp.asarray(rng.standard_normal(shape, np.float32))
  map_shape = (batch, *model.map_hw((height, width)), COCO17.num_keypoints)
  targets = jnp.asarray(rng.random(map_shape, np.float32))
  init = jax.jit(
    partial(model.init, train=False),
    compiler_options={"xla_backend_optimization_level": 1},  # compiles fast
  )
  variables = init(jax.random.key(0), images[:1])
  optimizer = optax.adam(1e-3)
  state = (variables, optimizer.init(variables["params"]))
  forward = jax.jit(partial(model.apply, train=False))
  train = jax.jit(partial(train_step, model, optimizer), donate_argnums=0)
  for line in sys.stdin:
    start = time.perf_counter()
    if line.strip() == "train":
      state, loss = train(state, images, targets)
      loss.block_until_ready()
    elif line.strip() == "forward":
      forward(state[0], images).heatmaps.block_until_ready()
    else:
      kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
      print(kilobytes / 1024, flush=True)
      continue
    print(time.perf_counter() - start, flush=True)


def train_step(model, optimizer, state, images, targets):
  """Forward, backward, Adam."""
  variables, moments = state
  weight = jnp.ones((images.shape[0], targets.shape[-1]))

  def loss_fn(params):
    output, updates = model.apply(
      {"params": params, "batch_stats": variables["batch_stats"]},
      images,
      train=True,
      mutable=["batch_stats"],
    )
    return mse(output.heatmaps, targets, weight), updates["batch_stats"]

  (loss, stats), gradients = jax.value_and_grad(loss_fn, has_aux=True)(
    variables["params"]
  )
  updates, moments = optimizer.update(gradients, moments, variables["params"])
  params = optax.apply_updates(variables["params"], updates)
  return ({"params": params, "batch_stats": stats}, moments), loss


if __name__ == "__main__":
  if GIVEN_BACK not in sys.argv:
    keep_freed_memory()
  main(*map(int, sys.argv[1:5]))
