"""Options of attention: their checks, and which there is in words."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from pose_jax.ops.mean_field import MAX_KERNEL_SIZE, STARTS

KINDS = ("none", "softmax", "gaussian", "transformer", "crf")
PLACES = ("holistic", "refined", "part")


@dataclasses.dataclass(frozen=True)
class AttentionOptions:
  """Which attention a network has; `make_attention` checks the values.

  Attributes:
    holistic, refined, part: some of KINDS.
    levels: how many of the pyramid's finest levels `holistic` reads; 0: all.
    summary_size: kernel of the convolution to softmax's and the random
      field's summary map.
    crf_*: see `attention_maps.CrfMap`.
    gaussian_*: see `attention_maps.GaussianMap`.
    transformer_grid: see `attention_maps.Transformer`.
  """

  holistic: str = "none"
  refined: str = "none"
  part: str = "none"
  levels: int = 0
  summary_size: int = 3
  crf_kernel_size: int = 3
  crf_steps: int = 3
  crf_start: str = "unary_conv"
  crf_keep_unary: bool = True
  crf_bias: bool = True
  crf_damping: float | int = 0.0
  crf_shared: bool = False
  crf_separable: bool = False
  crf_constant_memory: bool = False
  gaussian_count: int = 0
  gaussian_grid: int = 1
  transformer_grid: int = 4


NONE = AttentionOptions()
_DEFAULTS = dataclasses.asdict(NONE)
_WORDS = {bool: "True or False", int: "a whole number", float: "a number"}
# Options by the kinds that read them.
_READERS = {
  "summary_size": ("softmax", "crf"),
  "crf_": ("crf",),
  "gaussian_": ("gaussian",),
  "transformer_": ("transformer",),
}


def describe(options: AttentionOptions) -> str:
  """Which attention there is, for people; "" where there is none.

  "holistic crf (kernel 7, 3 steps), part softmax": what is special about a
  kind stands behind its first place.
  """
  told, texts = set(), []
  for place in PLACES:
    kind = getattr(options, place)
    if kind == "none":
      continue
    details = _details(options, kind) if kind not in told else []
    if place == "holistic" and options.levels:
      levels = "finest level" if options.levels == 1 else "finest levels"
      details = [f"{options.levels} {levels}", *details]
    told.add(kind)
    texts.append(f"{place} {kind}" + f" ({', '.join(details)})" * bool(details))
  return ", ".join(texts)


def without_effect(options: AttentionOptions) -> str:
  """Options that were set for kinds that are at no place; "" if none were.

  "crf_steps=5 has no effect, as no place is 'crf'".
  """
  kinds = {getattr(options, place) for place in PLACES}
  sentences = []
  for start, readers in _READERS.items():
    changed = _changed(options, start)
    if changed and not kinds & set(readers):
      sentences.append(
        f"{', '.join(changed)} {'have' if len(changed) > 1 else 'has'} no "
        f"effect, as no place is {' or '.join(map(repr, readers))}"
      )
  if "crf" in kinds:
    sentences += _idle_of_crf(options)
  return "; ".join(sentences)


def _idle_of_crf(a: AttentionOptions) -> Iterator[str]:
  if a.crf_damping and a.crf_steps == 1 and a.crf_start == "unary_conv":
    yield (
      f"crf_damping={a.crf_damping} has no effect, as the one step starts from "
      "the unary map, which is no map to keep"
    )
  if a.crf_shared and a.part != "crf":
    yield "crf_shared=True has no effect, as only part maps are several"


def _details(options: AttentionOptions, kind: str) -> list[str]:
  """What is worth telling of a kind: of others than crf, what was changed."""
  details = []
  if kind == "crf":
    steps = "step" if options.crf_steps == 1 else "steps"
    details.append(f"kernel {options.crf_kernel_size}")
    details.append(f"{options.crf_steps} {steps}")
  return details + [
    text.removeprefix(f"{kind}_")
    for start, readers in _READERS.items()
    for text in _changed(options, start)
    if kind in readers
    and not text.startswith(("crf_kernel_size=", "crf_steps="))
  ]


def _changed(options: AttentionOptions, start: str) -> list[str]:
  """name=value of the options that start so and differ from the default."""
  return [
    f"{name}={getattr(options, name)}"
    for name, default in _DEFAULTS.items()
    if name.startswith(start) and getattr(options, name) != default
  ]


def make_attention(
  options: Mapping[str, Any] | None = None, *, num_levels: int
) -> AttentionOptions:
  """Returns the options of a config's section, checked.

  Args:
    options: some of AttentionOptions' fields; None: no attention.
    num_levels: of the network's pyramid.
  Raises:
    ValueError: naming the value that is wrong, or why a combination makes no
      sense.
  """
  if options is not None and not hasattr(options, "items"):
    raise ValueError(
      f"attention must be a section of options, like {{'holistic': 'crf'}}, "
      f"got {options!r}"
    )
  given = dict(options.items()) if options is not None else {}
  for name, value in given.items():
    if name not in _DEFAULTS:
      raise ValueError(
        f"attention has no option {name!r} (its options: "
        f"{', '.join(_DEFAULTS)})"
      )
    _check_type(name, value)
  attention = AttentionOptions(**given)
  check_attention(attention, num_levels)
  return attention


def check_attention(options: AttentionOptions, num_levels: int) -> None:
  """Raises ValueError as `make_attention`."""
  for name in _DEFAULTS:
    _check_type(name, getattr(options, name))
  _check_values(options)
  _check_combination(options, num_levels)


def _check_type(name: str, value: Any) -> None:
  """Whole numbers pass as fractions, True and False not as numbers."""
  kind = type(_DEFAULTS[name])
  is_right = isinstance(value, int | float if kind is float else kind)
  if kind is not bool and isinstance(value, bool):
    is_right = False
  if not is_right:
    raise ValueError(
      f"attention.{name} must be {_WORDS.get(kind, 'a text')}, like "
      f"{_DEFAULTS[name]!r}, got {value!r}"
    )


def _check_values(a: AttentionOptions) -> None:
  for place in PLACES:
    if getattr(a, place) not in KINDS:
      raise ValueError(
        f"attention.{place} must be one of {', '.join(KINDS)}, got "
        f"{getattr(a, place)!r}"
      )
  if a.crf_start not in STARTS:
    raise ValueError(
      f"attention.crf_start must be one of {', '.join(STARTS)}, got "
      f"{a.crf_start!r}"
    )
  for name in ("summary_size", "crf_kernel_size"):
    size = getattr(a, name)
    if size % 2 == 0 or not 1 <= size <= MAX_KERNEL_SIZE:
      raise ValueError(
        f"attention.{name} must be odd, from 1 to {MAX_KERNEL_SIZE}, got {size}"
      )
  for name, least in (
    ("levels", 0),
    ("crf_steps", 1),
    ("gaussian_count", 0),
    ("gaussian_grid", 1),
    ("transformer_grid", 1),
  ):
    if getattr(a, name) < least:
      raise ValueError(
        f"attention.{name} must be at least {least}, got {getattr(a, name)}"
      )
  if not 0 <= a.crf_damping < 1:
    raise ValueError(
      "attention.crf_damping must be from 0 to below 1 (at 1 nothing would "
      f"ever change), got {a.crf_damping}"
    )


def _check_combination(a: AttentionOptions, num_levels: int) -> None:
  if a.levels > num_levels:
    raise ValueError(
      f"attention.levels is {a.levels}, but the network's pyramid has "
      f"{num_levels}: take at most as many, or 0 for all"
    )
  if a.levels and a.holistic == "none":
    raise ValueError(
      f"attention.levels is {a.levels}, but attention.holistic, which alone "
      "reads levels, is 'none': leave levels at 0, or set holistic"
    )
  if a.refined != "none" and a.holistic == "none":
    raise ValueError(
      f"attention.refined is {a.refined!r} without attention.holistic: the "
      "refined map is read from features that holistic attention has gone "
      "over; set holistic too, or use refined's kind as holistic"
    )
  if a.refined == a.holistic == "transformer":
    raise ValueError(
      "attention.holistic and attention.refined are both 'transformer': two "
      "affine maps in a row are one; leave refined at 'none'"
    )
