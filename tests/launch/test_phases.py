"""Runs of two phases: what stays, what goes on, what is said."""

import re
import signal
import time

import numpy as np
import orbax.checkpoint as ocp
import pytest
from commands import HASTY, run, sentence, start

from configs import base, coco_deeppose_resnet50_256x192, quickstart
from configs.paper004 import baseline1, drawn
from launch.check import check_config
from launch.experiment import Plan, make_experiment
from launch.mistakes import ConfigError
from launch.phases import (
  check_optimizers,
  has_second,
  make_phases,
  phase_of,
  second_config,
)
from launch.stop_request import StopRequest
from pose_jax import parallel
from pose_jax.train.training_log import read_log

# A trunk with batch norm, two steps of presence and six of coordinates.
TWO_PHASES = (
  "--config=configs/paper004/vgg.py:debug",
  "--config.model.use_batch_norm=True",
  "--config.second_phase.schedule.num_steps=6",
  "--config.checkpoint.keep_latest=9",
  "--config.eval.metrics=('presence','located')",
  "--config.eval.bootstrap_samples=0",
)


def two_phases(**second):
  config = baseline1.get_config("debug")
  with config.unlocked():
    config.second_phase.schedule.update(num_steps=3, **second)
  return config


def test_phases_follow_one_another():
  experiment = make_experiment(two_phases())
  first, second = make_phases(experiment, Plan(2, 10, 4))
  assert (first.start, first.end, second.start, second.end) == (0, 2, 2, 5)
  # Nothing but the weight penalty would move it, down to 0.
  assert first.experiment.config.optimizer.frozen == ("coordinate_head",)
  assert second.experiment.config.optimizer.frozen == (
    *("backbone", "shared", "presence_head"),
  )
  loss = second.experiment.config.loss
  assert (loss.presence_weight, loss.coordinates_weight) == (0, 1)
  assert second.experiment.config.schedule.batch_size == 4
  assert [phase_of((first, second), n).start for n in range(6)] == (
    [0, 0, 0, 2, 2, 2]
  )


def test_epochs_of_the_second_phase_are_counted_in_steps_of_the_run():
  config = two_phases()
  with config.unlocked():
    config.second_phase.schedule.update(num_steps=0, num_epochs=7)
  _, second = make_phases(make_experiment(config), Plan(2, 10, 4))
  assert second.plan.num_steps == 70


def test_a_run_has_one_phase_unless_asked():
  config = base.get_config()
  assert not has_second(config)
  plan = Plan(2, 1, 4)
  (only,) = make_phases(make_experiment(config), plan)
  assert only.plan == plan and only.title == ""


def test_the_second_config_leaves_the_first_alone():
  config = two_phases()
  before = config.to_json_best_effort()
  assert second_config(config).loss.coordinates_weight == 1
  assert config.to_json_best_effort() == before


@pytest.mark.parametrize(
  "path, value, message",
  [
    ("optimizer.frozen", ("bakbone",), "second_phase.optimizer.frozen names"),
    ("loss.coordinates_weight", 0.0, "nothing of this network is trained"),
    ("optimizer.name", "adm", "second_phase.optimizer.name is 'adm'"),
    ("schedule.warmup_steps", 9, "second_phase: a warm-up of 9 steps"),
    ("optimizer.learning_rate", 0.0, "second_phase.optimizer.learning_rate"),
    ("optimizer.b1", 1.5, "second_phase.optimizer.b1 is 1.5"),
    ("schedule.factor", -1.0, "second_phase.schedule.factor is -1.0"),
    ("optimizer.frozen", (3,), "second_phase.optimizer.frozen is (3,)"),
    ("optimizer.frozen", (), "would move presence_head, down to 0"),
  ],
)
def test_mistakes_of_the_second_phase_are_told_by_their_keys(
  path, value, message
):
  config = two_phases()
  with config.unlocked():
    config.second_phase.update_from_flattened_dict({path: value})
  with pytest.raises(ConfigError, match=re.escape(message)):
    check_config(config)


def test_a_head_that_only_the_penalty_would_move_must_be_frozen():
  config = two_phases()
  with config.unlocked():
    config.optimizer.frozen = ()
  with pytest.raises(ConfigError, match="move coordinate_head, down to 0"):
    check_config(config)


def test_presence_alone_is_trained_with_a_place_to_report():
  config = two_phases()
  with config.unlocked():
    config.model.coordinate_layers = None
    config.optimizer.frozen = config.second_phase.optimizer.frozen = ()
    config.loss.weight_penalty = 0.0
    config.second_phase.loss.presence_weight = 1.0
  with pytest.raises(ConfigError, match="set model.coordinate_layers=()"):
    check_config(config)


@pytest.mark.parametrize("name", ["presence_ece", "presence_majority"])
def test_the_best_checkpoint_has_most_of_something_good(name):
  config = two_phases()
  with config.unlocked():
    config.checkpoint.best_metric = name
  with pytest.raises(ConfigError, match="checkpoint.best_metric is"):
    check_config(config)


def test_a_warm_up_that_does_not_fit_is_told_before_the_first_phase():
  config = two_phases()
  with config.unlocked():
    config.second_phase.schedule.update(num_steps=0, num_epochs=1)
    config.second_phase.schedule.warmup_steps = 11
  phases = make_phases(make_experiment(config), Plan(2, 10, 4))
  said = "second_phase: schedule: a warm-up of 11 steps .*config.second_phase"
  with pytest.raises(ConfigError, match=said):
    check_optimizers(phases)


def test_a_step_beyond_the_run_is_of_its_last_phase():
  phases = make_phases(make_experiment(two_phases()), Plan(2, 10, 4))
  assert phase_of(phases, 9) is phases[-1]


