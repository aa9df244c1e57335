"""Training step and forward pass of PoseResNet: our speed against others'.

    python -m benchmarks.train_step [--torch_python PATH] [--depth 50]
        [--batch 16] [--steps 5] [--height 256] [--width 192] [--threads 2]

The others: ourselves where freed memory goes back to the system, and torch,
if PATH is the interpreter of an environment with benchmarks/requirements.txt.
Each lives in a process and they take turns, step by step, at the same shapes
in float32, so that a busy machine disturbs all alike. A training step is
forward, backward and Adam. Compile time is printed apart. The ratio is the
other's best time over ours: 1 is equal speed, above 1 we are faster.
On a busy machine torch's waiting threads collapse and flatter us: trust the
ratio only where nothing else runs, or with --threads 1.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

from benchmarks.train_step_jax import GIVEN_BACK

HERE = pathlib.Path(__file__).parent
TARGETS = {"train": 0.5, "forward": 0.85}  # of torch's time over ours


def main() -> None:
  """Measures and prints the table."""
  options = _parse()
  os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
  shapes = [options.depth, options.batch, options.height, options.width]
  ours = (sys.executable, "benchmarks.train_step_jax", *shapes)
  peers = {"jax": _start(*ours), GIVEN_BACK: _start(*ours, GIVEN_BACK)}
  if options.torch_python:
    peers["torch"] = _start(
      options.torch_python, "benchmarks.train_step_torch", *shapes
    )
  print(
    f"PoseResNet-{options.depth} {options.height}x{options.width} float32, "
    f"batch {options.batch}, {options.threads} threads, load average "
    f"{os.getloadavg()[0]:.2f}"
  )
  for mode in ("train", "forward"):
    for name, peer in peers.items():
      first = _ask(peer, mode)
      print(f"{mode:8} {name:10} first call (compiles) {first:.2f} s")
    seconds = {name: [] for name in peers}
    for _ in range(options.steps):
      for name, peer in peers.items():
        seconds[name].append(_ask(peer, mode))
    _report(mode, seconds, options.batch)
  for name, peer in peers.items():
    peak_mb = json.loads(_ask_text(peer, "memory"))
    print(f"peak memory {name}: {peak_mb:.0f} MB")
    peer.stdin.close()
    peer.wait()


def _parse():
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--torch_python", type=_interpreter)
  parser.add_argument("--depth", type=int, default=50)
  parser.add_argument("--batch", type=int, default=16)
  parser.add_argument("--steps", type=int, default=5)
  parser.add_argument("--height", type=int, default=256)
  parser.add_argument("--width", type=int, default=192)
  parser.add_argument("--threads", type=int, default=2)
  return parser.parse_args()


def _interpreter(path):
  if not shutil.which(path):
    raise argparse.ArgumentTypeError(
      f"wanted the Python of an environment with torch, got {path!r}, which "
      "cannot be run"
    )
  return path


def _start(python, module, *words):
  """A process that answers each line "train" or "forward" with its seconds."""
  return subprocess.Popen(
    [python, "-m", module, *map(str, words)],
    cwd=HERE.parent,
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
  )


def _ask(peer, mode):
  return json.loads(_ask_text(peer, mode))


def _ask_text(peer, line):
  peer.stdin.write(line + "\n")
  peer.stdin.flush()
  answer = peer.stdout.readline()
  if not answer:
    raise RuntimeError(f"{peer.args} stopped before answering {line!r}")
  return answer


def _report(mode, seconds, batch):
  for name, times in seconds.items():
    best, median = min(times), statistics.median(times)
    print(
      f"{mode:8} {name:10} best {best:.3f} s  median {median:.3f} s  "
      f"{batch / best:.1f} people/s"
    )
  for other in list(seconds)[1:]:
    best, median = (
      how(seconds[other]) / how(seconds["jax"])
      for how in (min, statistics.median)
    )
    target = f" (target {TARGETS[mode]})" if other == "torch" else ""
    print(
      f"{mode:8} ratio {other}/jax: best {best:.2f}, median "
      f"{median:.2f}{target}"
    )


if __name__ == "__main__":
  main()
