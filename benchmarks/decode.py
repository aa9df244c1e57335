"""Decoding on the device against a NumPy loop, per person, in one run.

Question: how much faster than the loop over persons and keypoints that the
reference codes have is each decoder of `pose_jax.codec.decode`? Both sides
decode the same maps and are checked to agree. Best of several runs each,
compile time apart.

  python -m benchmarks.decode [--batch=64] [--repeats=20]
"""

import argparse
import math
import time

import cv2
import jax
import numpy as np

from pose_jax.codec import decode

NUM_KEYPOINTS = 17
CASES = (
  ("argmax", {}),
  ("quarter", {}),
  ("dark", {"blur_kernel": 11}),
  ("dark", {"blur_kernel": 17}),
  ("weighted", {"n": 20}),
  ("weighted", {"n": 20, "window": 7}),
)
LOOP_PERSONS = 8  # the loop is timed on this many and scales with them


def drawn_maps(batch: int, map_hw: tuple[int, int]) -> np.ndarray:
  """Gaussians of sigma 2 in noise, [B, h, w, K] float32."""
  rng = np.random.default_rng(0)
  height, width = map_hw
  shape = (batch, 1, 1, NUM_KEYPOINTS)
  x = rng.uniform(6, width - 7, shape)
  y = rng.uniform(6, height - 7, shape)
  columns = np.arange(width)[None, None, :, None]
  rows = np.arange(height)[None, :, None, None]
  maps = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)
  noise = 0.02 * rng.standard_normal(maps.shape)
  return (maps + noise).astype(np.float32)


