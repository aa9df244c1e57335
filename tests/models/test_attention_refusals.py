"""What PoseHead and Attention refuse, in sentences."""

import jax
import jax.numpy as jnp
import pytest

from pose_jax.models.attention import Attention, PoseHead
from pose_jax.models.attention_options import KINDS, NONE, AttentionOptions

SIZES = ((3, 2), (6, 4), (12, 8))


def levels_of(sizes):
  return [jnp.ones((1, *size, 3)) for size in sizes]


def shape_of(levels, options=NONE):
  head = PoseHead(2, options)
  (heatmaps, _), _ = jax.eval_shape(
    head.init_with_output, jax.random.key(0), levels
  )
  return heatmaps.shape


@pytest.mark.parametrize("place", ["holistic", "part"])
@pytest.mark.parametrize("kind", KINDS)
def test_levels_of_other_sizes_are_refused_of_every_kind(kind, place):
  options = AttentionOptions(**{place: kind})
  for sizes, sentence in (
    (((3, 2), (5, 4), (12, 8)), r"of \(3, 2\) cannot be enlarged to \(5, 4\)"),
    (((6, 4), (12, 7)), r"of \(6, 4\) cannot be enlarged to \(12, 7\)"),
    (((6, 4), (18, 8)), r"of \(6, 4\) cannot be enlarged to \(18, 8\)"),
    (SIZES[::-1], r"of \(12, 8\) cannot be .* levels go from coarse to fine"),
    # Multiples of both, but not in order.
    (((6, 4), (3, 2), (12, 8)), r"of \(6, 4\) cannot be enlarged to \(3, 2\)"),
  ):
    with pytest.raises(ValueError, match=sentence):
      shape_of(levels_of(sizes), options)
  assert shape_of(levels_of(SIZES), options) == (1, 12, 8, 2)
  assert shape_of(levels_of([(6, 4), (6, 4)]), options) == (1, 6, 4, 2)


@pytest.mark.usefixtures("no_annotation_checks")
def test_what_is_no_list_of_levels_is_refused():
  level = levels_of(SIZES[:1])[0]
  for wrong, sentence in (
    (level, "wanted a list of levels .* got one .*: put a single level into"),
    ([], r"wanted one level .* got shapes \[\]"),
    ([level[0]], r"wanted one level .* got shapes \[\(3, 2, 3\)\]"),
  ):
    with pytest.raises(ValueError, match=sentence):
      PoseHead(2).init(jax.random.key(0), wrong)


@pytest.mark.parametrize(
  ("options", "sentence"),
  [
    (dict(holistic="crfs"), "holistic must be one of none, .* got 'crfs'"),
    (dict(part="Softmax"), "part must be one of none, .* got 'Softmax'"),
    (dict(holistic="crf", levels=7), "levels is 7, but .* pyramid has 3"),
    (dict(holistic="crf", levels=-1), "levels must be at least 0, got -1"),
    (dict(part="crf", crf_steps=0), "crf_steps must be at least 1, got 0"),
  ],
)
def test_options_made_without_their_checks_are_checked(options, sentence):
  with pytest.raises(ValueError, match=f"^attention.{sentence}"):
    shape_of(levels_of(SIZES), AttentionOptions(**options))


@pytest.mark.parametrize("kind", ["none", "crfs"])
def test_a_kind_that_does_not_exist_is_no_random_field(kind):
  place = Attention(kind, 1, NONE)
  with pytest.raises(ValueError, match=f"one of softmax, .*, got '{kind}'"):
    place.init(jax.random.key(0), levels_of(SIZES))
