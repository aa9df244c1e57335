"""What is accepted, but hardly meant, is said."""

import importlib

import pytest
from ml_collections import ConfigDict

from launch.experiment import make_experiment
from launch.worth_a_word import alignment_notes, training_notes

UDP = (
  "data.alignment is 'udp' but {}: UDP's rows set loss.unbiased=True and "
  "eval.decoder=dark (variant :udp)"
)


def quickstart():
  return importlib.import_module("configs.quickstart").get_config("debug")


def test_a_config_that_is_meant_has_no_notes():
  config = quickstart()
  assert not list(training_notes(make_experiment(config)))
  assert not list(alignment_notes(config, quickstart()))


@pytest.mark.parametrize(
  ("unbiased", "decoder", "why"),
  [
    (False, "dark", "loss.unbiased is False"),
    (True, "quarter", "eval.decoder is 'quarter'"),
    (
      *(False, "weighted"),
      "loss.unbiased is False and eval.decoder is 'weighted'",
    ),
  ],
)
def test_an_alignment_without_what_belongs_to_it_is_said(
  unbiased, decoder, why
):
  config = quickstart()
  config.data.alignment = "udp"
  config.loss.unbiased, config.eval.decoder = unbiased, decoder
  assert list(alignment_notes(config)) == [UDP.format(why)]
  assert list(training_notes(make_experiment(config))) == [UDP.format(why)]
  config.data.alignment = "unit"
  assert "DARK's rows" in next(alignment_notes(config))
  config.data.alignment = "corner"
  assert not list(alignment_notes(config))


def test_an_alignment_that_was_not_learnt_is_said():
  config = quickstart()
  config.data.alignment = "corner"
  (note,) = alignment_notes(config, quickstart())
  assert note == (
    "data.alignment is 'corner' but the run was trained with 'unit': its "
    "keypoints come out displaced"
  )


def test_a_stretch_that_was_not_learnt_is_said():
  config = quickstart()
  config.data.keep_aspect = False
  (note,) = alignment_notes(config, quickstart())
  assert note.startswith(
    "data.keep_aspect is False but the run was trained with True: it sees"
  )


def test_options_of_what_is_not_there_are_said():
  config = quickstart()
  config.model.poserenet.decode = "lifted"
  config.model.attention.crf_steps = 5
  config.loss.update(link_weight=0.5, link_sigma_hm=2.0, lifted_weight=3.0)
  assert list(training_notes(make_experiment(config))) == [
    "attention: crf_steps=5 has no effect, as no place is 'crf'",
    "poserenet: decode=lifted has no effect, as aggregation is 'none'",
    "loss: link_weight=0.5, link_sigma_hm=2.0 have no effect, as no links are "
    "predicted: they need model.skeletal=True",
    "loss: lifted_weight=3.0 has no effect, as there are no lifted maps: they "
    "need model.poserenet.aggregation=mean",
  ]


def test_losses_of_heads_that_are_not_there_are_said():
  config = quickstart()
  config.loss.update(coordinates="l1", presence_weight=2.0)
  assert list(training_notes(make_experiment(config))) == [
    "loss: coordinates=l1 has no effect, as no coordinates are regressed: they "
    "need model.soft_argmax=True or a network without heatmaps",
    "loss: presence_weight=2.0 has no effect, as the network does not say "
    "presence: it needs model.presence=True",
  ]
  config.model.presence = config.model.soft_argmax = True
  config.eval.decoder = "coordinates"
  (note,) = training_notes(make_experiment(config))
  assert note.startswith(
    "loss: sigma_hm=1.0, unbiased=True have no effect, as "
  )


def test_options_of_what_is_there_are_not():
  config = quickstart()
  with config.unlocked():
    plug_in = config.model.poserenet
    plug_in.update(aggregation="mean", decode="lifted")
    config.model = ConfigDict(
      dict(name="hrnet", width=8, skeletal=True, poserenet=plug_in)
    )
  config.loss.update(link_weight=0.5, lifted_weight=3.0)
  assert not list(training_notes(make_experiment(config)))