def loop_peaks(maps_bkhw):
  """Maxima of all maps at once (references vectorise this much)."""
  flat = maps_bkhw.reshape(*maps_bkhw.shape[:2], -1)
  index = flat.argmax(-1)
  score = flat.max(-1)
  xy = np.stack([index % maps_bkhw.shape[3], index // maps_bkhw.shape[3]], -1)
  return np.where((score > 0)[..., None], xy, 0).astype(np.float32)


def loop_argmax(maps_bkhw):
  """The reference's argmax."""
  return loop_peaks(maps_bkhw)


def loop_quarter(maps_bkhw):
  """A quarter pixel toward the larger neighbour, one keypoint at a time."""
  kpts_xy = loop_peaks(maps_bkhw)
  num, num_keypoints, height, width = maps_bkhw.shape
  for b in range(num):
    for k in range(num_keypoints):
      heatmap = maps_bkhw[b, k]
      x = int(math.floor(kpts_xy[b, k, 0] + 0.5))
      y = int(math.floor(kpts_xy[b, k, 1] + 0.5))
      if 1 < x < width - 1 and 1 < y < height - 1:
        difference = np.array(
          [
            heatmap[y, x + 1] - heatmap[y, x - 1],
            heatmap[y + 1, x] - heatmap[y - 1, x],
          ]
        )
        kpts_xy[b, k] += np.sign(difference) * 0.25
  return kpts_xy


def blur_slowly(maps_bkhw, kernel):
  """Each map blurred in a zero border and scaled to its old maximum."""
  border = (kernel - 1) // 2
  num, num_keypoints, height, width = maps_bkhw.shape
  blurred = maps_bkhw.copy()
  for b in range(num):
    for k in range(num_keypoints):
      highest = np.max(blurred[b, k])
      padded = np.zeros((height + 2 * border, width + 2 * border))
      padded[border:-border, border:-border] = blurred[b, k]
      padded = cv2.GaussianBlur(padded, (kernel, kernel), 0)
      blurred[b, k] = padded[border:-border, border:-border]
      blurred[b, k] *= highest / np.max(blurred[b, k])
  return blurred


def taylor_slowly(log_map, xy):
  """The Taylor step of one keypoint with a 2x2 inverse."""
  height, width = log_map.shape
  x, y = int(xy[0]), int(xy[1])
  if not (1 < x < width - 2 and 1 < y < height - 2):
    return xy
  m = log_map
  dx = 0.5 * (m[y, x + 1] - m[y, x - 1])
  dy = 0.5 * (m[y + 1, x] - m[y - 1, x])
  dxx = 0.25 * (m[y, x + 2] - 2 * m[y, x] + m[y, x - 2])
  dxy = 0.25 * (
    m[y + 1, x + 1] - m[y - 1, x + 1] - m[y + 1, x - 1] + m[y - 1, x - 1]
  )
  dyy = 0.25 * (m[y + 2, x] - 2 * m[y, x] + m[y - 2, x])
  if dxx * dyy - dxy**2 == 0:
    return xy
  hessian = np.array([[dxx, dxy], [dxy, dyy]])
  gradient = np.array([dx, dy])
  return xy - np.linalg.inv(hessian) @ gradient


def loop_dark(maps_bkhw, blur_kernel):
  """Blur, logarithm, Taylor step, one keypoint at a time."""
  kpts_xy = loop_peaks(maps_bkhw)
  blurred = blur_slowly(maps_bkhw, blur_kernel)
  log_maps = np.log(np.maximum(blurred, 1e-10))
  for b in range(len(kpts_xy)):
    for k in range(NUM_KEYPOINTS):
      kpts_xy[b, k] = taylor_slowly(log_maps[b, k], kpts_xy[b, k])
  return kpts_xy


def loop_weighted(maps_bkhw, n, window=None):
  """Sort the pixels of one map at a time; rank weights."""
  peak_xy = loop_peaks(maps_bkhw).astype(int)
  weight = 1 / np.arange(1, n + 1)
  weight /= weight.sum()
  kpts_xy = np.zeros(peak_xy.shape, np.float32)
  for b in range(len(kpts_xy)):
    for k in range(NUM_KEYPOINTS):
      heatmap, left, top = maps_bkhw[b, k], 0, 0
      if window is not None:
        left, top = np.maximum(peak_xy[b, k] - window // 2, 0)
        right, bottom = peak_xy[b, k] + window // 2 + 1
        heatmap = heatmap[top:bottom, left:right]
      highest = np.argsort(heatmap, axis=None)[::-1][:n]
      y, x = np.unravel_index(highest, heatmap.shape)
      kpts_xy[b, k] = weight @ (x + left), weight @ (y + top)
  return kpts_xy


LOOPS = {
  "argmax": loop_argmax,
  "quarter": loop_quarter,
  "dark": loop_dark,
  "weighted": loop_weighted,
}


def seconds(call) -> float:
  """Time of one call."""
  start = time.perf_counter()
  call()
  return time.perf_counter() - start


def measure(name, options, maps, repeats):
  """Returns microseconds per person (device, loop) and compile seconds."""
  on_device = jax.device_put(maps)
  start = time.perf_counter()
  compiled = decode.DECODERS[name].lower(on_device, **options).compile()
  compile_s = time.perf_counter() - start
  # The references keep [person, keypoint, row, column].
  maps_bkhw = np.ascontiguousarray(np.moveaxis(maps[:LOOP_PERSONS], -1, 1))
  expected = LOOPS[name](maps_bkhw, **options)
  result = np.asarray(compiled(on_device)[0])[:LOOP_PERSONS]
  np.testing.assert_allclose(result, expected, atol=1e-3)
  device_s, loop_s = [], []
  for _ in range(repeats):  # in turns, for a busy machine to disturb both
    loop_s.append(seconds(lambda: LOOPS[name](maps_bkhw, **options)))
    for _ in range(3):
      device_s.append(
        seconds(lambda: jax.block_until_ready(compiled(on_device)))
      )
  return (
    1e6 * min(device_s) / len(maps),
    1e6 * min(loop_s) / len(maps_bkhw),
    compile_s,
  )


def main() -> None:
  """Prints one table per map size."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--batch", type=int, default=64)
  parser.add_argument("--repeats", type=int, default=20)
  arguments = parser.parse_args()
  device = jax.devices()[0]
  print(f"{device.device_kind}, jax {jax.__version__}, cv2 {cv2.__version__}")
  for map_hw in ((64, 48), (96, 72)):
    maps = drawn_maps(arguments.batch, map_hw)
    print(f"\n{map_hw[0]}x{map_hw[1]} maps, batch {arguments.batch}")
    print("| decoder | device us/person | loop us/person | ratio | compile s |")
    print("|---|---|---|---|---|")
    for name, options in CASES:
      device_us, loop_us, compile_s = measure(
        name, options, maps, arguments.repeats
      )
      label = " ".join([name, *(f"{k}={v}" for k, v in options.items())])
      print(
        f"| {label} | {device_us:.1f} | {loop_us:.0f} "
        f"| {loop_us / device_us:.1f} | {compile_s:.2f} |",
        flush=True,
      )


if __name__ == "__main__":
  main()
