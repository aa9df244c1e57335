"""Compiled programs, timed side by side."""

import time

import jax


def compiled(function, *arguments, **options):
  """Returns the compiled function and the seconds it took."""
  start = time.perf_counter()
  program = jax.jit(function, **options).lower(*arguments).compile()
  return program, time.perf_counter() - start


def temporary_megabytes(program):
  """What it needs besides arguments and results."""
  return program.memory_analysis().temp_size_in_bytes / 1e6


def best_seconds(calls, options):
  """Best time of each call; they take turns.

  Args:
    calls: functions without arguments, by name.
    options: `repeats`, and `processor_time`: of all processors, not the clock.
  """
  clock = time.process_time if options.processor_time else time.perf_counter
  best = dict.fromkeys(calls, float("inf"))
  for _ in range(options.repeats):
    for name, call in calls.items():
      start = clock()
      jax.block_until_ready(call())
      best[name] = min(best[name], clock() - start)
  return best
