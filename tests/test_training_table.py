"""Tables of trainings: statistics by hand and against SciPy, text by eye."""

import dataclasses
import json
import math

import numpy as np
import pytest
from scipy import stats

from benchmarks.training_table import (
  Run,
  make_table,
  paired_difference,
  read_runs,
  to_markdown,
  way_labels,
)


def make_run(variant, seed, ap, way="", **more):
  values = {"steps": 20, "num_parameters": 1234, "people_per_second": 50.0}
  return Run(variant, seed, way, {"AP": ap}, **(values | more))


def test_paired_difference_by_hand():
  found = paired_difference({1: 0.5, 2: 0.6, 3: 0.7}, {3: 0.4, 1: 0.4, 2: 0.4})
  t = 0.2 / (0.1 / math.sqrt(3))
  assert found.num == 3
  assert found.mean == pytest.approx(0.2)
  assert found.standard_error == pytest.approx(0.1 / math.sqrt(3))
  # Student's distribution of two degrees of freedom has a closed form.
  assert found.p_t == pytest.approx(1 - t / math.sqrt(t * t + 2))
  assert found.p_exact == 2 / 8


def test_exact_p_counts_changes_of_sign():
  def p_of(*differences):
    values = dict(enumerate(differences))
    return paired_difference(values, dict.fromkeys(values, 0.0)).p_exact

  assert p_of(0.3, 0.2, -0.1) == 4 / 8  # +-0.6, +-0.4 of +-0.2, 0, 0 besides
  assert p_of(0.3, -0.1) == 1
  assert p_of(0.1, 0.1, 0.1, 0.1) == 2 / 16
  assert p_of(0.0, 0.0) == 1
  assert p_of(*[0.1] * 17) is None  # too many to count


def test_p_values_are_scipys():
  rng = np.random.default_rng(0)
  first, second = rng.normal(0.4, 0.1, (2, 7))
  found = paired_difference(
    dict(enumerate(first.tolist())), dict(enumerate(second.tolist()))
  )
  wanted = stats.permutation_test(
    (first, second),
    lambda a, b: abs(np.mean(a - b)),
    permutation_type="samples",
    alternative="greater",
    n_resamples=np.inf,
  )
  assert found.p_t == pytest.approx(stats.ttest_rel(first, second).pvalue)
  assert found.p_exact == pytest.approx(wanted.pvalue)


def test_only_seeds_of_both_are_paired():
  found = paired_difference({1: 0.5, 2: 0.9}, {2: 0.4, 3: 0.1})
  assert (found.num, found.mean) == (1, pytest.approx(0.5))
  assert found.standard_error is found.p_t is found.p_exact is None
  assert paired_difference({1: 0.5}, {2: 0.5}) is None


def test_differences_without_spread_have_no_t():
  found = paired_difference({1: 0.5, 2: 0.5}, {1: 0.25, 2: 0.25})
  assert (found.mean, found.standard_error, found.p_t) == (0.25, 0, None)


def test_ways_are_named_by_what_differs():
  plain = {
    "decoder": "dark",
    "flip_test": True,
    "box_source": "ground truth",
    "box_noise": 0.0,
    "scales": [1.0],
  }
  ways = [plain, plain | {"decoder": "argmax", "flip_test": False}]
  assert way_labels(ways) == ["dark, flip test", "argmax, no flip test"]
  moved = plain | {"box_noise": 0.1}
  assert way_labels([plain, moved]) == [
    "boxes moved by 0",
    "boxes moved by 0.1",
  ]
  assert way_labels([plain]) == [""]


def test_runs_are_read_from_what_an_evaluation_wrote(tmp_path):
  def measured(decoder, ap):
    return {
      "scores": {"AP": ap, "APL": None, "PCP_strict@0.5 upper arm": 0.1},
      "protocol": {
        **{"decoder": decoder, "flip_test": True, "scales": [1.0]},
        **{"box_source": "ground truth", "box_noise": 0.0},
        **{"checkpoint_step": 9, "num_parameters": 5},
      },
    }

  ways = {"ways": [measured("argmax", 0.25)]}
  metrics, log = tmp_path / "metrics.json", tmp_path / "metrics.jsonl"
  metrics.write_text(json.dumps(measured("dark", 0.5) | ways))
  log.write_text("")
  first, second = read_runs(metrics, log, "crf", 3)
  assert first == Run("crf", 3, "dark", {"AP": 0.5}, 9, 5, None)
  assert second == Run("crf", 3, "argmax", {"AP": 0.25}, 9, 5, None)


