"""Optimisers and learning-rate schedules, by name (optax)."""

from collections.abc import Callable, Sequence

import optax

Schedule = Callable[[int], float]


def _step(learning_rate, num_steps, boundaries_steps, factor):
  return optax.piecewise_constant_schedule(
    learning_rate, {step: factor for step in boundaries_steps}
  )


def _cosine(learning_rate, num_steps, boundaries_steps, factor):
  return optax.cosine_decay_schedule(learning_rate, num_steps)


def _flat_cosine(learning_rate, num_steps, boundaries_steps, factor):
  half = num_steps // 2
  fall = optax.cosine_decay_schedule(
    learning_rate, max(1, num_steps - half), alpha=factor
  )
  flat = optax.constant_schedule(learning_rate)
  return optax.join_schedules([flat, fall], [half])


def _constant(learning_rate, num_steps, boundaries_steps, factor):
  return optax.constant_schedule(learning_rate)


SCHEDULES = {
  "step": _step,
  "cosine": _cosine,
  "flat_cosine": _flat_cosine,
  "constant": _constant,
}


def make_schedule(
  name: str,
  *,
  learning_rate: float | int,
  num_steps: int,
  boundaries_steps: Sequence[int] = (),
  factor: float | int = 0.1,
  warmup_steps: int = 0,
) -> Schedule:
  """Learning rate as a function of the number of updates done.

  Args:
    name: "step" (times `factor` at each boundary), "cosine" (to 0 at
      `num_steps`), "flat_cosine" (flat for half of the run, then a cosine to
      `factor` times the rate, as RTMPose) or "constant".
    learning_rate: its value after the warm-up.
    num_steps: length of the run.
    boundaries_steps: for "step"; counted from the start of the run.
    warmup_steps: linear rise from 0; boundaries do not move.
  Raises:
    ValueError: on an unknown name or a warm-up longer than the run.
  """
  if name not in SCHEDULES:
    raise ValueError(f"schedule {name!r} is none of {', '.join(SCHEDULES)}")
  if warmup_steps > num_steps:
    raise ValueError(
      f"a warm-up of {warmup_steps} steps does not fit in a run of "
      f"{num_steps}: shorten --config.schedule.warmup_steps, or lengthen the "
      "run"
    )
  after = SCHEDULES[name](learning_rate, num_steps, boundaries_steps, factor)
  if not warmup_steps:
    return after
  rise = optax.linear_schedule(0.0, learning_rate, warmup_steps)
  # join_schedules restarts the second one at its boundary: undo that.
  return optax.join_schedules(
    [rise, lambda count: after(count + warmup_steps)], [warmup_steps]
  )


def describe_schedule(
  name: str,
  *,
  learning_rate: float | int,
  num_steps: int,
  boundaries_steps: Sequence[int] = (),
  factor: float | int = 0.1,
  warmup_steps: int = 0,
) -> str:
  """What `make_schedule` gives, in words; a drop beyond the run is none."""
  drops = [str(n) for n in sorted(set(boundaries_steps)) if n < num_steps]
  over = f"over {num_steps} steps"
  if name == "step" and drops:
    *first, last = drops
    at = f"steps {', '.join(first)} and {last}" if first else f"step {last}"
    then = f"x {factor:g} at {at} of {num_steps}"
  elif name == "cosine":
    then = f"cosine to 0 {over}"
  elif name == "flat_cosine":
    then = f"flat for half, then cosine to {factor * learning_rate:g} {over}"
  else:
    then = f"constant {over}"
  warmup = f", warm-up {warmup_steps}" if warmup_steps else ""
  return f"learning rate {learning_rate:g}, {then}{warmup}"


def _adam(schedule, *, weight_decay, momentum, b1, b2, eps):
  if weight_decay:
    raise ValueError(
      f"adam has no weight decay (got {weight_decay}): use adamw, or set it "
      "to 0 as the published runs in effect did"
    )
  return optax.adam(schedule, b1=b1, b2=b2, eps=eps)


def _adamw(schedule, *, weight_decay, momentum, b1, b2, eps):
  return optax.adamw(schedule, b1=b1, b2=b2, eps=eps, weight_decay=weight_decay)


def _sgd(schedule, *, weight_decay, momentum, b1, b2, eps):
  return optax.chain(
    optax.add_decayed_weights(weight_decay),
    optax.sgd(schedule, momentum=momentum or None),
  )


def _rmsprop(schedule, *, weight_decay, momentum, b1, b2, eps):
  # As Torch: epsilon is added to the root, the average starts from 0, and
  # b2 is its decay.
  return optax.chain(
    optax.add_decayed_weights(weight_decay),
    optax.rmsprop(
      schedule,
      decay=b2,
      eps=eps,
      eps_in_sqrt=False,
      initial_scale=0.0,
      momentum=momentum or None,
    ),
  )


OPTIMIZERS = {
  "adam": _adam,
  "adamw": _adamw,
  "sgd": _sgd,
  "rmsprop": _rmsprop,
}


def make_optimizer(
  name: str,
  schedule: Schedule,
  *,
  weight_decay: float | int = 0.0,
  momentum: float | int = 0.0,
  b1: float | int = 0.9,
  b2: float | int = 0.999,
  eps: float | int = 1e-8,
  clip_norm: float | int = 0.0,
) -> optax.GradientTransformation:
  """Optimiser by name, with optional clipping of the global gradient norm.

  Args:
    name: "adam", "adamw", "sgd" or "rmsprop".
    weight_decay: decoupled for adamw, added to the gradient for sgd and
      rmsprop (torch's L2), refused for adam.
    momentum: sgd, rmsprop.  b1, b2, eps: adam, adamw; b2, eps: rmsprop.
    clip_norm: 0 turns clipping off.
  Raises:
    ValueError: on an unknown name, or weight decay with adam.
  """
  if name not in OPTIMIZERS:
    raise ValueError(f"optimizer {name!r} is none of {', '.join(OPTIMIZERS)}")
  optimizer = OPTIMIZERS[name](
    schedule,
    weight_decay=weight_decay,
    momentum=momentum,
    b1=b1,
    b2=b2,
    eps=eps,
  )
  if clip_norm:
    return optax.chain(optax.clip_by_global_norm(clip_norm), optimizer)
  return optimizer
