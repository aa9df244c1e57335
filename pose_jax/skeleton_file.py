"""A skeleton of one's own, from one TOML file.

`configs/skeletons/coco17.toml` explains every key. Keypoints are named by
name throughout, never by number; each mistake is a sentence that names the
file and the wrong entry.
"""

import difflib
import pathlib
import re
import tomllib
from collections.abc import Iterable, Sequence
from typing import Any

from pose_jax.skeleton import SKELETONS, Link, Skeleton


class SkeletonError(ValueError):
  """A skeleton file is not as it should be; the message names the entry."""


def find_skeleton(name_or_path: str) -> Skeleton:
  """A known skeleton by name, or one's own by a path that ends in .toml.

  Raises:
    SkeletonError: if it is neither, or the file is faulty.
  """
  if name_or_path in SKELETONS:
    return SKELETONS[name_or_path]
  if name_or_path.endswith(".toml"):
    return read_skeleton(name_or_path)
  raise SkeletonError(
    f"there is no skeleton {name_or_path!r}: "
    f"{_suggest(name_or_path, SKELETONS)}, or a path that ends in .toml"
  )


def read_skeleton(path: str | pathlib.Path) -> Skeleton:
  """The skeleton that a TOML file describes.

  Raises:
    SkeletonError: naming the file and the first entry that is wrong.
  """
  path = pathlib.Path(path)
  try:
    content = tomllib.loads(path.read_bytes().decode("utf-8"))
  except OSError as error:
    raise SkeletonError(
      f"cannot read skeleton file {path}: {error.strerror}"
    ) from None
  except ValueError as error:  # of TOML, or of the text's encoding
    raise SkeletonError(f"{path} is no valid TOML: {error}") from None
  try:
    return _skeleton(content)
  except SkeletonError as error:
    raise SkeletonError(f"{path}: {error}") from None


_REQUIRED = ("name", "keypoints", "sigmas")
_OPTIONAL = (
  *("category", "flip_pairs", "bones", "links", "upper", "lower"),
  "pck_reference",
)


def _skeleton(content: dict[str, Any]) -> Skeleton:
  known = (*_REQUIRED, *_OPTIONAL)
  for key in content:
    if key not in known:
      raise SkeletonError(f"there is no key {key!r}: {_suggest(key, known)}")
  for key in _REQUIRED:
    if key not in content:
      raise SkeletonError(f"{key} is missing: {_WHY[key]}")
  keypoints = _keypoints(content["keypoints"])
  upper, lower = _halves(content, keypoints)
  skeleton = Skeleton(
    name=_text("name", content["name"]),
    keypoints=keypoints,
    flip_pairs=_flip_pairs(content.get("flip_pairs", []), keypoints),
    links=_links(content.get("links", []), keypoints),
    bones=_pairs("bones", content.get("bones", []), keypoints),
    upper=upper,
    lower=lower,
    oks_sigmas=_sigmas(content["sigmas"], keypoints),
    pck_pair=_pck_pair(content.get("pck_reference", _HEAD_BOX), keypoints),
    category=_text("category", content.get("category", "person")),
  )
  if skeleton != SKELETONS.get(skeleton.name, skeleton):
    raise SkeletonError(
      f"name is {skeleton.name!r}, but this is not the skeleton that is known "
      "by that name: give it another"
    )
  return skeleton


_WHY = {
  "name": "reports call the skeleton by it",
  "keypoints": "a list of names in the order of the data",
  "sigmas": "OKS needs a number for each keypoint, or one for all (COCO's lie "
  "between 0.025, eyes, and 0.107, hips)",
}
_HEAD_BOX = "head box"


def _keypoints(value: Any) -> tuple[str, ...]:
  names = _texts("keypoints", value)
  if not names:
    raise SkeletonError("keypoints is empty: it must name at least one")
  for k, name in enumerate(names):
    if name in names[:k]:
      raise SkeletonError(
        f"keypoints has {name!r} twice, at places {names.index(name) + 1} and "
        f"{k + 1}"
      )
  return names


def _flip_pairs(
  value: Any, keypoints: tuple[str, ...]
) -> tuple[tuple[int, int], ...]:
  """Sorted pairs; every left_x has its right_x and no keypoint two partners."""
  pairs = tuple(
    sorted(tuple(sorted(p)) for p in _pairs("flip_pairs", value, keypoints))
  )
  ends = [k for pair in pairs for k in pair]
  for k in ends:
    if ends.count(k) > 1:
      raise SkeletonError(
        f"flip_pairs has {keypoints[k]!r} in two pairs: a keypoint changes "
        "places with one other"
      )
  for k, name in enumerate(keypoints):
    other = _other_side(name)
    if other != name and other in keypoints[k:]:
      if (k, keypoints.index(other)) not in pairs:
        raise SkeletonError(
          f"flip_pairs lacks [{name!r}, {other!r}]: left and right change "
          "places in a mirror"
        )
  return pairs


