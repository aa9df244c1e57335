"""What a file is the weights of, whatever config was given."""

import gzip
import json

import numpy as np
import pytest
from networks import TINY, random_variables

from pose_jax.weights import WeightsError, assemble, export, load
from pose_jax.weights.recognise import recognise

PUBLISHED = {
  "hrnet_w32": "hrnet (width 32), 17 keypoints",
  "pose_resnet50": "pose_resnet (depth 50), 17 keypoints",
  "pose_resnet18": "pose_resnet (depth 18), 17 keypoints",
  "hourglass_s2_b1": "hourglass (num_stacks 2), 16 keypoints",
}


def tiny(name, num_keypoints=5):
  model = {"name": name, **TINY[name]}
  return export(random_variables(model, num_keypoints), model)


def test_reference_networks_are_recognised_by_names_and_shapes(goldens):
  with gzip.open(goldens / "net_state_dicts.json.gz") as file:
    networks = json.load(file)
  assert set(networks) == set(PUBLISHED)
  for name, rows in networks.items():
    known = recognise({n: np.zeros(shape, np.int8) for n, shape, _ in rows})
    assert known.fits and known.describe() == PUBLISHED[name]


@pytest.mark.parametrize("name", TINY)
def test_what_is_recognised_is_a_config_that_loads(name):
  tensors = tiny(name)
  known = recognise(tensors)
  assert known.fits and known.num_keypoints == 5
  for key, value in TINY[name].items():
    assert known.model[key] == value
  load(tensors, known.model)


def classifier_of(name):
  """Backbone tensors alone, with torchvision's, or HRNet's, classifier."""
  heads = ("deconv_layers.", "final_layer.")
  tensors = {k: v for k, v in tiny(name).items() if not k.startswith(heads)}
  if name == "hrnet":
    for n in (1, 2, 3):  # one of what only its classifiers fuse
      tensors[f"stage4.0.fuse_layers.{n}.0.0.0.weight"] = np.zeros(3)
    tensors["incre_modules.0.0.conv1.weight"] = np.zeros((2, 2, 1, 1))
    tensors["final_layer.0.weight"] = np.zeros((7, 3, 1, 1))
  return tensors | {"fc.weight": np.zeros((9, 2)), "fc.bias": np.zeros(9)}


@pytest.mark.parametrize("name", ["pose_resnet", "hrnet"])
def test_a_classifier_is_a_backbone(name):
  known = recognise(classifier_of(name))
  assert known.fits and known.num_keypoints is None
  assert {"fc.weight", "fc.bias"} <= set(known.left_out)
  assert known.describe().startswith(f"the backbone of {name} (")
  assert "fc (2)" in known.describe()
  assert all(row.ours[0] == "backbone" for row in known.rows())


def test_a_deeper_network_is_not_taken_for_a_classifier():
  tensors = classifier_of("pose_resnet")
  tensors["layer3.2.conv1.weight"] = np.zeros((16, 16, 3, 3))
  known = recognise(tensors)
  assert not known.fits
  assert known.unexpected == ("layer3.2.conv1.weight",)
  assert known.problems() == "unexpected layer3.2.conv1.weight"


def test_the_nearest_network_of_a_broken_file_is_named():
  tensors = tiny("hrnet")
  del tensors["stage3.1.branches.0.0.bn1.bias"]
  tensors["layer1.1.conv1.weight"] = np.zeros((8, 32, 1, 2))
  known = recognise(tensors)
  assert known.model["name"] == "hrnet" and not known.fits
  assert known.problems() == (
    "missing stage3.1.branches.0.0.bn1.bias; of another shape "
    "layer1.1.conv1.weight"
  )


def test_something_else_is_nothing():
  assert recognise({"embedding.weight": np.zeros((3, 3))}) is None
  assert recognise({}) is None
  assert recognise({"conv1.weight": np.zeros(())}) is None


FOUND_BY = {  # names whose shapes or numbers the guesses read
  "pose_resnet": ("conv1.weight", "deconv_layers.3.weight"),
  "hourglass": ("fc.0.0.weight", "score.1.weight"),
  "hrnet": ("conv1.weight", "transition1.0.0.weight", "final_layer.weight"),
}


@pytest.mark.parametrize(
  ("name", "tensor"), [(n, t) for n, many in FOUND_BY.items() for t in many]
)
def test_single_numbers_in_place_of_arrays_are_no_network(name, tensor):
  tensors = tiny(name) | {tensor: np.zeros((), np.float32)}
  known = recognise(tensors)
  is_whole = known is not None and known.num_keypoints is not None
  assert not is_whole or not known.fits
  with pytest.raises(WeightsError, match=r"must have shape .* got \(\)"):
    load(tensors, {"name": name, **TINY[name]})


@pytest.mark.parametrize(
  "name", [f"{prefix}features.0.weight" for prefix in ("", "module.")]
)
@pytest.mark.parametrize("shape", [(), (0, 0, 3, 3), (0, 0, 11, 11)])
def test_a_first_convolution_without_channels_is_nothing(name, shape):
  assert recognise({name: np.zeros(shape, np.float32)}) is None


