"""benchmarks/README.md lists what the networks of today cost."""

import pathlib
import sys

import pytest

from benchmarks import networks

README = pathlib.Path(__file__).parents[1] / "benchmarks" / "README.md"


def cells(row):
  return [cell.strip().strip("`") for cell in row.strip("|").split("|")]


def rows_of_readme():
  """{experiment: cells}, without the published column that some have."""
  lines = README.read_text().splitlines()
  rows = [cells(row) for row in lines if row[:3] + row[-6:] == "| ` MiB |"]
  return {row[0]: [*row[:5], row[-1]] for row in rows}


@pytest.mark.parametrize(
  "name", [n for n in rows_of_readme() if n.startswith("paper003/drawn")]
)
def test_rows_of_small_networks_are_printed_again(name, monkeypatch, capsys):
  monkeypatch.setattr(sys, "argv", ["networks", name])
  networks.main()
  printed = capsys.readouterr().out.splitlines()[-1]
  assert cells(printed) == rows_of_readme()[name]


def test_there_are_rows():
  assert len(rows_of_readme()) > 50
