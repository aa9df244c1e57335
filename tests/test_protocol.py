"""Tests of protocol.py."""

import dataclasses
import json

import pytest

from pose_jax import protocol
from pose_jax.protocol import Protocol

FULL = Protocol(
  dataset="coco",
  split="val2017",
  box_source="detections.json",
  box_file_sha256="abcdef0123456789",
  flip_test=True,
  flip_shift=1,
  scales=(0.8, 1.0),
  alignment="corner",
  codec="unbiased",
  sigma_hm=2.0,
  decoder="dark",
  blur_kernel=11,
  nms="none",
  pck_variant="torso",
  checkpoint_step=1234,
  num_parameters=34_000_000,
  code_version="0.1",
  network="pose_resnet50",
  attention="part crf (kernel 7, 3 steps)",
  plug_in="PoseReNet (mean, se)",
  weights="started from start.pth, sha256 0123456789ab",
  crop_hw=(256, 192),
)


def test_one_line_says_everything():
  line = FULL.describe()
  assert "\n" not in line
  for part in (
    *("coco val2017", "detections.json", "abcdef012345", "on (shift 1)"),
    *("0.8 1", "corner", "unbiased", "sigma 2", "dark", "kernel 11", "none"),
    *("torso", "1234", "34.00 M", "0.1", "pose_resnet50", "256x192"),
  ):
    assert part in line, part


def test_dictionary_survives_json():
  assert FULL.to_dict()["scales"] == [0.8, 1.0]  # what JSON gives back
  text = json.dumps(FULL.to_dict(), allow_nan=False)
  assert protocol.from_dict(json.loads(text)) == FULL


def test_attention_and_plug_in_are_rows_where_there_is_any():
  assert ("attention", "part crf (kernel 7, 3 steps)") in FULL.rows()
  assert ("plug-in", "PoseReNet (mean, se)") in FULL.rows()
  assert ("weights", FULL.weights) in FULL.rows()
  plain = dataclasses.replace(FULL, attention="", plug_in="", weights="")
  assert "weights" not in plain.describe()
  assert "attention" not in plain.describe()
  assert "plug-in" not in plain.describe()


def test_a_stretched_box_is_in_the_row_of_the_input():
  assert ("input", "256x192") in FULL.rows()
  stretched = dataclasses.replace(FULL, stretched=True)
  assert ("input", "256x192, box stretched") in stretched.rows()


def test_a_threshold_of_presence_is_told():
  assert "absent" not in dict(FULL.rows())
  said = dataclasses.replace(FULL, presence_threshold=0.25)
  assert ("absent", "below 0.25 of presence") in said.rows()


def test_a_protocol_written_before_a_field_existed_is_read():
  values = FULL.to_dict()
  del values["attention"]
  del values["plug_in"]
  del values["stretched"]
  del values["coordinate_loss"]
  del values["presence_threshold"]
  before = protocol.from_dict(values)
  assert before == dataclasses.replace(FULL, attention="", plug_in="")


def test_every_field_is_in_the_dictionary():
  names = {f.name for f in dataclasses.fields(Protocol)}
  assert set(FULL.to_dict()) == names


def test_unknown_is_said_not_left_out():
  line = Protocol(
    dataset="coco",
    split="minival",
    box_source="a results file",
    flip_test=None,
    flip_shift=None,
    alignment=None,
    codec=None,
    sigma_hm=None,
    decoder=None,
    scales=None,
  ).describe()
  _, _, unknown = line.partition(protocol.UNKNOWN)
  for name in ("flip test", "alignment", "decoder", "scales", "step"):
    assert name in unknown


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"box_source": ""}, "box_source must say"),
    ({"flip_shift": None}, "flip_shift must be stated"),
    ({"blur_kernel": None}, "needs blur_kernel"),
    ({"decoder": "weighted"}, "needs decoder_n"),
  ],
)
def test_contradictions_are_refused(changes, message):
  with pytest.raises(ValueError, match=message):
    dataclasses.replace(FULL, **changes)


def test_regressed_coordinates_are_what_was_learnt_and_is_not_decoded():
  regressed = dataclasses.replace(
    FULL,
    codec="coordinates",
    sigma_hm=None,
    coordinate_loss="smooth_l1",
    decoder="coordinates",
    blur_kernel=None,
    flip_shift=0,
  )
  rows = dict(regressed.rows())
  assert rows["targets"] == "coordinates (smooth_l1)"
  assert rows["decoder"] == "coordinates" and rows["flip test"] == "on"
  assert protocol.UNKNOWN not in {rows[name] for name in ("targets", "decoder")}
  assert protocol.from_dict(regressed.to_dict()) == regressed
  for changes, message in (
    ({"decoder": "argmax"}, "'coordinates' and decoder 'argmax' contradict"),
    ({"codec": "unbiased"}, "'unbiased' and decoder 'coordinates' contradict"),
    ({"coordinate_loss": ""}, "needs coordinate_loss to be stated"),
  ):
    with pytest.raises(ValueError, match=message):
      dataclasses.replace(regressed, **changes)


def test_wrong_keys_are_named():
  values = FULL.to_dict()
  del values["decoder"]
  values["colour"] = 1
  with pytest.raises(ValueError, match="unknown: colour; missing: decoder"):
    protocol.from_dict(values)


def test_weighted_decoder_states_its_window():
  weighted = dataclasses.replace(FULL, decoder="weighted", decoder_n=20)
  assert "weighted (n 20, whole map)" in weighted.describe()
  windowed = dataclasses.replace(weighted, decoder_window=7)
  assert "weighted (n 20, window 7)" in windowed.describe()


def test_nothing_is_claimed_of_a_file_of_predictions():
  line = protocol.unknown("coco", "val", predictions="theirs").describe()
  assert "predictions: theirs" in line
  _, _, unknown = line.rpartition(protocol.UNKNOWN)
  for name in ("flip test", "decoder", "scales", "NMS", "network", "code"):
    assert name in unknown


def test_who_was_measured_is_said():
  line = protocol.unknown(
    "coco",
    "val",
    predictions="theirs",
    num_people=6352,
    num_images=5000,
    annotations_sha256="0123456789abcdef",
    area_source="annotated",
  ).describe()
  assert "people 6,352 in 5,000 pictures (annotations 0123456789ab)" in line
  assert "person's area annotated" in line
