"""What is said of the learning rate at a run's start."""

import importlib

import pytest

from launch.experiment import Plan, make_run_optimizer
from launch.learning_rate import describe_learning_rate
from launch.mistakes import ConfigError

PLACE = "--config.schedule.boundaries_steps places drops in steps"


def config_with(**changes):
  config = importlib.import_module("configs.coco_resnet50_256x192").get_config()
  config.schedule.update(changes)
  return config


def said_of(length, **changes):
  plan = Plan(length, steps_per_epoch=10, rows_per_process=1)
  return describe_learning_rate(config_with(**changes), plan)


def test_boundaries_in_epochs_are_told_in_steps():
  wanted = "learning rate 0.001, x 0.1 at steps 900 and 1200 of 1400"
  assert said_of(1400) == wanted


@pytest.mark.parametrize("by_hand", [{}, {"boundaries_steps": (900, 1000)}])
def test_a_rate_that_never_drops_is_told(by_hand):
  said = said_of(900, num_steps=900, **by_hand)
  assert said == (
    "learning rate 0.001, constant over 900 steps; it never drops, all "
    f"boundaries (the first at step 900) lie beyond the run: {PLACE}"
  )
  assert "never" not in said_of(901, num_steps=901, **by_hand)


def test_an_early_last_drop_is_told_where_the_length_was_set_by_hand():
  said = said_of(4000, num_steps=4000)
  assert said == (
    "learning rate 0.001, x 0.1 at steps 900 and 1200 of 4000; the last drop "
    f"comes after 30% of the run: {PLACE}"
  )
  assert ";" not in said_of(4000)  # so many epochs are as wanted
  assert ";" not in said_of(3000, num_steps=3000)
  assert ";" not in said_of(4000, num_steps=4000, boundaries_steps=(9,))


@pytest.mark.parametrize("name", ["cosine", "flat_cosine", "constant"])
def test_boundaries_of_other_schedules_count_for_nothing(name):
  assert ";" not in said_of(20, num_steps=20, name=name)


def test_a_warm_up_longer_than_the_epochs_is_a_mistake_of_the_config():
  with pytest.raises(ConfigError, match="--config.schedule.warmup_steps"):
    make_run_optimizer(config_with(warmup_steps=99), Plan(98, 10, 1))


def test_a_debug_run_drops_its_rate_within_its_two_steps():
  module = importlib.import_module("configs.coco_resnet50_256x192")
  plan = Plan(2, steps_per_epoch=3, rows_per_process=1)
  said = describe_learning_rate(module.get_config("debug"), plan)
  assert said == "learning rate 0.001, x 0.1 at step 1 of 2"
