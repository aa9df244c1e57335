"""Networks that regress coordinates or say presence: config to report."""

import importlib
import json

import jax
import numpy as np
import pytest

from launch import show_batch
from launch.check import ConfigError, check_config
from launch.experiment import make_experiment, open_part
from launch.measure import image_reader, make_evaluator, make_protocol
from launch.worth_a_word import alignment_notes
from pose_jax.eval import presence as presence_lib
from pose_jax.eval import record
from pose_jax.models import build, regresses, says_presence


def quickstart(pictures=None, **settings):
  config = importlib.import_module("configs.quickstart").get_config("debug")
  if pictures is not None:
    config.data.eval.update(
      name="coco",
      root=str(pictures),
      annotations="annotations.json",
      images="images",
    )
  config.eval.update(settings)
  return config


def test_a_network_says_which_kind_it_is(made_regressor):
  config = made_regressor(quickstart(), with_presence=False)
  model = build(config.model, 3)
  assert regresses(model) and not says_presence(model)
  assert says_presence(build(made_regressor(quickstart()).model, 3))
  plain = build(quickstart().model, 3)
  assert not regresses(plain) and not says_presence(plain)


@pytest.mark.parametrize(
  "of_regressor, settings, sentence",
  [
    (
      True,
      {"decoder": "dark"},
      "eval.decoder has dark, of heatmaps, and .* take .*decoder=coordinates",
    ),
    (
      *(True, {"sweep": {"decoder": ("dark", "argmax")}}),
      "eval.sweep.decoder has dark, argmax, of heatmaps, .*out of --sweep",
    ),
    (True, {"clip_negative": True}, "eval.clip_negative is True, .* regresses"),
    (
      *(False, {"decoder": "coordinates"}),
      "eval.decoder has coordinates, and the network gives heatmaps: take argm",
    ),
    (
      *(False, {"sweep": {"decoder": ("coordinates",)}}),
      "eval.sweep.decoder has coordinates, and the network gives heatmaps",
    ),
    (
      *(False, {"metrics": ("coco", "presence")}),
      "has presence, which the network does not say",
    ),
    (False, {"decoder": "coordinate"}, "did you mean coordinates"),
  ],
)
def test_what_a_network_cannot_do_is_a_sentence(
  made_regressor, of_regressor, settings, sentence
):
  config = quickstart()
  if of_regressor:
    made_regressor(config)
  config.eval.update(settings)
  with pytest.raises(ConfigError, match=sentence):
    check_config(config, parts=("eval",))


def test_what_it_can_do_is_accepted(made_regressor):
  config = made_regressor(
    quickstart(metrics=("coco", "presence"), scales=(0.8, 1.0))
  )
  config.eval.sweep.update(flip_test=(True, False), decoder=("coordinates",))
  check_config(config, parts=("eval",))
  config.data.alignment, config.loss.unbiased = "udp", False
  assert not list(alignment_notes(config))  # a heatmap decoder's rows


def test_a_file_can_be_scored_by_presence_whatever_the_network():
  config = quickstart(metrics=("coco", "presence"))
  check_config(config, parts=("eval",), with_network=False)


def test_the_protocol_says_coordinates_where_heatmaps_have_targets(
  made_regressor, pictures, tmp_path
):
  config = made_regressor(quickstart(pictures))
  config.loss.coordinates = "smooth_l1"
  experiment = make_experiment(config)
  assert experiment.frames.map_hw == experiment.frames.crop_hw
  np.testing.assert_allclose(
    experiment.frames.hm_from_crop, np.eye(2, 3), atol=1e-12
  )
  dataset = open_part(experiment, "eval", tmp_path)
  protocol = make_protocol(experiment, dataset, 7)
  assert protocol.sigma_hm is None
  rows = dict(protocol.rows())
  assert rows["targets"] == "coordinates (smooth_l1)"
  assert rows["flip test"] == "on"


def test_evaluation_writes_presence_and_a_report(
  made_regressor, pictures, tmp_path
):
  """Two ways in one pass; what the file holds is what the network says."""
  config = made_regressor(
    quickstart(
      pictures,
      metrics=("coco", "presence"),
      bootstrap_samples=0,
      diagnosis=False,
    )
  )
  config.eval.sweep.flip_test = (False,)
  check_config(config, parts=("eval",))
  experiment = make_experiment(config)
  dataset = open_part(experiment, "eval", tmp_path)
  evaluator = make_evaluator(experiment, dataset, num_parameters=7)
  images = np.zeros((1, *config.data.crop_hw, 3), np.float32)
  variables = experiment.model.init(jax.random.key(0), images)
  found = evaluator.run(variables, step=3)
  assert [f.protocol.flip_test for f in found] == [True, False]
  assert {f.protocol.decoder for f in found} == {"coordinates"}
  record.write(
    found,
    tmp_path / "report",
    read_image=image_reader(dataset),
    hm_from_crop=experiment.frames.hm_from_crop,
  )
  page = (tmp_path / "report/report.html").read_text()
  assert "Heatmaps" not in page and "coordinates (l2)" in page
  entries = json.loads((tmp_path / "report/predictions.json").read_text())
  assert len(entries) == len(dataset.people.usable())
  for entry in entries:
    presence = np.array(entry["presence"])
    assert 0 < presence.min() and presence.max() < 1
    score = np.reshape(entry["keypoints"], (-1, 3))[:, 2]
    threshold = config.eval.presence_threshold
    np.testing.assert_array_equal(
      score, np.where(presence >= threshold, presence, 0)
    )
  assert set(presence_lib.NAMES) <= set(found[0].scores)


def test_a_batch_to_train_on_has_no_targets_to_show(
  made_regressor, monkeypatch, tmp_path
):
  said = []
  strip = show_batch.text_strip
  monkeypatch.setattr(
    show_batch, "text_strip", lambda t, w: said.append(t) or strip(t, w)
  )
  experiment = make_experiment(made_regressor(quickstart()))
  dataset = open_part(experiment, "train", tmp_path)
  sheet = show_batch.make_sheet(experiment, dataset, step=0, num_people=1)
  assert said == ["without augmentation", "network input"]
  assert sheet.shape[1] == 2 * 192 + 4
