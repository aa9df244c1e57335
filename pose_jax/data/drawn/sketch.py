"""Collects the pieces of one drawn person in space and projects them.

A piece is a hull of balls fixed to bones, in view coordinates and heights of
the person (`pose`); a part (`paint`) is its picture.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from pose_jax.data.drawn.body import Body
from pose_jax.data.drawn.clothes import RGB, Cloth, Outfit
from pose_jax.data.drawn.paint import Material, Part
from pose_jax.data.drawn.pose import Frame, Number

_NOTHING: frozenset[int] = frozenset()

# Balls (x, y, z, radius) by the frame that they are fixed to.
Groups = Sequence[tuple[str, Sequence[Sequence[Number]]]]


def plain(color: RGB) -> Cloth:
  """Cloth of one colour."""
  return Cloth(color)


def facing(frame: Frame) -> float:
  """How much a part's front is turned to the viewer, -1 (back) to 1."""
  return float(frame.axes[2, 2])


@dataclasses.dataclass(frozen=True)
class _Piece:
  """A part in space; `axis` is None where it follows from the balls."""

  groups: Groups
  axis: np.ndarray | None
  cloth: Cloth
  near: float  # sort key
  shows: frozenset[int]
  hulls: tuple[int, ...]
  bulge: float
  relief: float
  scenery: bool


class Sketch:
  """Collects the pieces of one person."""

  def __init__(self, body: Body, outfit: Outfit):
    self.body = body
    self.outfit = outfit
    self.pieces: list[_Piece] = []

  def frame(self, name: str) -> Frame:
    return self.body.frames[name]

  def trunk_near(self) -> float:
    """Sort key of the trunk: the middle between hips and waist."""
    return float(self.frame("chest").origin[2]) / 2

  def add(
    self,
    groups: Groups,
    cloth: Cloth,
    *,
    near: float | None = None,
    lift: float = 0.0,
    shows: frozenset[int] = _NOTHING,
    hulls: tuple[int, ...] = (),
    axis: np.ndarray | None = None,
    bulge: float = 0.0,
    relief: float = 1.0,
    scenery: bool = False,
  ) -> float:
    """Adds a part made of balls fixed to frames; returns its sort key.

    Args:
      groups: (frame name, rows of x, y, z, radius in that frame).
      cloth: its look.
      near: sort key; the mean of the balls' z by default.
      lift: added to the sort key.
      shows, hulls, bulge, relief: see `Part` and `Material`.
      scenery: whether it belongs to nobody (a seat).
      axis: [2, 3] for the texture; from the first ball to the last by default.
    """
    if near is None:
      near = self._mean_z(groups)
    key = near + lift
    self.pieces.append(
      _Piece(groups, axis, cloth, key, shows, hulls, bulge, relief, scenery)
    )
    return key

  def _mean_z(self, groups: Groups) -> float:
    total, count = 0.0, 0
    for name, rows in groups:
      frame = self.frame(name)
      toward = frame.axes[2].tolist()
      origin = float(frame.origin[2])
      for x, y, z, _ in rows:
        total += toward[0] * x + toward[1] * y + toward[2] * z + origin
        count += 1
    return total / count

  def _balls(self, pieces: list[_Piece]) -> tuple[np.ndarray, list[int]]:
    """[N, 4] in view coordinates, and how many belong to each piece."""
    names = {name: k for k, name in enumerate(self.body.frames)}
    rows, which, counts = [], [], []
    for piece in pieces:
      start = len(rows)
      for name, group in piece.groups:
        rows += group
        which += [names[name]] * len(group)
      counts.append(len(rows) - start)
    balls = np.array(rows, float)
    axes = np.stack([f.axes for f in self.body.frames.values()])[which]
    origin = np.stack([f.origin for f in self.body.frames.values()])[which]
    balls[:, :3] = (axes @ balls[:, :3, None])[..., 0] + origin
    return balls, counts

  def parts(
    self,
    owner: int,
    height_px: float,
    origin_xy_img: Float[np.ndarray, "2"],
    depth: float,
  ) -> list[Part]:
    """Projects the pieces; the middle of the hips goes to the origin."""
    order = sorted(
      range(len(self.pieces)), key=lambda k: (self.pieces[k].near, k)
    )
    pieces = [self.pieces[k] for k in order]
    balls, counts = self._balls(pieces)
    circles = np.empty((len(balls), 3))
    circles[:, :2], zoom = project(balls[:, :3], height_px, origin_xy_img)
    circles[:, 2] = balls[:, 3] * zoom
    out = []
    stop = 0
    for piece, count in zip(pieces, counts, strict=True):
      start, stop = stop, stop + count
      axis = circles[[start, stop - 1], :2]
      if piece.axis is not None:
        axis = project(piece.axis, height_px, origin_xy_img)[0]
      cloth = piece.cloth
      material = Material(
        cloth.color,
        cloth.color2,
        cloth.pattern,
        cloth.period * height_px,
        piece.relief,
      )
      out.append(
        Part(
          circles[start:stop],
          axis,
          material,
          depth + piece.near,
          0 if piece.scenery else owner,
          piece.shows,
          piece.hulls,
          piece.bulge,
        )
      )
    return out


def project(
  points_xyz: Float[np.ndarray, "N 3"],
  height_px: float,
  origin_xy_img: Float[np.ndarray, "2"],
) -> tuple[Float[np.ndarray, "N 2"], Float[np.ndarray, "N"]]:
  """Camera five heights away: [N, 2] in the picture, pixels per height."""
  zoom = height_px * 5.0 / (5.0 - points_xyz[:, 2])
  flipped = points_xyz[:, :2] * (1.0, -1.0)
  return flipped * zoom[:, None] + origin_xy_img, zoom
