"""What a report shows, as plain arrays."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Integer, UInt8

from pose_jax.pages import page
from pose_jax.skeleton import Skeleton


@dataclasses.dataclass(frozen=True, eq=False)
class Person:
  """One person of a picture, annotated and predicted, image pixels."""

  caption: str
  image: UInt8[np.ndarray, "H W 3"]
  box_xywh_img: Float[np.ndarray, "4"]
  kpts_xy_img: Float[np.ndarray, "K 2"]  # nan: no prediction
  true_xy_img: Float[np.ndarray, "K 2"]
  vis: Integer[np.ndarray, "K"]


@dataclasses.dataclass(frozen=True, eq=False)
class Findings:
  """Everything the report shows.

  Attributes:
    groups: name -> keypoints that are averaged (left and right).
    protocol: (what, how) pairs.
    scores: name -> value in [0, 1] or None.
    intervals: name -> (low, high), 95 % over resampled images; may be empty.
    ways: a heading and one row per measurement, if there are several.
    sections: further parts of the page.
    keypoints: rows with name, labelled and any of "PCK@..." and "similarity".
    seconds: stage -> wall seconds.
    precision, recall: name -> [R] precision, and the recall it is read at.
    pck, thresholds: name -> [T] PCK ("all" first), and its thresholds.
    num_without_reference: "PCK" or "PCKh" -> people that it leaves out.
    random, worst: people to draw.
    heatmaps: (caption, crop [H, W, 3], heatmaps [h, w, K]); None in place of
      heatmaps for networks that have none.
    attention: maps by name (draw_attention) of the people of `heatmaps`;
      empty for networks without attention.
    hm_from_crop: lays the heatmaps on the crops.
  """

  skeleton: Skeleton
  groups: Mapping[str, tuple[int, ...]]
  title: str
  protocol: tuple[tuple[str, str], ...]
  scores: Mapping[str, float | None]
  keypoints: tuple[dict[str, Any], ...]
  num_people: int
  num_images: int
  seconds: Mapping[str, float]
  precision: Mapping[str, Float[np.ndarray, "R"]]
  recall: Float[np.ndarray, "R"]
  pck: Mapping[str, Float[np.ndarray, "T"]]
  thresholds: Float[np.ndarray, "T"]
  intervals: Mapping[str, tuple[float, float]] = dataclasses.field(
    default_factory=dict
  )
  ways: Sequence[Sequence[str]] = ()
  sections: tuple[page.Section, ...] = ()
  num_without_reference: Mapping[str, int] = dataclasses.field(
    default_factory=dict
  )
  random: tuple[Person, ...] = ()
  worst: tuple[Person, ...] = ()
  heatmaps: tuple[tuple[str, np.ndarray, np.ndarray | None], ...] = ()
  attention: tuple[Mapping[str, np.ndarray], ...] = ()
  hm_from_crop: Float[np.ndarray, "2 3"] | None = None
