"""Collects the pieces of one drawn person in space and projects them.

A piece is a hull of balls fixed to bones, in view coordinates and heights of
the person (`drawn_pose`); a part (`drawn_paint`) is its picture.
"""

import dataclasses

import numpy as np
from jaxtyping import Float

from pose_jax.data.drawn_body import Body
from pose_jax.data.drawn_clothes import RGB, Cloth, Outfit
from pose_jax.data.drawn_paint import Material, Part
from pose_jax.data.drawn_pose import Frame

_NOTHING: frozenset[int] = frozenset()


def plain(color: RGB) -> Cloth:
  """Cloth of one colour."""
  return Cloth(color)


def facing(frame: Frame) -> float:
  """How much a part's front is turned to the viewer, -1 (back) to 1."""
  return float(frame.axes[2, 2])


@dataclasses.dataclass(frozen=True)
class _Piece:
  """A part in space: balls [N, 4] (x, y, z, radius), view frame, heights."""

  balls: np.ndarray
  axis: np.ndarray
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
    groups: list[tuple[str, list]],
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
    placed = []
    for name, rows in groups:
      rows = np.asarray(rows, float)
      at = self.frame(name).at(rows[:, :3])
      placed.append(np.concatenate([at, rows[:, 3:]], 1))
    balls = np.concatenate(placed)
    if axis is None:
      axis = balls[[0, -1], :3]
    key = (float(balls[:, 2].mean()) if near is None else near) + lift
    self.pieces.append(
      _Piece(balls, axis, cloth, key, shows, hulls, bulge, relief, scenery)
    )
    return key

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
    counts = [len(p.balls) for p in pieces]
    balls = np.concatenate([p.balls for p in pieces])
    circles = np.empty((len(balls), 3))
    circles[:, :2], zoom = project(balls[:, :3], height_px, origin_xy_img)
    circles[:, 2] = balls[:, 3] * zoom
    axes = np.concatenate([p.axis for p in pieces])
    axes = project(axes, height_px, origin_xy_img)[0].reshape(-1, 2, 2)
    out = []
    stop = 0
    for piece, count, axis in zip(pieces, counts, axes, strict=True):
      start, stop = stop, stop + count
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
