"""Which arrays a network has, and which of them make a part of it."""

import ast
import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

from pose_jax.weights.assemble import Path, Tree, shapes_of

PARTS = (
  "backbone",
  "body",  # all but the arrays that the number of keypoints is a size of
  "all",
)


class Outline(NamedTuple):
  """Shapes of the arrays of a network without plug-ins.

  Attributes:
    one: where there is one keypoint; two: where there are two.
  """

  one: Mapping[Path, tuple[int, ...]]
  two: Mapping[Path, tuple[int, ...]]

  def num_keypoints(self, flat: Mapping[Path, Any]) -> int:
    """Of such a network's arrays, from the bias of a head."""
    path = next(
      path
      for path, shape in self.one.items()
      if len(shape) == 1 and shape != self.two[path]
    )
    (first,), (second,) = self.one[path], self.two[path]
    return 1 + (flat[path].shape[0] - first) // (second - first)

  def paths(self, part: str) -> set[Path]:
    """Of one of PARTS."""
    return {
      path
      for path, shape in self.one.items()
      if is_of(part, path) and (part != "body" or shape == self.two[path])
    }


def outline_of(model: Tree) -> Outline:
  """Of a plain model section; crops are the smallest that fit."""
  return _outline(repr(model))


def is_of(part: str, path: Path) -> bool:
  """Whether the path of an array can be of a part."""
  return part != "backbone" or path[1] == "backbone"


@functools.lru_cache(maxsize=16)
def _outline(model: str) -> Outline:
  """From a section as text: of large networks it takes seconds."""
  section = ast.literal_eval(model)
  return Outline(shapes_of(section, 1), shapes_of(section, 2))
