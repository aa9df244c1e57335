"""What PoseReNet's options refuse, and how they are told."""

import pytest
from ml_collections import ConfigDict

from pose_jax.models import make_model
from pose_jax.models.poserenet_options import (
  PoseReNetOptions,
  describe,
  make_poserenet,
)
from pose_jax.skeleton import COCO17


@pytest.mark.parametrize(
  ("options", "sentence"),
  [
    (
      dict(aggregation="max"),
      "poserenet.aggregation must be one of none, mean, sum, learned, got 'max",
    ),
    (dict(aggregation=None), "aggregation must be one of none, .* got None"),
    (dict(channel_attention="SE"), "must be one of se, eca, got 'SE'"),
    (dict(fusion="sum"), "poserenet.fusion must be one of pool, enlarge, got"),
    (dict(stages=2), "poserenet.stages must be one of last, all, got 2"),
    (dict(decode=""), "decode must be one of aggregate, lifted, got ''"),
    (dict(identity_init=1), "identity_init must be True or False, got 1"),
    (
      dict(identity_init=True, fusion="enlarge"),
      "identity_init is True, but fusion 'enlarge' smooths .* to False",
    ),
    (
      dict(agregation="mean"),
      "poserenet has no option 'agregation' .its options: aggregation, channel",
    ),
  ],
)
def test_wrong_options_are_told_in_a_sentence(options, sentence):
  for make in (
    make_poserenet,
    lambda o: make_model({"name": "hourglass", "poserenet": o}, COCO17),
  ):
    with pytest.raises(ValueError, match=f"^[^\n]*{sentence}[^\n]*$"):
      make(options)


def test_what_is_no_section_is_refused():
  with pytest.raises(ValueError, match="section of options, got 'mean': for"):
    make_poserenet("mean")


def test_a_section_may_be_left_out_or_be_a_configs():
  assert make_poserenet() == make_poserenet({}) == PoseReNetOptions()
  section = ConfigDict(dict(aggregation="sum"))
  assert make_poserenet(section).aggregation == "sum"


def test_the_plug_in_is_told_with_what_was_changed():
  assert describe(PoseReNetOptions()) == ""
  assert describe(PoseReNetOptions("mean")) == "PoseReNet (mean, se)"
  options = dict(aggregation="sum", channel_attention="eca", stages="all")
  assert describe(make_poserenet(options)) == "PoseReNet (sum, eca, stages=all)"
  options |= dict(fusion="enlarge", decode="lifted")
  assert describe(make_poserenet(options)) == (
    "PoseReNet (sum, eca, fusion=enlarge, stages=all, decode=lifted)"
  )
