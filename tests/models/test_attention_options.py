"""Options of attention: what is accepted, and what is refused and why."""

import itertools

import pytest

from pose_jax.models.attention import (
  KINDS,
  NONE,
  AttentionOptions,
  make_attention,
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
