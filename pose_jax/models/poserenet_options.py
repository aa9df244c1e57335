"""Options of PoseReNet: their checks, and which there are in words."""

import dataclasses
from typing import Any

_CHOICES = {
  "aggregation": ("none", "mean", "sum", "learned"),
  "channel_attention": ("se", "eca"),
  "fusion": ("pool", "enlarge"),
  "stages": ("last", "all"),
  "decode": ("aggregate", "lifted"),
}


@dataclasses.dataclass(frozen=True)
class PoseReNetOptions:
  """How a network is refined; `make_poserenet` checks the values.

  Attributes:
    aggregation: of the three branches; mean, sum, learned (a 1x1 convolution
      that starts as the mean); none: there is no plug-in.
    channel_attention: se, as in Eq. 4; eca, what the paper names it after: a
      convolution over three neighbouring channels (Wang et al. 2020, arXiv
      1910.03151).
    fusion: pool, the lifted map is averaged over 2x2 pixels; enlarge, the
      other two are enlarged (bilinear: nearest would give what pool gives),
      and the aggregate is averaged.
    stages: of a base with several, refine the last or each.
    decode: aggregate or lifted, which map is `PoseOutput.heatmaps`.
    identity_init: start with an aggregate that is the base's heatmaps, up to
      rounding; for a plug-in behind a trained base.
  """

  aggregation: str = "none"
  channel_attention: str = "se"
  fusion: str = "pool"
  stages: str = "last"
  decode: str = "aggregate"
  identity_init: bool = False


_DEFAULTS = dataclasses.asdict(PoseReNetOptions())


def make_poserenet(options: Any = None) -> PoseReNetOptions:
  """Returns the options of a config's section, checked.

  Args:
    options: mapping (or ConfigDict) of some of PoseReNetOptions' fields; None:
      no plug-in.
  Raises:
    ValueError: naming the value that is wrong, or why a combination makes no
      sense.
  """
  if options is not None and not hasattr(options, "items"):
    raise ValueError(
      f"poserenet must be a section of options, got {options!r}: for example "
      "{'aggregation': 'mean'}"
    )
  given = dict(options.items()) if options is not None else {}
  for name, value in given.items():
    if name not in _DEFAULTS:
      raise ValueError(
        f"poserenet has no option {name!r} (its options: "
        f"{', '.join(_DEFAULTS)})"
      )
    if name in _CHOICES and value not in _CHOICES[name]:
      raise ValueError(
        f"poserenet.{name} must be one of {', '.join(_CHOICES[name])}, got "
        f"{value!r}"
      )
    if name == "identity_init" and not isinstance(value, bool):
      raise ValueError(
        f"poserenet.identity_init must be True or False, got {value!r}"
      )
  made = PoseReNetOptions(**given)
  if made.identity_init and made.fusion == "enlarge":
    raise ValueError(
      "poserenet.identity_init is True, but fusion 'enlarge' smooths the "
      "base's heatmaps, so that they cannot come out as they are: set fusion "
      "to 'pool', or identity_init to False"
    )
  return made


def describe(options: PoseReNetOptions) -> str:
  """Which plug-in there is, for people; "" where there is none.

  "PoseReNet (mean, se)"; of the other options, those that were changed.
  """
  if options.aggregation == "none":
    return ""
  words = [options.aggregation, options.channel_attention]
  words += [
    f"{name}={getattr(options, name)}"
    for name in ("fusion", "stages", "decode", "identity_init")
    if getattr(options, name) != _DEFAULTS[name]
  ]
  return f"PoseReNet ({', '.join(words)})"


def without_effect(options: PoseReNetOptions) -> str:
  """Options that were set while there is no plug-in; "" if none were.

  "decode=lifted has no effect, as aggregation is 'none'".
  """
  changed = [
    f"{name}={getattr(options, name)}"
    for name, default in _DEFAULTS.items()
    if getattr(options, name) != default
  ]
  if options.aggregation != "none" or not changed:
    return ""
  have = "have" if len(changed) > 1 else "has"
  return f"{', '.join(changed)} {have} no effect, as aggregation is 'none'"
