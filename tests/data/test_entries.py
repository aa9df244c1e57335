import gc
import json
import pathlib

import numpy as np
import pytest

from pose_jax.data import entries
from pose_jax.data.images import DataError

PATH = pathlib.Path("file.json")


def rows(*values):
  return [{"id": 10 + i, "key": value} for i, value in enumerate(values)]


def message(call, *arguments):
  with pytest.raises(DataError) as caught:
    call(*arguments, PATH)
  return str(caught.value)


def test_columns_are_what_a_loop_would_read():
  rng = np.random.default_rng(0)
  wanted = rng.normal(size=(50, 3))
  lists = [[float(x), int(y), float(z)] for x, y, z in wanted]
  read = entries.vectors(rows(*lists), "box", "key", 3, PATH)
  for i in range(50):
    assert read[i].tolist() == lists[i]
  numbers = entries.numbers(rows(1, 2.5, -3), "box", "key", PATH)
  np.testing.assert_array_equal(numbers, [1, 2.5, -3])
  ends = (2**63 - 1, -(2**63), True)
  assert entries.ints(rows(*ends), "box", "key", PATH).tolist() == list(ends)
  assert entries.texts(rows("a", ""), "box", "key", PATH) == ("a", "")


def test_no_entries_are_empty_columns():
  assert entries.vectors([], "box", "key", 4, PATH).shape == (0, 4)
  assert entries.numbers([], "box", "key", PATH).shape == (0,)
  assert entries.ints([], "box", "key", PATH).dtype == np.int64
  assert entries.texts([], "box", "key", PATH) == ()


@pytest.mark.parametrize(
  "value,wanted",
  [
    (2**63, f"has key {2**63}, wanted a whole number"),
    (-(2**63) - 1, "wanted a whole number"),
    (1.0, "has key 1.0, wanted a whole number"),
    ("1", "has key '1', wanted a whole number"),
    (None, "has key None, wanted a whole number"),
  ],
)
def test_what_is_no_whole_number_is_named(value, wanted):
  text = message(entries.ints, rows(1, 2, value), "box", "key")
  assert text.startswith("file.json: box 12 ") and wanted in text


@pytest.mark.parametrize(
  "value,wanted",
  [
    ("1", "has key '1', wanted a number"),
    (True, "has key True, wanted a number"),
    ([1.0], "has key [1.0], wanted a number"),
    (10**400, "wanted a number"),
    (float("nan"), "has key nan, wanted a finite number"),
    (float("-inf"), "has key -inf, wanted a finite number"),
  ],
)
def test_what_is_no_number_is_named(value, wanted):
  text = message(entries.numbers, rows(1, 2.5, value), "box", "key")
  assert text.startswith("file.json: box 12 ") and wanted in text


@pytest.mark.parametrize(
  "value,wanted",
  [
    ([1], "has 1 numbers in key, wanted 2"),
    ([1, 2, 3], "has 3 numbers in key, wanted 2"),
    ("12", "has 1 numbers in key, wanted 2"),
    ([1, "2"], "has key [1, '2'], wanted numbers"),
    ([1, [2]], "has key [1, [2]], wanted numbers"),
    ([1, True], "has key [1, True], wanted numbers"),
    ([1, 10**400], "wanted numbers"),
    ([1, float("nan")], "has key [1, nan], wanted finite numbers"),
  ],
)
def test_what_is_no_vector_is_named(value, wanted):
  text = message(
    entries.vectors, rows([1, 2], [3, 4.5], value), "box", "key", 2
  )
  assert text.startswith("file.json: box 12 ") and wanted in text


def test_entries_without_the_key_or_an_id_are_named_by_place():
  good = {"key": 1}
  for bad in ({}, 17, "key", None, []):
    text = message(entries.ints, [good, bad], "box", "key")
    assert text == "file.json: box entry 1 has no 'key'"
  text = message(entries.texts, [{"key": 1}], "image", "key")
  assert text == "file.json: image entry 0 has key 1, wanted a text"


def test_files_of_any_json_encoding_are_read(tmp_path):
  content = {"names": ["Jürgen", "山田"], "n": [1, 2.5]}
  for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
    path = tmp_path / f"{encoding}.json"
    path.write_text(json.dumps(content, ensure_ascii=False), encoding)
    assert entries.load(path, "file") == content
  (tmp_path / "latin.json").write_bytes('"Jürgen"'.encode("latin-1"))
  with pytest.raises(DataError, match="latin.json is no valid JSON: .*decode"):
    entries.load(tmp_path / "latin.json", "file")


def test_the_collector_is_left_as_it_was():
  with pytest.raises(KeyError), entries.collector_off():
    assert not gc.isenabled()
    raise KeyError
  assert gc.isenabled()
  gc.disable()
  try:
    with entries.collector_off():
      pass
    assert not gc.isenabled()
  finally:
    gc.enable()
