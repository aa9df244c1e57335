"""The loop: when it logs, saves, evaluates and stops."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from pose_jax import parallel
from pose_jax.train.checkpoint import Checkpoints
from pose_jax.train.logbook import Logbook, duration, write_json
from pose_jax.train.loop import LoopSettings, NonFiniteLossError, train
from pose_jax.train.state import init_state

SCHEDULE = optax.constant_schedule(0.1)


def step(state, batch, *, axis_name):
  """Adds the batch's mean to the parameter; the loss is that mean."""
  mean = jax.lax.pmean(batch["image"].mean(), axis_name)
  params = {"w": state.params["w"] + mean}
  # A gradient may overflow where the loss does not yet.
  metrics = {"loss": mean, "peak": mean * 0, "grad_norm": mean * 1e30}
  return state.replace(params=params, step=state.step + 1), metrics


class Run:
  """A training run on numbers, in a folder."""

  def __init__(self, folder, losses, **settings):
    self.evaluated, self.unscorable = [], ()
    self.losses = losses
    self.checkpoints = Checkpoints(folder / "checkpoints", best_metric="AP")
    self.logbook = Logbook(folder, num_steps=len(losses))
    every = dict(
      log_every_steps=1, checkpoint_every_steps=2, evaluate_every_steps=0
    )
    self.settings = LoopSettings(num_steps=len(losses), **every | settings)

  def evaluate(self, state, step):
    if step in self.unscorable:
      raise RuntimeError("a validation picture is broken")
    self.evaluated.append(step)
    return {"AP": 1 / step}

  def go(self, state=None, **options):
    if state is None:
      state = init_state(
        {"params": {"w": jnp.zeros(())}, "batch_stats": {}}, optax.sgd(0.1)
      )
    start = int(state.step)
    batches = (
      {"image": np.full((2, 1), loss, np.float32)}
      for loss in self.losses[start:]
    )
    try:
      return train(
        parallel.replicate(state),
        parallel.parallel_step(step),
        batches,
        self.settings,
        logbook=self.logbook,
        checkpoints=self.checkpoints,
        meta={"config": {}},
        evaluate=self.evaluate,
        learning_rate=SCHEDULE,
        **options,
      )
    finally:
      self.checkpoints.wait()
      self.logbook.close()


def lines(folder):
  text = (folder / "metrics.jsonl").read_text()
  return [json.loads(line) for line in text.splitlines()]


def test_all_steps_run_and_the_last_is_evaluated_and_saved(tmp_path):
  run = Run(tmp_path, [1.0, 2.0, 3.0, 4.0, 5.0])
  state = run.go()
  assert float(state.params["w"]) == 15
  assert run.evaluated == [5]
  assert run.checkpoints.resolve("latest") == 5
  assert [line["train/loss"] for line in lines(tmp_path)] == [1, 2, 3, 4, 5]


def test_evaluation_decides_which_checkpoint_is_best(tmp_path):
  run = Run(tmp_path, [1.0] * 6, evaluate_every_steps=2)
  run.go()
  assert run.evaluated == [2, 4, 6]
  assert run.checkpoints.resolve("best") == 2  # AP is 1 / step


def test_log_lines_carry_rates_and_learning_rate(tmp_path, capsys):
  Run(tmp_path, [1.0, 1.0]).go()
  line = lines(tmp_path)[-1]
  assert line["step"] == 2
  assert line["train/learning_rate"] == pytest.approx(0.1)
  assert line["train/people_per_second"] > 0
  assert 0 <= line["train/input_wait"] <= 1
  out = capsys.readouterr().out
  assert "step 2/2" in out and "people/s" in out and "left" in out


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_loss_names_the_step_and_keeps_the_good_one(tmp_path, bad):
  run = Run(tmp_path, [1.0, 1.0, 1.0, bad, 1.0, 1.0], log_every_steps=0)
  with pytest.raises(NonFiniteLossError, match="loss of step 4 is"):
    run.go()
  assert run.checkpoints.resolve("latest") == 2
  assert run.evaluated == []


