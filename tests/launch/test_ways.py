"""Tests of launch/ways.py: what an eval section means, on drawn people."""

import importlib
import json

import numpy as np
import pytest

from launch.check import check_config
from launch.experiment import make_experiment, open_part
from launch.measure import make_protocol, weights_in_words
from launch.ways import make_plan
from pose_jax.eval.predictions import NOBODY


def _config(pictures, **settings):
  config = importlib.import_module("configs.quickstart").get_config("debug")
  config.data.eval.update(
    name="coco",
    root=str(pictures),
    annotations="annotations.json",
    images="images",
  )
  sweep = settings.pop("sweep", {})
  config.eval.update(settings)
  config.eval.sweep.update(sweep)
  check_config(config, parts=("eval",))
  return config


@pytest.fixture
def plan_of(pictures, tmp_path):
  """Settings of config.eval -> the data set and its plan."""

  def make(**settings):
    experiment = make_experiment(_config(pictures, **settings))
    dataset = open_part(experiment, "eval", tmp_path)
    protocol = make_protocol(experiment, dataset, 7)
    return experiment, dataset, make_plan(experiment, dataset, protocol)

  return make


def test_combinations_share_ways_of_testing_and_the_own_one_is_first(plan_of):
  _, dataset, plan = plan_of(
    decoder="weighted",
    flip_test=False,
    weighted_n=9,
    scales=(1.0,),
    sweep={
      "decoder": ("dark", "weighted"),
      "flip_test": (True, False),
      "scales": ((0.8, 1.0),),
      "boxes": ("moved_0.1",),
    },
  )
  assert len(plan.ways) == 8 and len(plan.measurements) == 16
  first = plan.measurements[0].protocol
  assert (first.decoder, first.decoder_n, first.flip_test) == (
    *("weighted", 9, False),
  )
  assert first.blur_kernel is None and first.scales == (1.0,)
  told = {json.dumps(m.protocol.to_dict()) for m in plan.measurements}
  assert len(told) == 16
  for measurement in plan.measurements:
    protocol, way = measurement.protocol, plan.ways[measurement.way]
    assert way.scales == protocol.scales
    assert way.flip_test == protocol.flip_test
    assert way.decoder.func.__name__ == protocol.decoder
    assert (protocol.blur_kernel is None) == (protocol.decoder != "dark")
    assert protocol.box_noise == (0, 0.1)[measurement.origin]
    assert ("moved by 0.1" in protocol.box_source) == measurement.origin
  num = len(dataset.people.usable())
  assert np.bincount(plan.boxes.origin).tolist() == [num, num]


def test_boxes_of_annotated_people_say_whose_they_are(plan_of):
  _, dataset, plan = plan_of(sweep={"boxes": ("moved_0.2",)})
  usable = dataset.people.usable()
  for origin in (0, 1):
    mine = plan.boxes.origin == origin
    ids = plan.boxes.person_ids[mine]
    assert sorted(ids) == sorted(usable.person_ids)
    rows = [usable.person_ids.tolist().index(i) for i in ids]
    np.testing.assert_array_equal(
      plan.boxes.image_ids[mine], usable.image_ids[usable.image_index[rows]]
    )
    is_same = plan.crops.box_xywh_img[mine] == usable.box_xywh_img[rows]
    assert is_same.all() == (origin == 0)


def test_a_detectors_boxes_are_nobodys_and_measured_by_what_allows_it(
  plan_of, pictures, tmp_path
):
  path = tmp_path / "theirs.json"
  truth = json.loads((pictures / "annotations.json").read_text())
  image_id = truth["images"][2]["id"]  # none in the other images
  box = {"category_id": 1, "bbox": [3.0, 4.0, 20.0, 30.0], "score": 0.25}
  path.write_text(json.dumps([{"image_id": image_id, **box}]))
  _, _, plan = plan_of(
    boxes=str(path),
    metrics=("coco", "pcp"),
    sweep={"boxes": ("ground_truth",)},
  )
  theirs, truth = plan.measurements
  assert (theirs.metrics, truth.metrics) == (("coco",), ("coco", "pcp"))
  mine = plan.boxes.origin == theirs.origin
  assert plan.boxes.person_ids[mine].tolist() == [NOBODY]
  assert plan.boxes.image_ids[mine].tolist() == [image_id]
  assert plan.boxes.score[mine].tolist() == [0.25]
  assert plan.boxes.area[mine].tolist() == [600]
  assert NOBODY not in plan.boxes.person_ids[~mine]
  assert len(theirs.protocol.box_file_sha256) == 64
  assert truth.protocol.box_file_sha256 == ""
  assert any("1 boxes from detections theirs.json" in n for n in plan.notes)


def test_suppression_takes_the_area_of_the_box_or_of_what_is_cropped(plan_of):
  areas = {}
  for is_padded in (False, True):
    experiment, _, plan = plan_of(nms="oks", nms_padded_area=is_padded)
    areas[is_padded] = plan.boxes.area
    (measurement,) = plan.measurements
    assert measurement.suppression == "oks"
    wanted = "padded box" if is_padded else "box"
    assert measurement.protocol.nms == f"oks 0.9 (area of the {wanted})"
  (x, y, w, h) = plan.crops.box_xywh_img.astype(float).T
  crop_h, crop_w = experiment.frames.crop_hw
  width = np.maximum(w, h * crop_w / crop_h)
  padded = width * width * crop_h / crop_w * experiment.frames.padding**2
  np.testing.assert_allclose(areas[False], w * h)
  np.testing.assert_allclose(areas[True], padded)


def test_the_networks_attention_is_in_the_protocol(pictures, tmp_path):
  config = _config(pictures)
  config.model.attention.update(holistic="softmax")
  experiment = make_experiment(config)
  dataset = open_part(experiment, "eval", tmp_path)
  protocol = make_protocol(experiment, dataset, 7)
  assert protocol.attention == "holistic softmax"
  assert protocol.plug_in == ""
  config.model.poserenet.update(aggregation="mean", decode="lifted")
  protocol = make_protocol(make_experiment(config), dataset, 7)
  assert protocol.plug_in == "PoseReNet (mean, se, decode=lifted)"


def test_stretched_boxes_are_cropped_measured_and_told(pictures, tmp_path):
  config = _config(pictures, nms="oks", nms_padded_area=True)
  config.data.keep_aspect = False
  check_config(config, parts=("eval",))
  experiment = make_experiment(config)
  dataset = open_part(experiment, "eval", tmp_path)
  protocol = make_protocol(experiment, dataset, 7)
  height, width = config.data.crop_hw
  assert dict(protocol.rows())["input"] == f"{height}x{width}, box stretched"
  plan = make_plan(experiment, dataset, protocol)
  (_, _, w, h) = plan.crops.box_xywh_img.astype(float).T
  np.testing.assert_allclose(plan.boxes.area, w * h * config.data.padding**2)


def test_a_protocol_names_the_weights_that_a_run_began_with():
  origin = {
    "weights": "some/folder/net.pth",
    "format": "zip",
    "part": "all",
    "sha256": "0123456789abcdef",
  }
  known = "net.pth, sha256 0123456789ab"
  assert weights_in_words(origin, 0) == known
  assert weights_in_words(origin, 5) == f"started from {known}"
  of_run = origin | {"weights": "w/checkpoints/7", "format": "mine, step 7"}
  assert weights_in_words(of_run, 5) == (
    "started from the run mine, step 7, sha256 0123456789ab"
  )
  assert weights_in_words(None, 5) == ""
