"""Options of attention: what is accepted, and what is refused and why."""

import dataclasses
import itertools

import pytest

from pose_jax.models.attention_options import (
  KINDS,
  NONE,
  AttentionOptions,
  describe,
  make_attention,
  without_effect,
)


def test_options_are_those_given_and_the_rest_off():
  assert make_attention(num_levels=1) == NONE == AttentionOptions()
  options = make_attention(
    {"holistic": "crf", "refined": "softmax", "part": "crf", "levels": 4},
    num_levels=4,
  )
  assert options == AttentionOptions(
    holistic="crf", refined="softmax", part="crf", levels=4
  )


def test_a_kind_alone_is_no_section(no_annotation_checks):
  with pytest.raises(ValueError, match="must be a section .* got 'crf'"):
    make_attention("crf", num_levels=1)


@pytest.mark.parametrize("kind", KINDS)
def test_combinations_that_make_sense_are_accepted(kind):
  for refined, part in itertools.product(KINDS, KINDS):
    if kind == "none" != refined or kind == refined == "transformer":
      continue
    values = dict(holistic=kind, refined=refined, part=part)
    made = make_attention(values, num_levels=3)
    assert made == AttentionOptions(**values)


@pytest.mark.parametrize(
  ("options", "sentence"),
  [
    ({"holistc": "crf"}, "no option 'holistc' .its options: holistic, refin"),
    ({"part": "crfs"}, "part must be one of none, softmax, .* got 'crfs'"),
    ({"holistic": "Crf"}, "holistic must be one of"),
    ({"refined": "sum"}, "refined must be one of"),
    ({"crf_start": "zero"}, "crf_start must be one of unary_conv, sigmoid_un"),
    ({"crf_kernel_size": 4}, "crf_kernel_size must be odd, .* got 4"),
    ({"crf_kernel_size": 17}, "from 1 to 15, got 17"),
    ({"summary_size": 0}, "summary_size must be odd"),
    ({"levels": -1}, "levels must be at least 0, got -1"),
    ({"crf_steps": 0}, "crf_steps must be at least 1, got 0"),
    ({"gaussian_count": -2}, "gaussian_count must be at least 0, got -2"),
    ({"gaussian_grid": 0}, "gaussian_grid must be at least 1"),
    ({"transformer_grid": 0}, "transformer_grid must be at least 1"),
    ({"crf_damping": 1.0}, "from 0 to below 1 .at 1 nothing .* got 1.0"),
    ({"crf_damping": -0.1}, "crf_damping must be from 0"),
    ({"holistic": "crf", "levels": 4}, "levels is 4, but .* pyramid has 3"),
    ({"part": "crf", "levels": 1}, "levels is 1, but attention.holistic, "),
    ({"refined": "crf"}, "refined is 'crf' without attention.holistic: the"),
    (
      {"refined": "transformer", "holistic": "transformer"},
      "two affine maps in a row are one",
    ),
  ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(options, sentence):
  with pytest.raises(ValueError, match=sentence):
    make_attention(options, num_levels=3)


@pytest.mark.parametrize(
  ("options", "sentence"),
  [
    ({"crf_steps": "3"}, "crf_steps must be a whole number, like 3, got '3'"),
    ({"crf_steps": 2.5}, "crf_steps must be a whole number, like 3, got 2.5"),
    ({"levels": True}, "levels must be a whole number, like 0, got True"),
    ({"crf_kernel_size": None}, "crf_kernel_size must be a whole number"),
    ({"crf_damping": "0.5"}, "crf_damping must be a number, like 0.0, got '0"),
    ({"crf_damping": False}, "crf_damping must be a number, .* got False"),
    ({"crf_bias": 1}, "crf_bias must be True or False, like True, got 1"),
    ({"part": 3}, "part must be a text, like 'none', got 3"),
    ({"crf_start": None}, "crf_start must be a text, like 'unary_conv', got N"),
  ],
)
def test_values_of_a_wrong_type_are_refused_in_a_sentence(options, sentence):
  with pytest.raises(ValueError, match=f"^attention.{sentence}"):
    make_attention(options, num_levels=3)


def test_a_whole_number_passes_as_damping():
  assert make_attention({"crf_damping": 0}, num_levels=1) == NONE


@pytest.mark.parametrize(
  ("options", "words"),
  [
    ({}, ""),
    ({"crf_steps": 5}, ""),
    (
      {"holistic": "crf", "part": "softmax", "crf_kernel_size": 7},
      "holistic crf (kernel 7, 3 steps), part softmax",
    ),
    (
      {"holistic": "crf", "part": "crf", "crf_steps": 1, "levels": 2},
      "holistic crf (2 finest levels, kernel 3, 1 step), part crf",
    ),
    (
      {"part": "crf", "crf_start": "sigmoid_unary", "crf_shared": True},
      "part crf (kernel 3, 3 steps, start=sigmoid_unary, shared=True)",
    ),
    (
      {"holistic": "softmax", "levels": 1, "summary_size": 5, "part": "crf"},
      "holistic softmax (1 finest level, summary_size=5), "
      "part crf (kernel 3, 3 steps, summary_size=5)",
    ),
    (
      {"holistic": "gaussian", "gaussian_grid": 4, "part": "transformer"},
      "holistic gaussian (grid=4), part transformer",
    ),
  ],
)
def test_attention_is_told_in_words(options, words):
  assert describe(make_attention(options, num_levels=3)) == words


def test_other_attention_has_other_words():
  """Two networks of different attention never look the same in a protocol."""
  differing = dict(
    summary_size=5,
    crf_kernel_size=5,
    crf_steps=5,
    crf_start="sigmoid_unary",
    crf_keep_unary=False,
    crf_bias=False,
    crf_damping=0.5,
    crf_shared=True,
    crf_separable=True,
    crf_constant_memory=True,
    gaussian_count=5,
    gaussian_grid=5,
    transformer_grid=5,
    levels=2,
  )
  fields = {field.name for field in dataclasses.fields(AttentionOptions)}
  assert set(differing) == fields - {"holistic", "refined", "part"}
  base = AttentionOptions("crf", "gaussian", "transformer")
  texts = {describe(base)}
  for name, value in differing.items():
    texts.add(describe(dataclasses.replace(base, **{name: value})))
  assert len(texts) == 1 + len(differing)


@pytest.mark.parametrize(
  ("options", "sentence"),
  [
    ({}, ""),
    ({"holistic": "crf", "crf_steps": 5}, ""),
    ({"part": "softmax", "summary_size": 5}, ""),
    ({"crf_steps": 5}, "crf_steps=5 has no effect, as no place is 'crf'"),
    (
      {"part": "softmax", "crf_steps": 5, "crf_damping": 0.5},
      "crf_steps=5, crf_damping=0.5 have no effect, as no place is 'crf'",
    ),
    (
      {"part": "gaussian", "summary_size": 5, "transformer_grid": 2},
      "summary_size=5 has no effect, as no place is 'softmax' or 'crf'; "
      "transformer_grid=2 has no effect, as no place is 'transformer'",
    ),
    (
      {"part": "crf", "gaussian_count": 1},
      "gaussian_count=1 has no effect, as no place is 'gaussian'",
    ),
    (
      {"holistic": "crf", "crf_steps": 1, "crf_damping": 0.5},
      "crf_damping=0.5 has no effect, as the one step starts from the unary "
      "map, which is no map to keep",
    ),
    (
      {"holistic": "crf", "crf_shared": True},
      "crf_shared=True has no effect, as only part maps are several",
    ),
    ({"part": "crf", "crf_shared": True}, ""),
  ],
)
def test_options_without_effect_are_named(options, sentence):
  assert without_effect(make_attention(options, num_levels=3)) == sentence
