"""The comparison on drawn people: variants differ in attention alone."""

import pytest

from configs.paper000 import drawn
from launch.check import check_config

KINDS = ("softmax", "gaussian", "transformer", "crf")


def without_attention(config):
  plain = config.to_dict()
  attention = plain["model"].pop("attention")
  plain.pop("name")
  return plain, attention


@pytest.mark.parametrize("kind", KINDS)
def test_variants_differ_in_attention_alone(kind):
  base, none = without_attention(drawn.get_config())
  assert (none["holistic"], none["refined"], none["part"]) == ("none",) * 3
  for suffix, places in (
    ("holistic", {"holistic": kind}),
    ("part", {"part": kind}),
    ("both", {"holistic": kind, "part": kind}),
  ):
    config = drawn.get_config(f"{kind}_{suffix}")
    check_config(config)
    assert config.name == f"paper000/drawn_{kind}_{suffix}"
    assert without_attention(config) == (base, none | places)
