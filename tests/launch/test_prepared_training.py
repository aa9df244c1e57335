"""Each shared set prepared, then trained on and evaluated: as the raw form.

In one process and with a small network, so that all sets take a minute;
test_prepare.py types the commands.
"""

import dataclasses

import jax
import pytest

from configs import quickstart
from launch.check import check_config
from launch.experiment import (
  fingerprint,
  make_experiment,
  make_plan,
  make_run_optimizer,
  make_step,
  make_training_batches,
  open_part,
)
from launch.measure import make_evaluator
from pose_jax import parallel
from pose_jax.data.builders import write_prepared
from pose_jax.data.datasets import DATASETS, prepared_as
from pose_jax.data.mixture import member_sections
from pose_jax.skeleton import SKELETONS
from pose_jax.train.state import init_state, init_variables

pytestmark = pytest.mark.slow

COCO = dict(name="coco", images="coco/images")
# Skeleton, train and eval section; LSP and LSP-extended go in one pass.
SETS = {
  "leeds": (
    "lsp14",
    dict(name="lsp+lspet", split="train"),
    dict(name="lsp+lspet", split="test+val"),
  ),
  "coco": (
    "coco17",
    COCO
    | dict(
      split="minitrain", annotations="coco/person_keypoints_minitrain.json"
    ),
    COCO
    | dict(split="minival", annotations="coco/person_keypoints_minival.json"),
  ),
  "mpii": (
    "mpii16",
    dict(name="mpii", split="train"),
    dict(name="mpii", split="valid"),
  ),
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, shared_data):
  """All shared sets, as launch.prepare writes them."""
  data_dir = tmp_path_factory.mktemp("prepared")
  for skeleton, *sections in SETS.values():
    for joined in sections:
      for section in member_sections(joined | {"root": str(shared_data)}):
        raw = DATASETS[section["name"]](section, SKELETONS[skeleton])
        wanted = prepared_as(section)
        write_prepared(raw, data_dir, wanted.split, options=wanted.options)
  return data_dir


@pytest.fixture(scope="module", autouse=True)
def compiled_once(tmp_path_factory):
  """The second of two equal runs compiles nothing."""
  options = {
    "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("compiled")),
    "jax_persistent_cache_min_compile_time_secs": 0,
  }
  before = {name: getattr(jax.config, name) for name in options}
  for name, value in options.items():
    jax.config.update(name, value)
  yield
  for name, value in before.items():
    jax.config.update(name, value)


def config_of(name, where):
  """The quick start's, tiny, on a set found at `where`."""
  config = quickstart.get_config("debug")
  with config.unlocked():
    config.data.skeleton, train, validation = SETS[name]
    config.data.train.update(**(train | where))
    config.data.eval.update(**(validation | where))
    config.data.crop_hw = (64, 64)
    config.schedule.batch_size = 16
    config.eval.update(
      batch_size=128,
      metrics=("coco",),
      flip_test=False,
      decoder="argmax",
      bootstrap_samples=0,
    )
  check_config(config)
  return config


def trained(experiment, state, step, workdir):
  """Two steps: people, losses and what the evaluation found."""
  training = open_part(experiment, "train", workdir)
  validation = open_part(experiment, "eval", workdir)
  plan = make_plan(experiment.config, training)
  losses = []
  for batch in make_training_batches(experiment, training, plan, 0):
    state, metrics = step(state, parallel.shard(batch))
    losses.append([float(leaf) for leaf in jax.tree.leaves(metrics)])
  evaluator = make_evaluator(experiment, validation, num_parameters=0)
  (found,) = evaluator.run(state.variables, step=2)
  return fingerprint(training.people), losses, found


@pytest.mark.parametrize("name", SETS)
def test_predictions_are_the_same_raw_and_prepared(
  tmp_path, name, shared_data, prepared
):
  config = config_of(name, {"root": str(shared_data)})
  raw = make_experiment(config)
  other = config_of(name, {"root": None, "data_dir": str(prepared)})
  same = dataclasses.replace(raw, config=other)
  plan = make_plan(config, open_part(raw, "train", tmp_path))
  optimizer, _ = make_run_optimizer(config, plan)
  variables = init_variables(raw.model, (64, 64), config.seed)
  state = jax.device_get(init_state(variables, optimizer))
  step = parallel.parallel_step(make_step(raw, optimizer))
  (people, losses, found), (people_again, losses_again, found_again) = (
    trained(experiment, parallel.replicate(state), step, tmp_path)
    for experiment in (raw, same)
  )
  assert people == people_again
  assert len(losses) == 2 and losses == losses_again
  num = {"leeds": 2000, "coco": 158, "mpii": 179}[name]
  assert len(found.predictions) == num
  assert found.predictions == found_again.predictions
  assert found.scores == found_again.scores
  # The checkout may change while the test runs.
  version = found.protocol.code_version
  assert found.protocol == dataclasses.replace(
    found_again.protocol, code_version=version
  )
