"""What launch.evaluate makes of its command line."""

import pathlib

import pytest

from launch.command_line import completed

SAVED = str(pathlib.Path(__file__).parents[2] / "launch/saved_config.py")


@pytest.fixture
def workdir(tmp_path):
  (tmp_path / "config.json").write_text("{}")
  return str(tmp_path)


@pytest.mark.parametrize(
  "form", ["--workdir={}", "-workdir={}", "--workdir {}"]
)
def test_a_runs_own_config_is_the_config_however_the_flag_is_typed(
  workdir, form
):
  typed = form.format(workdir).split(" ")
  wanted = ["evaluate", f"--config={SAVED}:{workdir}", *typed, "--watch"]
  assert completed(["evaluate", *typed, "--watch"]) == wanted


def test_a_config_that_is_given_stays(workdir):
  for given in (["--config=a.py"], ["--config", "a.py"], ["-config=a.py"]):
    argv = ["evaluate", f"--workdir={workdir}", *given]
    assert completed(argv) == argv


def test_a_folder_without_a_config_adds_none(tmp_path):
  for argv in ([f"--workdir={tmp_path}"], ["--workdir"], ["--watch"]):
    assert completed(["evaluate", *argv]) == ["evaluate", *argv]


@pytest.mark.parametrize(
  "typed, wanted",
  [
    (["--compare", "a", "b", "-x"], ["--compare=a,b", "-x"]),
    (["-x", "--compare", "a", "b"], ["-x", "--compare=a,b"]),
    (["--compare", "a", "-x"], ["--compare=a", "-x"]),
    (["--compare", "a", "b", "c"], ["--compare=a,b", "c"]),
    (["--compare"], ["--compare="]),
    (["--compare=a,b"], ["--compare=a,b"]),
  ],
)
def test_two_files_after_compare_are_one_flag(typed, wanted):
  assert completed(["evaluate", *typed]) == ["evaluate", *wanted]


def test_the_last_workdir_counts_as_it_does_for_absl(workdir, tmp_path):
  argv = ["evaluate", f"--workdir={workdir}", f"--workdir={tmp_path}/none"]
  assert completed(argv) == argv
  assert len(completed([*argv, "--workdir", workdir])) == 6


def test_another_flag_may_name_the_run(workdir):
  argv = ["predict", f"--checkpoint={workdir}"]
  wanted = ["predict", f"--config={SAVED}:{workdir}", argv[1]]
  assert completed(argv, run_flag="checkpoint") == wanted
  assert completed(argv) == argv
