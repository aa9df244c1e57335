"""What a drawn person wears: skin, hair, clothes, shoes, small things.

Fronts and backs differ: faces, collars, buttons and prints are in front,
hair, hoods and backpacks behind. Lengths are in body heights.
"""

import colorsys
import dataclasses

import numpy as np

Level = float | int
RGB = tuple[Level, Level, Level]

SKINS: tuple[RGB, ...] = (
  (250, 220, 196),
  (241, 202, 170),
  (228, 182, 144),
  (208, 156, 116),
  (176, 122, 84),
  (143, 94, 62),
  (112, 72, 48),
  (86, 56, 40),
)
HAIRS: tuple[RGB, ...] = (
  (36, 28, 26),
  (52, 38, 30),
  (88, 58, 36),
  (128, 84, 46),
  (192, 148, 84),
  (222, 192, 128),
  (150, 66, 34),
  (158, 156, 156),
)
HAIR_STYLES = ("short", "long", "tail", "bun", "curly", "bald", "cap", "beanie")
_HAIR_SHARE = (0.34, 0.17, 0.1, 0.07, 0.08, 0.06, 0.11, 0.07)
_TOP_PATTERNS = (
  "plain",
  "stripes",
  "pinstripes",
  "checks",
  "plaid",
  "dots",
  "diagonal",
  "band",
)
_TOP_SHARE = (0.44, 0.17, 0.06, 0.06, 0.11, 0.07, 0.03, 0.06)
COLLARS = ("round", "v", "shirt", "hood", "turtle")


@dataclasses.dataclass(frozen=True)
class Cloth:
  """Two colours and a pattern; `period` in body heights."""

  color: RGB
  color2: RGB = (0.0, 0.0, 0.0)
  pattern: str = "plain"
  period: float = 0.05


@dataclasses.dataclass(frozen=True)
class Outfit:
  """Everything that the figure wears.

  `sleeve` and `leg` count segments: 0 none, 1 to the elbow or knee, 2 to the
  wrist or ankle. `skirt` is its length in thighs, 0 for none.
  """

  skin: RGB
  hair: RGB
  hair_style: str
  top: Cloth
  sleeve: float
  hem: float
  bottom: Cloth
  leg: float
  skirt: float
  shoes: RGB
  socks: RGB | None
  collar: str
  accent: RGB
  buttons: bool
  print_kind: str
  tie: bool
  backpack: Cloth | None
  belt: bool
  beard: bool
  glasses: bool
  watch: bool
  gloves: RGB | None
  back_print: bool


def vivid(rng: np.random.Generator) -> RGB:
  """A colour as clothes have it: often muted, at times bright."""
  hue = rng.random()
  kind = rng.random()
  if kind < 0.22:
    level = rng.choice((28, 52, 96, 168, 215, 240))
    return tuple(float(level + rng.uniform(-10, 10)) for _ in range(3))
  saturation = rng.uniform(0.55, 0.9) if kind < 0.65 else rng.uniform(0.2, 0.5)
  value = rng.uniform(0.45, 0.95)
  return tuple(255.0 * c for c in colorsys.hsv_to_rgb(hue, saturation, value))


def shifted(color: RGB, factor: float) -> RGB:
  """A lighter (factor > 1) or darker colour."""
  return tuple(min(255.0, max(0.0, c * factor)) for c in color)


def _contrast(rng: np.random.Generator, color: RGB) -> RGB:
  """A second colour for a pattern, told apart from the first."""
  if rng.random() < 0.5:
    dark = sum(color) < 330
    return (238.0, 236.0, 230.0) if dark else shifted(color, 0.5)
  return vivid(rng)


def _top(rng: np.random.Generator) -> Cloth:
  color = vivid(rng)
  pattern = str(rng.choice(_TOP_PATTERNS, p=_TOP_SHARE))
  period = 0.16 if pattern == "band" else rng.uniform(0.035, 0.07)
  return Cloth(color, _contrast(rng, color), pattern, period)


def _bottom(rng: np.random.Generator) -> Cloth:
  kind = rng.random()
  if kind < 0.3:  # jeans
    tone = rng.uniform(0.45, 1.0)
    blue = (92 * tone, 118 * tone, 165 * tone)
    return Cloth(blue, shifted(blue, 1.25), "denim", 0.12)
  color = vivid(rng)
  if kind < 0.82:
    return Cloth(color)
  pattern = str(rng.choice(("plaid", "pinstripes", "dots", "stripes")))
  return Cloth(color, _contrast(rng, color), pattern, rng.uniform(0.03, 0.06))


def _sleeve(rng: np.random.Generator) -> float:
  kind = rng.random()
  if kind < 0.1:
    return 0.0
  return rng.uniform(0.4, 0.85) if kind < 0.5 else rng.uniform(1.6, 1.95)


def _leg_and_skirt(rng: np.random.Generator) -> tuple[float, float]:
  kind = rng.random()
  if kind < 0.22:
    return rng.uniform(0.45, 0.95), 0.0
  if kind < 0.38:
    return 0.25, rng.uniform(0.5, 1.05)
  return rng.uniform(1.7, 1.96), 0.0


def sample_outfit(rng: np.random.Generator) -> Outfit:
  """A random outfit."""
  tone = rng.uniform(0.94, 1.05)
  skin = shifted(SKINS[rng.integers(len(SKINS))], tone)
  hair = shifted(HAIRS[rng.integers(len(HAIRS))], rng.uniform(0.85, 1.15))
  style = str(rng.choice(HAIR_STYLES, p=_HAIR_SHARE))
  top = _top(rng)
  leg, skirt = _leg_and_skirt(rng)
  is_dress = skirt > 0 and rng.random() < 0.5
  collar = str(rng.choice(COLLARS, p=(0.32, 0.22, 0.26, 0.12, 0.08)))
  has = rng.random(9).tolist()
  return Outfit(
    skin=skin,
    hair=hair,
    hair_style=style,
    top=top,
    sleeve=_sleeve(rng),
    hem=rng.uniform(0.0, 0.07) if has[0] < 0.65 else -0.03,
    bottom=top if is_dress else _bottom(rng),
    leg=leg,
    skirt=skirt,
    shoes=vivid(rng),
    socks=vivid(rng) if has[1] < 0.4 else None,
    collar=collar,
    accent=vivid(rng),
    buttons=has[2] < (0.8 if collar == "shirt" else 0.2),
    print_kind=str(rng.choice(("none", "disc", "block", "pocket"))),
    tie=collar == "shirt" and has[3] < 0.4,
    backpack=Cloth(vivid(rng)) if has[4] < 0.22 else None,
    belt=has[5] < 0.5,
    beard=style in ("short", "bald", "cap", "beanie") and has[6] < 0.3,
    glasses=has[7] < 0.12,
    watch=has[8] < 0.4,
    gloves=vivid(rng) if rng.random() < 0.07 else None,
    back_print=rng.random() < 0.25,
  )
