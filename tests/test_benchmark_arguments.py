"""What is typed wrong at a benchmark gets a sentence, no traceback."""

import argparse
import sys

import pytest

from benchmarks import attention, networks, train_step


@pytest.mark.parametrize(
  "name, message",
  [
    ("paper001/nosuch", "configs/ has no experiment 'paper001/nosuch'; "),
    ("paper000/crf:nosuch", "has no variant 'nosuch'; it has debug, holistic"),
  ],
)
def test_networks_that_are_not_there_are_named(name, message):
  with pytest.raises(argparse.ArgumentTypeError, match=message):
    networks.known(name)
  assert networks.known("paper000/crf:part") == "paper000/crf:part"


def test_only_measurements_that_there_are(monkeypatch, capsys):
  assert attention.wanted("scan,part") == ["scan", "part"]
  monkeypatch.setattr(sys, "argv", ["attention", "--only=shares"])
  with pytest.raises(SystemExit):
    attention.main()
  said = capsys.readouterr().err
  assert "wanted some of part,scan,forms,share, got 'shares'" in said


def test_an_interpreter_that_is_not_there_is_told(monkeypatch, capsys):
  monkeypatch.setattr(sys, "argv", ["train_step", "--torch_python=nosuch/py"])
  with pytest.raises(SystemExit):
    train_step.main()
  assert "got 'nosuch/py', which cannot be run" in capsys.readouterr().err


def test_every_option_of_attention_is_explained(monkeypatch, capsys):
  monkeypatch.setattr(sys, "argv", ["attention", "--help"])
  with pytest.raises(SystemExit):
    attention.main()
  said = capsys.readouterr().out
  for word in (*attention.NUMBERS, *attention.MEASUREMENTS, "processors"):
    assert word in said
