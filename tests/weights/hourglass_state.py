"""The tensors of pytorch-pose's hourglass, of any size; NumPy alone."""

import numpy as np

TINY = {"name": "hourglass", "num_stacks": 1, "num_features": 8, "depth": 1}


def hourglass_state(config, num_maps=16):
  """Random tensors with torch's names and shapes, from the config alone."""
  full = config["num_features"]
  tensors, rng = {}, np.random.RandomState(0)

  def add(name, *shape):
    tensors[name] = rng.uniform(0.5, 1.5, shape).astype(np.float32)

  def conv(name, num_out, num_in, side=1):
    add(f"{name}.weight", num_out, num_in, side, side)
    add(f"{name}.bias", num_out)

  def norm(name, size):
    for part in ("weight", "bias", "running_mean", "running_var"):
      add(f"{name}.{part}", size)
    tensors[f"{name}.num_batches_tracked"] = np.zeros((), np.int64)

  def unit(name, num_in=full, num_out=full):
    half = num_out // 2
    for n, (size, channels, side) in enumerate(
      ((num_in, half, 1), (half, half, 3), (half, num_out, 1)), start=1
    ):
      norm(f"{name}.bn{n}", size)
      conv(f"{name}.conv{n}", channels, size, side)
    if num_in != num_out:
      conv(f"{name}.downsample.0", num_out, num_in)

  conv("conv1", full // 4, 3, 7)
  norm("bn1", full // 4)
  unit("layer1.0", full // 4, full // 2)
  unit("layer2.0", full // 2, full)
  unit("layer3.0")
  for i in range(config["num_stacks"]):
    for block in range(config.get("num_blocks", 1)):
      for level in range(config["depth"]):
        for place in range(4 if level == 0 else 3):
          unit(f"hg.{i}.hg.{level}.{place}.{block}")
      unit(f"res.{i}.{block}")
    conv(f"fc.{i}.0", full, full)
    norm(f"fc.{i}.1", full)
    conv(f"score.{i}", num_maps, full)
    if i + 1 < config["num_stacks"]:
      conv(f"fc_.{i}", full, full)
      conv(f"score_.{i}", full, num_maps)
  return tensors