@pytest.mark.parametrize("weight", ["presence_weight", "coordinates_weight"])
def test_heads_of_any_network_must_be_trained_or_frozen(weight):
  config = quickstart.get_config("debug")
  config.model.presence = weight == "presence_weight"
  config.model.soft_argmax = weight == "coordinates_weight"
  config.loss.update({weight: 0.0, "weight_penalty": 1e-4})
  if config.model.soft_argmax:
    config.eval.decoder = "coordinates"
    message = (
      "with loss.coordinates_weight at 0 nothing .* trained: set it above"
    )
  else:
    message = "would move presence, down to 0: add it to optimizer.frozen"
  with pytest.raises(ConfigError, match=message):
    check_config(config)
  if config.model.presence:
    config.optimizer.frozen = ("presence",)
    check_config(config)


@pytest.mark.parametrize(
  "key", ["loss.weight_penalty", "optimizer.weight_decay"]
)
def test_what_soft_argmax_reads_must_be_trained_or_frozen(key):
  config = quickstart.get_config("debug")
  config.model.update(presence=True, soft_argmax=True)
  config.eval.decoder = "coordinates"
  config.optimizer.name = "rmsprop"
  config.loss.coordinates_weight = 0.0
  check_config(config)
  config.update_from_flattened_dict({key: 1e-4})
  message = f"nothing but {key} would move what model.soft_argmax reads"
  with pytest.raises(ConfigError, match=message):
    check_config(config)
  config.optimizer.frozen = ("base",)
  check_config(config)


def test_the_flow_must_be_trained_or_frozen():
  config = coco_deeppose_resnet50_256x192.get_config("rle")
  config.data.train.root = config.data.eval.root = "COCO"
  config.model.presence_layers = ()
  config.loss.update(coordinates_weight=0.0, weight_penalty=1e-4)
  config.optimizer.frozen = ("coordinate_head",)
  with pytest.raises(ConfigError, match="would move flow, down to 0"):
    check_config(config)
  config.optimizer.frozen = ("coordinate_head", "flow")
  check_config(config)


def test_a_cascades_coordinates_must_be_trained_or_frozen():
  config = drawn.get_config("cascade")
  config.model.presence_layers = ()
  check_config(config)
  config.loss.update(coordinates_weight=0.0, weight_penalty=1e-4)
  with pytest.raises(ConfigError) as refused:
    check_config(config)
  for module in ("stage1/coordinate_head", "stage2"):
    assert f"would move {module}, down to 0" in str(refused.value)


def test_deviations_that_nothing_is_learnt_of_are_refused():
  config = coco_deeppose_resnet50_256x192.get_config("debug")
  with config.unlocked():
    config.model.with_sigmas = True
  with pytest.raises(ConfigError, match="of which model.with_sigmas learns"):
    check_config(config)


def test_a_request_to_stop_outlives_the_phase_that_it_came_in(monkeypatch):
  monkeypatch.setattr(parallel, "process", lambda: (0, 2))
  monkeypatch.setattr(parallel, "preempted", lambda step: step == 4)
  stop = StopRequest()
  assert [stop(step) for step in (3, 4, 5)] == [False, True, True]
  assert stop.asked


def variables(workdir, step):
  with ocp.PyTreeCheckpointer() as reader:
    state = reader.restore(workdir / "checkpoints" / str(step) / "state")
  return {part: state[part] for part in ("params", "batch_stats", "opt_state")}


def bits(tree):
  if isinstance(tree, dict):
    return [b for key in sorted(tree) for b in bits(tree[key])]
  if isinstance(tree, list | tuple):
    return [b for item in tree for b in bits(item)]
  return [] if tree is None else [np.asarray(tree).tobytes()]


@pytest.mark.slow
def test_a_frozen_trunk_keeps_its_bits_and_a_killed_run_ends_the_same(
  tmp_path, environment
):
  environment = environment | {"XLA_FLAGS": HASTY}
  whole, killed = tmp_path / "whole", tmp_path / "killed"
  out = run("train", *TWO_PHASES, f"--workdir={whole}", environment=environment)
  assert "second phase, steps 2 to 8" in out and "step 8/8" in out
  assert "stays as it is: backbone, shared, presence_head" in out
  log = read_log(whole / "metrics.jsonl")
  phases = {n["step"]: n["train/phase"] for n in log if "train/loss" in n}
  assert phases[2] == 1 and phases[8] == 2
  first, before, after = (variables(whole, step) for step in (1, 2, 8))
  head = "coordinate_head"  # which waits
  assert bits(first["params"][head]) == bits(before["params"][head])
  for name in ("backbone", "shared", "presence_head"):
    assert bits(before["params"][name]) == bits(after["params"][name]), name
  assert bits(before["batch_stats"]) == bits(after["batch_stats"])
  assert len(bits(before["batch_stats"])) == 26  # of VGG-16's convolutions
  assert bits(before["params"][head]) != bits(after["params"][head])

  arguments = (*TWO_PHASES, f"--workdir={killed}")
  process = start("train", *arguments, environment=environment)
  deadline = time.monotonic() + 300
  while not (killed / "checkpoints" / "4").exists():  # inside phase two
    assert process.poll() is None, process.communicate()
    assert time.monotonic() < deadline
    time.sleep(0.002)
  process.send_signal(signal.SIGKILL)
  process.communicate()
  assert not (killed / "checkpoints" / "8").exists(), "it was killed too late"
  out = run("train", *arguments, environment=environment)
  assert re.search(r"steps [4-7] to 8\b", out), "it did not go on"
  assert bits(variables(killed, 8)) == bits(after)

  changed = "--config.second_phase.optimizer.learning_rate=0.5"
  said = sentence("train", *arguments, changed, environment=environment)
  assert "second_phase.optimizer.learning_rate" in said
