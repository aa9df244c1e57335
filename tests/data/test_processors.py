"""Processors are counted where a process may use only some of them."""

import os

from pose_jax.data import builders, prefetch
from pose_jax.data.processors import num_processors


def test_only_processors_that_may_be_used_count(monkeypatch):
  monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 8})
  monkeypatch.setattr(os, "cpu_count", lambda: 64)
  assert num_processors() == 3
  monkeypatch.delattr(os, "sched_getaffinity")
  assert num_processors() == 64
  monkeypatch.setattr(os, "cpu_count", lambda: None)
  assert num_processors() == 1


def test_whoever_reads_images_counts_alike():
  assert builders.num_processors is prefetch.num_processors is num_processors