def many(text):
  return {text.format(n): np.zeros((), np.float32) for n in range(17)}


TOO_MANY = {
  "17 stacks": ("hourglass", "fc.{}.0.weight"),
  "17 blocks in a row": ("hourglass", "res.0.{}.bn1.weight"),
  "17 levels of an hourglass": ("hourglass", "hg.0.hg.{}.0.0.bn1.weight"),
  "17 modules in stage 3": ("hrnet", "stage3.{}.branches"),
  "18 blocks in a row": ("hrnet", "stage2.0.branches.0.1{}."),
}


@pytest.mark.parametrize("said", TOO_MANY)
def test_absurd_counts_of_names_are_refused_before_a_network_is_made(
  said, monkeypatch
):
  monkeypatch.setattr(assemble, "build", lambda *_: pytest.fail("was built"))
  name, text = TOO_MANY[said]
  with pytest.raises(WeightsError, match=f"a network with {said}: no known"):
    recognise(many(text) | tiny(name))


def test_absurdly_many_deconvolutions_are_refused():
  tensors = tiny("pose_resnet") | {
    f"deconv_layers.{3 * n}.weight": np.zeros((4, 4, 4, 4)) for n in range(17)
  }
  with pytest.raises(WeightsError, match="a network with 17 deconvolutions"):
    recognise(tensors)


def test_a_few_names_do_not_make_a_network_of_thousands(monkeypatch):
  monkeypatch.setattr(assemble, "build", lambda *_: pytest.fail("was built"))
  tensors = {"fc.0.0.weight": np.zeros((8, 8, 1, 1), np.float32)}
  for n in range(16):
    for text in (
      "fc.{}.0.bias",
      "res.0.{}.bn1.bias",
      "hg.0.hg.{}.0.0.bn1.bias",
    ):
      tensors[text.format(n)] = np.zeros(8, np.float32)
  assert recognise(tensors) is None


@pytest.mark.parametrize("prefix", ["module.", "mmpose"])
def test_wrappers_of_names_are_dropped(prefix):
  tensors = tiny("pose_resnet")
  wrapped = {
    (
      prefix + name
      if prefix == "module."
      else ("keypoint_head." if name[:2] in ("de", "fi") else "backbone.")
      + name
    ): value
    for name, value in tensors.items()
  }
  assert recognise(wrapped) == recognise(tensors)


def test_two_networks_in_one_file_are_refused():
  tensors = tiny("pose_resnet")
  tensors["module.conv1.weight"] = tensors["conv1.weight"]
  with pytest.raises(WeightsError, match="two tensors are called conv1.weight"):
    recognise(tensors)


def test_names_of_a_file_are_told_short_and_on_one_line():
  long, odd = "layer1." + "x" * 500, "layer1.\n\x1b[2J"
  known = recognise(tiny("pose_resnet") | {long: 0.0, odd: 0.0})
  said = known.problems()
  assert len(said) < 200 and said.isprintable()
  assert r"'layer1.\n\x1b[2J'" in said and "xxx...'" in said
  with pytest.raises(WeightsError, match=r"two tensors are called '\\n', the "):
    recognise({"\n": 0.0, "module.\n": 0.0})
  modules = {f"{n}\n.bias": 0.0 for n in range(40)}
  said = recognise(classifier_of("pose_resnet") | modules).describe()
  assert r"beside it fc (2), '0\n' (1), '1\n' (1), " in said
  assert said.endswith("(1), and 29 more modules") and said.isprintable()


def test_a_wrong_config_is_answered_with_what_the_file_holds():
  with pytest.raises(
    WeightsError, match=r"; the file holds pose_resnet \(depth 18, .*\), 5 key"
  ):
    load(tiny("pose_resnet"), {"name": "pose_resnet", "depth": 34})
  with pytest.raises(WeightsError, match=r"holds hourglass \(num_stacks 2, "):
    load(tiny("hourglass"), {"name": "pose_resnet", "depth": 34})


@pytest.mark.parametrize(
  ("value", "said"),
  [
    (np.nan, "holds NaN, infinity or"),
    (np.inf, "holds NaN, infinity or"),
    (1e39, "holds .* numbers too large for float32"),
    (-1e-9, "holds negative numbers, while it is a variance"),
  ],
)
def test_numbers_that_are_none_are_refused(value, said):
  tensors = tiny("pose_resnet")
  tensors["bn1.running_var"] = tensors["bn1.running_var"].astype(np.float64)
  tensors["bn1.running_var"][2] = value
  with pytest.raises(WeightsError, match=f"bn1.running_var {said}"):
    load(tensors, {"name": "pose_resnet", **TINY["pose_resnet"]})


def test_whole_numbers_are_no_weights():
  tensors = tiny("pose_resnet")
  tensors["bn1.bias"] = tensors["bn1.bias"].astype(np.int8)
  with pytest.raises(WeightsError, match="bn1.bias holds int8, wanted float"):
    load(tensors, {"name": "pose_resnet", **TINY["pose_resnet"]})
