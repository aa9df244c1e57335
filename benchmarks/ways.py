"""Eight ways of measuring a checkpoint: one pass against eight evaluations.

    python -m benchmarks.ways --workdir=W [-- further flags of launch.evaluate]

Question: what does a table of {flip test on, off} x {argmax, quarter, DARK,
top-N} cost in one pass, compared with one command for each cell? Both sides
are the commands as users type them, from start to exit; their scores must be
the same. W is any run that `launch.train` wrote.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time

WAYS = tuple(
  (decoder, flip_test)
  for flip_test in (True, False)
  for decoder in ("argmax", "quarter", "dark", "weighted")
)


def evaluate(workdir: str, flags: list[str]) -> tuple[dict, float, float]:
  """metrics.json, seconds of the command, seconds of prediction in it."""
  start = time.perf_counter()
  done = subprocess.run(
    [sys.executable, "-m", "launch.evaluate", f"--workdir={workdir}", *flags],
    capture_output=True,
    text=True,
  )
  seconds = time.perf_counter() - start
  if done.returncode:
    sys.exit(done.stderr)
  (report,) = (
    line.removeprefix("report: ")
    for line in done.stdout.splitlines()
    if line.startswith("report: ")
  )
  metrics = json.loads(
    pathlib.Path(report).with_name("metrics.json").read_text()
  )
  spent = metrics["seconds"]
  return metrics, seconds, spent["first batch (compiles)"] + spent["prediction"]


def key_of(protocol: dict) -> tuple[str, bool]:
  return protocol["decoder"], protocol["flip_test"]


def main() -> None:
  """Prints both sides and their ratio."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--workdir", required=True)
  parser.add_argument("flags", nargs="*", help="of launch.evaluate")
  options = parser.parse_args()
  together, one_s, one_predict_s = evaluate(
    options.workdir, ["--sweep=flip,decoder", *options.flags]
  )
  scores = {
    key_of(way["protocol"]): way["scores"]
    for way in (together, *together["ways"])
  }
  eight_s = eight_predict_s = 0.0
  for decoder, flip_test in WAYS:
    alone, seconds, predict_s = evaluate(
      options.workdir,
      [
        f"--config.eval.decoder={decoder}",
        f"--config.eval.flip_test={flip_test}",
        *options.flags,
      ],
    )
    if alone["scores"] != scores[decoder, flip_test]:
      sys.exit(f"scores differ with {decoder}, flip test {flip_test}")
    eight_s += seconds
    eight_predict_s += predict_s
  print(
    "| | whole command s | compilation and prediction s |\n"
    "| --- | --- | --- |\n"
    f"| one pass | {one_s:.1f} | {one_predict_s:.1f} |\n"
    f"| eight evaluations | {eight_s:.1f} | {eight_predict_s:.1f} |\n"
    f"| ratio | {eight_s / one_s:.1f} | "
    f"{eight_predict_s / one_predict_s:.1f} |"
  )


if __name__ == "__main__":
  main()
