"""Comparing trainings: order, resuming, failures; the commands are faked."""

import json
import pathlib
import shutil
import subprocess
import sys

import pytest

from benchmarks import compare_training, comparison
from benchmarks.comparison import Comparison, FailedRunError
from launch.mistakes import ConfigError

CONFIG = """
from configs import base

def get_config(variant=""):
  config = base.get_config()
  config.optimizer.learning_rate = {rate}
  return base.finish(config, variant, ("a", "b"))
"""
ROOT = pathlib.Path(__file__).parents[1]
AT_END = "[09:00:00] step 20/20 | loss 1\n"


class Commands:
  """launch.train and launch.evaluate: they write what is read of them."""

  def __init__(self, failing=(), trained=AT_END):
    self.said = []
    self._failing = failing
    self._trained = trained

  def __call__(self, command, arguments, output):
    self.said.append((command, *arguments))
    workdir = pathlib.Path(arguments[-1].removeprefix("--workdir="))
    assert output == workdir / "output.txt"
    name = "/".join(workdir.parts[-2:])
    if name in self._failing:
      raise FailedRunError("launch.train: no disk")
    if command == "train":
      (workdir / "metrics.jsonl").write_text("")
      return self._trained
    folder = workdir / "evaluation/20"
    folder.mkdir(parents=True)
    protocol = {
      **{"decoder": "dark", "flip_test": True, "scales": [1.0]},
      **{"box_source": "ground truth", "box_noise": 0.0},
      **{"checkpoint_step": 20, "num_parameters": 5},
    }
    ap = {"none/seed_1": 0.5, "a/seed_1": 0.25}.get(name, 0.125)
    metrics = {"scores": {"AP": ap}, "protocol": protocol, "ways": []}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return f"AP {ap}\nreport: {folder / 'report.html'}\n"

  @property
  def trained(self):
    return [row[-1].split("/W/")[1] for row in self.said if row[0] == "train"]


@pytest.fixture
def config(tmp_path):
  path = tmp_path / "compared.py"
  path.write_text(CONFIG.format(rate=0.1))
  return path


def compared(config, variants=("none", "a"), seeds=(1, 2), **options):
  folder = config.parent / "W"
  return Comparison(folder, str(config), variants, seeds, **options)


def test_first_seed_of_all_variants_comes_first(config):
  commands = Commands()
  compare_training.make_all(compared(config), commands)
  assert commands.trained == [
    *("none/seed_1", "a/seed_1", "none/seed_2", "a/seed_2")
  ]


def test_commands_are_those_that_one_would_type(config):
  commands = Commands()
  flags = ["--config.schedule.num_steps=20"]
  one = compared(config, ["a"], [3], flags=flags, sweep="decoder")
  compare_training.make_all(one, commands)
  workdir = f"--workdir={config.parent / 'W/a/seed_3'}"
  assert commands.said == [
    ("train", f"--config={config}:a", *flags, "--config.seed=3", workdir),
    ("evaluate", "--sweep=decoder", workdir),
  ]


def test_what_training_evaluated_is_not_evaluated_again(config):
  folder = config.parent / "W/a/seed_3"
  said = f"{AT_END}[09:00:01] report: {folder}/evaluation/20/report.html\n"
  commands = Commands(trained=said)
  (folder / "evaluation/20").mkdir(parents=True)
  commands("evaluate", [f"--workdir={folder}/x"], folder / "x/output.txt")
  shutil.move(folder / "x/evaluation/20/metrics.json", folder / "evaluation/20")
  commands.said.clear()
  one = compared(config, ["a"], [3])
  compare_training.make_all(one, commands)
  assert [row[0] for row in commands.said] == ["train"]
  assert [run.scores["AP"] for run in one.read()] == [0.125]


def test_what_is_finished_is_not_repeated(config):
  compare_training.make_all(compared(config, seeds=[1]), Commands())
  commands = Commands()
  compare_training.make_all(compared(config, ["none", "a", "b"]), commands)
  assert commands.trained == [
    *("b/seed_1", "none/seed_2", "a/seed_2", "b/seed_2")
  ]


def test_what_another_config_made_does_not_count(config):
  compare_training.make_all(compared(config), Commands())
  assert compared(config).is_finished("a", 1)
  assert not compared(config, sweep="flip").is_finished("a", 1)
  flags = ["--config.data.padding=1.5"]
  assert not compared(config, flags=flags).is_finished("a", 1)
  text = compared(config, flags=flags).write_table()
  assert "0 of 4 runs" in text and "No run has finished." in text
  assert "Left out, made with other values: a, seed 2." in text
  config.write_text(CONFIG.format(rate=0.2))
  assert not compared(config).is_finished("a", 1)


def test_a_training_that_is_refused_leaves_the_scores_that_there_are(config):
  compare_training.make_all(compared(config, ["a"], [1]), Commands())
  flags = ["--config.data.padding=1.5"]
  refused = Commands(failing=("a/seed_1",))
  compare_training.make_all(compared(config, ["a"], [1], flags=flags), refused)
  assert compared(config, ["a"], [1]).is_finished("a", 1)
  assert "1 of 1 runs" in compared(config, ["a"], [1]).write_table()


