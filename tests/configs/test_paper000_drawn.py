"""The comparison on drawn people: variants differ in attention alone."""

import pytest

from configs import quickstart
from configs.paper000 import drawn
from launch.check import check_config

KINDS = ("softmax", "gaussian", "transformer", "crf")


def without_attention(config):
  plain = config.to_dict()
  attention = plain["model"].pop("attention")
  plain.pop("name")
  return plain, attention


def flat(tree, path=""):
  if not isinstance(tree, dict):
    return {path: tree}
  items = [flat(value, f"{path}.{key}") for key, value in tree.items()]
  return {key: value for item in items for key, value in item.items()}


def test_it_is_the_quick_start_trained_for_less_time():
  ours = flat(drawn.get_config().to_dict())
  theirs = flat(quickstart.get_config().to_dict())
  differences = {k: (ours[k], theirs[k]) for k in ours if ours[k] != theirs[k]}
  roots = "runs/attention/drawn", "runs/quickstart/drawn"
  assert differences == {
    ".name": ("paper000/drawn", "quickstart"),
    ".data.train.root": roots,
    ".data.eval.root": roots,
    ".optimizer.learning_rate": (3e-3, 1e-2),
    ".schedule.num_steps": (2000, 6200),
    ".schedule.warmup_steps": (100, 200),
    ".checkpoint.every_steps": (500, 1000),
    ".eval.metrics": (("coco", "pck"), ("coco",)),
    ".log.every_steps": (200, 310),
  }
  assert theirs[".model.width"] == 16 and theirs[".data.crop_hw"] == (128, 96)
  assert theirs[".loss.sigma_hm"] == 1.0 and theirs[".eval.blur_kernel"] == 3
  assert theirs[".schedule.batch_size"] == 16


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
    field = {"crf_kernel_size": 7, "crf_start": "sigmoid_unary"}
    options = places | (field if kind == "crf" else {})
    assert without_attention(config) == (base, none | options)
