"""How long does HRNet's training step take until it runs for the first time?

    python -m benchmarks.compile_time [--width=32] [--num_modules=1,4,3]

Trace (Python to jaxpr), lower (jaxpr to StableHLO) and compile (XLA) apart,
of the whole step: targets, network, loss, gradient, Adam. Three ways in one
process: every block traced by itself, blocks of one kind traced once (what the
network does), and that again with its program in the persistent cache.
"""

import argparse
import functools
import tempfile
import time
from unittest import mock

import jax
import numpy as np
import optax

from pose_jax.geometry import Frames
from pose_jax.models import hrnet, hrnet_parts, make_model
from pose_jax.models.resnet import BasicBlock, Bottleneck
from pose_jax.skeleton import COCO17
from pose_jax.train.losses import mse
from pose_jax.train.optimizer import make_optimizer
from pose_jax.train.state import abstract_variables, init_state
from pose_jax.train.step import TargetRule, prepare_images, train_step

PARTS = ("trace", "lower", "compile")
PLAIN = (  # module, name, what stands there where nothing is shared
  (hrnet, "TracedBottleneck", Bottleneck),
  (hrnet, "TracedConvNorm", hrnet_parts.ConvNorm),
  (hrnet_parts, "TracedBasicBlock", BasicBlock),
  (hrnet_parts, "TracedConvNorm", hrnet_parts.ConvNorm),
)


def make_step(model, crop_hw):
  """The training step of HRNet's recipe, and its abstract state."""
  frames = Frames(
    crop_hw=crop_hw,
    map_hw=model.map_hw(crop_hw),
    alignment="corner",
    padding=1.25,
  )
  optimizer = make_optimizer("adam", optax.constant_schedule(1e-3))
  target = TargetRule(
    hm_from_crop=frames.hm_from_crop,
    map_hw=frames.map_hw,
    sigma_hm=2.0,
    unbiased=False,
  )
  images = functools.partial(
    prepare_images, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
  )
  step = functools.partial(
    train_step,
    model=model,
    optimizer=optimizer,
    loss=mse,
    target=target,
    images=images,
  )
  variables = abstract_variables(model, crop_hw)
  state = jax.eval_shape(lambda v: init_state(v, optimizer), variables)
  return step, state


def make_batch(crop_hw, size):
  """Shapes of what the host sends."""
  return {
    "image": jax.ShapeDtypeStruct((size, *crop_hw, 3), np.uint8),
    "kpts_xy_crop": jax.ShapeDtypeStruct((size, 17, 2), np.float32),
    "vis": jax.ShapeDtypeStruct((size, 17), np.int32),
    "sample_seed": jax.ShapeDtypeStruct((size,), np.uint32),
  }


def measure(config, crop_hw, batch_size):
  """Seconds of wall and of processor time of each part, by name."""
  jax.clear_caches()
  step, state = make_step(make_model(config, COCO17), crop_hw)
  batch = make_batch(crop_hw, batch_size)
  jitted = jax.jit(step, donate_argnums=0)
  clocks = [(time.perf_counter(), time.process_time())]
  traced = jitted.trace(state, batch)
  clocks.append((time.perf_counter(), time.process_time()))
  lowered = traced.lower()
  clocks.append((time.perf_counter(), time.process_time()))
  lowered.compile()
  clocks.append((time.perf_counter(), time.process_time()))
  return {
    part: tuple(np.subtract(after, before))
    for part, before, after in zip(PARTS, clocks, clocks[1:], strict=False)
  }


def main():
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--width", type=int, default=32)
  parser.add_argument("--num_modules", default="1,4,3")
  parser.add_argument("--crop", default="256x192", help="height x width")
  parser.add_argument("--batch", type=int, default=8)
  options = parser.parse_args()
  config = {
    "name": "hrnet",
    "width": options.width,
    "num_modules": tuple(map(int, options.num_modules.split(","))),
  }
  crop_hw = tuple(map(int, options.crop.split("x")))
  run = functools.partial(measure, config, crop_hw, options.batch)
  with tempfile.TemporaryDirectory() as folder:
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    rows = {}
    with mock.patch.multiple(hrnet_parts, **_plain(hrnet_parts)):
      with mock.patch.multiple(hrnet, **_plain(hrnet)):
        rows["each block by itself"] = run()
    rows["blocks of a kind once"] = run()
    jax.config.update("jax_compilation_cache_dir", folder)
    run()
    rows["and in the cache"] = run()
  print(f"{'seconds (of processor time)':28}", *(f"{p:>16}" for p in PARTS))
  for name, parts in rows.items():
    cells = (f"{wall:.1f} ({cpu:.1f})" for wall, cpu in parts.values())
    print(f"{name:28}", *(f"{cell:>16}" for cell in cells), flush=True)


def _plain(module):
  return {name: kind for where, name, kind in PLAIN if where is module}


if __name__ == "__main__":
  main()
