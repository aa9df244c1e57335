"""Commands as users type them, for the tests of this folder."""

import pathlib
import subprocess
import sys

from hasty import HASTY as HASTY

ROOT = pathlib.Path(__file__).parents[2]

# Two devices, a network that trains in seconds, a checkpoint at every step.
TINY = (
  "--config=configs/quickstart.py:debug",
  "--config.schedule.num_steps=9",
  "--config.data.crop_hw=(64,64)",
)


def start(command, *arguments, environment):
  return subprocess.Popen(
    [sys.executable, "-m", f"launch.{command}", *map(str, arguments)],
    cwd=ROOT,
    env=environment,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


def run(command, *arguments, environment, status=0):
  process = start(command, *arguments, environment=environment)
  out, err = process.communicate(timeout=600)
  assert process.returncode == status, out + err
  assert "Traceback" not in err, err
  return out if status == 0 else err


def sentence(command, *arguments, environment):
  """What a command that must fail says: one line, exit status 2."""
  err = run(command, *arguments, environment=environment, status=2)
  said = [line for line in err.splitlines() if line.startswith("error: ")]
  assert len(said) == 1, err
  return said[0]


def on_coco(folder, workdir, annotations="annotations.json"):
  config = ["--config=configs/quickstart.py:debug", f"--workdir={workdir}"]
  for part in ("train", "eval"):
    config += [
      f"--config.data.{part}.name=coco",
      f"--config.data.{part}.root={folder}",
      f"--config.data.{part}.annotations={annotations}",
      f"--config.data.{part}.images=images",
    ]
  return config