def test_stopping_saves_and_the_run_goes_on_from_there(tmp_path):
  losses = [1.0, 2.0, 3.0, 4.0]
  first = Run(tmp_path, losses, checkpoint_every_steps=0)
  stopped = first.go(should_stop=lambda step: step == 3)
  assert int(stopped.step) == 3 and first.evaluated == []
  second = Run(tmp_path, losses, checkpoint_every_steps=0)
  like = jax.eval_shape(lambda: stopped)
  state, meta = second.checkpoints.restore(3, like)
  assert meta["step"] == 3
  assert float(second.go(state).params["w"]) == 10


def test_non_finite_gradient_of_a_finite_loss_stops_the_run(tmp_path):
  run = Run(tmp_path, [1.0, 1.0, 1.0, 1e20, 1.0, 1.0], log_every_steps=0)
  with pytest.raises(NonFiniteLossError, match="grad_norm of step 4"):
    run.go()
  assert run.checkpoints.resolve("latest") == 2


def test_state_that_cannot_be_scored_is_saved_all_the_same(tmp_path):
  run = Run(
    tmp_path,
    [1.0] * 4,
    checkpoint_every_steps=0,
    evaluate_every_steps=2,
  )
  run.unscorable = (2,)
  with pytest.raises(RuntimeError, match="broken"):
    run.go()
  assert run.checkpoints.resolve("latest") == 2
  assert not run.checkpoints.has_score(2)


def test_resumed_run_makes_up_for_a_score_that_is_missing(tmp_path):
  first = Run(tmp_path, [1.0] * 2)
  first.unscorable = (2,)
  with pytest.raises(RuntimeError):
    first.go()
  again = Run(tmp_path, [1.0] * 2)
  state, _ = again.checkpoints.restore(
    2,
    jax.eval_shape(
      lambda: init_state(
        {"params": {"w": jnp.zeros(())}, "batch_stats": {}}, optax.sgd(0.1)
      )
    ),
  )
  again.go(state)
  assert again.evaluated == [2]


def test_stopping_at_an_evaluation_step_still_evaluates(tmp_path):
  run = Run(tmp_path, [1.0] * 4, evaluate_every_steps=2)
  run.go(should_stop=lambda step: step == 2)
  assert run.evaluated == [2]
  assert run.checkpoints.resolve("best") == 2


def test_finished_run_has_nothing_to_do(tmp_path):
  run = Run(tmp_path, [1.0])
  done = run.go()
  again = Run(tmp_path, [1.0])
  again.go(jax.device_get(done))
  assert again.evaluated == []


@pytest.mark.parametrize(
  "seconds, text",
  [
    (0.4, "0 s"),
    (59, "59 s"),
    (61, "1 min 01 s"),
    (3600 * 2 + 660, "2 h 11 min"),
    (86400 * 4 + 3 * 3600, "4 d 03 h"),
  ],
)
def test_durations_read_like_speech(seconds, text):
  assert duration(seconds) == text


def test_json_files_appear_whole(tmp_path):
  path = tmp_path / "a.json"
  write_json(path, {"b": [1, 2]})
  assert json.loads(path.read_text()) == {"b": [1, 2]}
  assert list(tmp_path.iterdir()) == [path]


def test_scalars_without_a_value_are_left_out_and_nan_is_null(tmp_path):
  book = Logbook(tmp_path, num_steps=1)
  book.scalars(1, {"a": 1.0, "b": None, "c": float("nan")}, prefix="x")
  book.close()
  line = lines(tmp_path)[0]
  assert line["x/a"] == 1 and line["x/c"] is None and "x/b" not in line


def test_only_the_writer_writes(tmp_path, capsys):
  book = Logbook(tmp_path / "other", num_steps=1, is_writer=False)
  book.say("nothing")
  book.scalars(1, {"a": 1.0}, prefix="x")
  book.close()
  assert not (tmp_path / "other").exists()
  assert capsys.readouterr().out == ""