_SIDES = {
  **{"left": "right", "Left": "Right", "LEFT": "RIGHT", "l": "r", "L": "R"},
  **{"right": "left", "Right": "Left", "RIGHT": "LEFT", "r": "l", "R": "L"},
}
# A whole word: left_eye, eye.L, LeftEye, r_wrist; not leftover, color.
_SIDE = re.compile(
  rf"(?<![A-Za-z])({'|'.join(sorted(_SIDES, key=len, reverse=True))})(?![a-z])"
)


def _other_side(name: str) -> str:
  """The name with left and right exchanged."""
  return _SIDE.sub(lambda found: _SIDES[found[1]], name)


def _links(value: Any, keypoints: tuple[str, ...]) -> tuple[Link, ...]:
  options = (("physical", "virtual"), ("upper", "lower"))
  links = []
  for entry in _list("links", value):
    if not isinstance(entry, list) or len(entry) != 4:
      raise SkeletonError(
        f"links has {entry!r}: wanted [start, end, kind, half], two keypoints, "
        "'physical' or 'virtual', 'upper' or 'lower'"
      )
    for word, known in zip(entry[2:], options, strict=True):
      if word not in known:
        raise SkeletonError(
          f"links has {entry!r} with {word!r}: it must be {' or '.join(known)}"
        )
    links.append(entry)
  ends = _pairs("links", [entry[:2] for entry in links], keypoints)
  return tuple(
    Link(start, end, *entry[2:])
    for (start, end), entry in zip(ends, links, strict=True)
  )


def _halves(
  content: dict[str, Any], keypoints: tuple[str, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
  """Upper and lower half: what one does not name is in the other.

  Without either all keypoints are upper; half-body augmentation is then
  refused by the check of the config.
  """
  named = {
    half: {_index(half, n, keypoints) for n in _texts(half, content[half])}
    for half in ("upper", "lower")
    if half in content
  }
  everything = set(range(len(keypoints)))
  upper = named.get("upper", everything - named.get("lower", set()))
  lower = named.get("lower", everything - upper)
  for k in everything:
    if (k in upper) == (k in lower):
      raise SkeletonError(
        f"upper and lower {'both name' if k in upper else 'do not name'} "
        f"{keypoints[k]!r}: every keypoint is in one of them"
      )
  return tuple(sorted(upper)), tuple(sorted(lower))


def _sigmas(value: Any, keypoints: tuple[str, ...]) -> tuple[float, ...]:
  sigmas = value if isinstance(value, list) else [value] * len(keypoints)
  if len(sigmas) != len(keypoints):
    raise SkeletonError(
      f"sigmas has {len(sigmas)} numbers for {len(keypoints)} keypoints: "
      "wanted one each, or one number for all"
    )
  for name, sigma in zip(keypoints, sigmas, strict=True):
    is_number = isinstance(sigma, int | float) and not isinstance(sigma, bool)
    if not is_number or not 0 < sigma <= 1:
      raise SkeletonError(
        f"sigmas has {sigma!r} for {name!r}: wanted a number above 0, at most "
        "1 (COCO's lie between 0.025 and 0.107)"
      )
  return tuple(float(sigma) for sigma in sigmas)


def _pck_pair(value: Any, keypoints: tuple[str, ...]) -> tuple[int, int] | None:
  if value == _HEAD_BOX:
    return None
  if isinstance(value, str):
    raise SkeletonError(
      f"pck_reference is {value!r}: wanted two keypoints or {_HEAD_BOX!r}"
    )
  return _pairs("pck_reference", [value], keypoints)[0]


def _pairs(
  key: str, value: Any, keypoints: tuple[str, ...]
) -> tuple[tuple[int, int], ...]:
  """Pairs of different keypoints, by index; none twice in either order."""
  pairs = []
  for entry in _list(key, value):
    if not isinstance(entry, list) or len(entry) != 2:
      raise SkeletonError(
        f"{key} has {entry!r}: wanted two keypoints, such as "
        f"{list(keypoints[:2])}"
      )
    a, b = (_index(key, name, keypoints) for name in entry)
    if a == b:
      raise SkeletonError(f"{key} pairs {entry[0]!r} with itself")
    if (a, b) in pairs or (b, a) in pairs:
      raise SkeletonError(f"{key} has {entry!r} twice")
    pairs.append((a, b))
  return tuple(pairs)


def _index(key: str, name: Any, keypoints: Sequence[str]) -> int:
  if name not in keypoints:
    raise SkeletonError(
      f"{key} names {name!r}, which is no keypoint: "
      f"{_suggest(str(name), keypoints)}"
    )
  return keypoints.index(name)


def _list(key: str, value: Any) -> list:
  if not isinstance(value, list):
    raise SkeletonError(f"{key} is {value!r}: it must be a list")
  return value


def _texts(key: str, value: Any) -> tuple[str, ...]:
  return tuple(_text(f"an entry of {key}", v) for v in _list(key, value))


def _text(what: str, value: Any) -> str:
  if not isinstance(value, str) or not value.strip():
    raise SkeletonError(f"{what} is {value!r}: it must be a text")
  return value


def _suggest(word: str, known: Iterable[str]) -> str:
  """ "did you mean X", or what there is."""
  close = difflib.get_close_matches(word, list(known), 1)
  return f"did you mean {close[0]}" if close else f"wanted {', '.join(known)}"