def test_table_compares_seed_by_seed_with_the_first_variant():
  runs = [
    make_run("none", 1, 0.40, people_per_second=30.0),
    make_run("none", 2, 0.60),
    make_run("crf", 1, 0.50),
    make_run("crf", 2, 0.62, people_per_second=None),
  ]
  none, crf = make_table(runs, ["none", "crf", "softmax"])
  assert none["people_per_second"] == 40
  assert crf["people_per_second"] == 50
  assert none["scores"]["AP"]["difference"] is None
  score = crf["scores"]["AP"]
  assert score["mean"] == pytest.approx(0.56)
  assert score["sd"] == pytest.approx(0.12 / math.sqrt(2))
  assert score["difference"]["mean"] == pytest.approx(0.06)
  assert score["difference"]["standard_error"] == pytest.approx(0.04)
  json.dumps(crf, allow_nan=False)


def test_table_compares_within_a_way_of_measuring():
  runs = [
    make_run(variant, seed, ap, way)
    for way, shift in (("dark", 0.2), ("argmax", 0.0))
    for variant, ap in (("none", 0.3 + shift), ("crf", 0.4 + shift))
    for seed in (1, 2)
  ]
  table = make_table(runs, ["none", "crf"])
  assert [(r["way"], r["variant"]) for r in table] == [
    *(("dark", "none"), ("dark", "crf")),
    *(("argmax", "none"), ("argmax", "crf")),
  ]
  for row in (table[1], table[3]):
    difference = row["scores"]["AP"]["difference"]
    assert difference["mean"] == pytest.approx(0.1)
  assert "| crf | argmax | 0.400 | 0.400 |" in to_markdown(
    table, ["none", "crf"]
  )


def test_markdown_shows_means_spreads_and_how_little_they_say():
  runs = [
    make_run(variant, seed, ap)
    for variant, values in (("none", (0.4, 0.5, 0.6)), ("crf", (0.5, 0.7, 0.9)))
    for seed, ap in enumerate(values, 1)
  ]
  text = to_markdown(make_table(runs, ["none", "crf"]), ["none", "crf"])
  assert "| none | 20 | 1,234 | 50 | 3 | 0.500 ± 0.100 |" in text
  assert (
    "| crf | 0.500 | 0.700 | 0.900 | 0.700 ± 0.200 | +0.200 ± 0.058 | 3 | "
    "0.074 | 0.25 |"
  ) in text
  assert "With 3 seeds p (signs) cannot be below 0.25" in text


def test_a_single_seed_concludes_nothing():
  runs = [make_run("none", 1, 0.4), make_run("crf", 1, None)]
  text = to_markdown(make_table(runs, ["none", "crf"]), ["none", "crf"])
  assert "nothing can be concluded" in text
  assert "| crf | – | – | – | – | – | – |" in text
  # Variants may be scored by different metrics.
  runs = [make_run("none", 1, 0.5), make_run("lsp", 1, 0.5)]
  runs[1] = dataclasses.replace(runs[1], scores={"PCK@0.2": 0.25})
  text = to_markdown(make_table(runs, ["none", "lsp"]), ["none", "lsp"])
  assert "## AP" in text and "## PCK@0.2" in text
  assert "| lsp | 0.250 | 0.250 | – | – | – | – |" in text
  assert to_markdown([], ["none"]) == "No run has finished.\n"


def test_what_only_other_variants_finished_is_shown_without_difference():
  (row,) = make_table([make_run("crf", 1, 0.4)], ["none", "crf"])
  assert row["scores"]["AP"]["difference"] is None