def test_keys_that_came_later_change_nothing():
  before, now = {"a": 1, "b": {"c": [2]}}, {"a": 1, "b": {"c": [2], "d": 3}}
  assert comparison.is_part_of(before, now)
  assert not comparison.is_part_of(now, before)
  assert not comparison.is_part_of(before, {"a": 1, "b": {"c": [3]}})


def test_a_failed_run_is_named_and_the_others_go_on(config, capsys):
  commands = Commands(failing=("none/seed_1",))
  one = compared(config)
  compare_training.make_all(one, commands)
  assert len(commands.trained) == 4
  assert one.failed == {("none", 1): "launch.train: no disk"}
  said = capsys.readouterr().out
  assert "run 1 of 4: none, seed 1: FAILED, launch.train: no disk" in said
  text = (config.parent / "W/table.md").read_text()
  assert "3 of 4 runs" in text
  assert "Failed: none, seed 1: launch.train: no disk" in text
  table = json.loads((config.parent / "W/table.json").read_text())
  assert table["failed"] == {"none, seed 1": "launch.train: no disk"}


def test_a_training_that_was_stopped_is_not_evaluated(config):
  one = compared(config, ["a"], [1])
  stopped = "[09:00:00] step 7/20 | loss 1\n[09:00:01] asked to stop: saved\n"
  commands = Commands(trained=stopped)
  compare_training.make_all(one, commands)
  assert "before its last step" in one.failed["a", 1]
  assert [row[0] for row in commands.said] == ["train"]
  assert not one.is_finished("a", 1)


def test_the_table_is_there_after_each_run(config):
  one, seen = compared(config, seeds=[1]), []

  def call(command, arguments, output):
    path = config.parent / "W/table.md"
    seen.append(path.read_text() if path.exists() else "")
    return commands(command, arguments, output)

  commands = Commands()
  compare_training.make_all(one, call)
  assert seen[1] == "" and "1 of 2 runs" in seen[2]
  text = one.write_table()
  assert "2 of 2 runs" in text
  assert "| a | 0.250 | 0.250 | -0.250 | 1 | – | – |" in text


def test_the_end_of_a_training_is_told_from_a_stop():
  assert comparison.is_at_end(AT_END)
  assert comparison.is_at_end("[09:00:00] this run is at its end; its ...")
  assert not comparison.is_at_end(AT_END + AT_END.replace("20/", "3/"))
  assert not comparison.is_at_end("")


def test_last_words_are_the_sentence_of_the_error():
  said = "step 1\nerror: no such file\nbye\n"
  assert comparison.last_words(said, 2) == "error: no such file"
  assert comparison.last_words("Traceback\nKeyError: 3\n", 1) == "KeyError: 3"
  assert "status 9" in comparison.last_words("", 9)


def test_two_comparisons_in_one_folder_are_refused(tmp_path):
  with comparison.locked(tmp_path):
    with pytest.raises(BlockingIOError), comparison.locked(tmp_path):
      pass
  with comparison.locked(tmp_path):
    pass


def test_a_config_that_is_not_there_is_told_before_anything_runs(tmp_path):
  one = compared(tmp_path / "nosuch.py")
  with pytest.raises(ConfigError, match="there is no file '.*nosuch.py'; want"):
    one.check()
  assert not one.folder.exists()


@pytest.mark.parametrize(
  "argument, sentence",
  [
    ("--sedes=1", "only values of the config"),
    ("--variants=a,a", "names one twice"),
    ("--seeds=1,x", "wanted whole numbers between commas, got '1,x'"),
    ("--variants=a,", "wanted variants between commas"),
    ("--steps=0", "wanted a whole number above 0, got '0'"),
    ("--sweep=decodr", "wanted some of flip, decoder"),
    ("--config.seed=9", "--seeds says which"),
  ],
)
def test_mistakes_of_the_command_line_are_told(argument, sentence, capsys):
  flags = ["--config=c.py", "--variants=a", "--workdir=W", argument]
  with pytest.raises(SystemExit):
    compare_training.parse(flags)
  assert sentence in capsys.readouterr().err


def test_steps_and_values_reach_the_config():
  flags = ["--config=c.py", "--variants=none,a", "--workdir=W", "--steps=5"]
  options, found = compare_training.parse([*flags, "--config.seed_x.y=3"])
  assert options.seeds == [1, 2, 3]
  assert found == ["--config.seed_x.y=3", "--config.schedule.num_steps=5"]


@pytest.mark.slow
def test_commands_as_they_are(tmp_path):
  command = [
    *(sys.executable, "-m", "benchmarks.compare_training"),
    *("--config=configs/quickstart.py", "--variants=debug", "--seeds=4"),
    *(f"--workdir={tmp_path}", "--config.data.crop_hw=(64,64)"),
    "--config.eval.bootstrap_samples=0",
  ]
  done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
  assert done.returncode == 0, done.stdout + done.stderr
  assert "run 1 of 1: debug, seed 4: AP 0." in done.stdout
  assert "1 of 1 runs" in done.stdout
  again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
  assert "1 runs, 1 of them finished before" in again.stdout
  bad = [part.replace("=debug", "=deubg") for part in command]
  refused = subprocess.run(bad, cwd=ROOT, capture_output=True, text=True)
  assert refused.returncode == 1 and "no variant 'deubg'" in refused.stderr
