"""A portion of a data set: images drawn by a seed, and their people.

Images stand in the order of a hash of their number, salted with the seed. So
portions that do not overlap share no image, and an image that one form of the
set lacks (a broken one that `launch.prepare` left out) moves the others by one
place at most.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64, Integer

from pose_jax.data.images import ImageSource, Row
from pose_jax.data.people import Dataset

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # SplitMix64's constants
_MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1))


@dataclasses.dataclass(frozen=True)
class SelectedImages:
  """Some images of a source, in the order of `rows`."""

  source: ImageSource
  rows: tuple[int, ...]

  def __len__(self) -> int:
    return len(self.rows)

  def name(self, i: Row) -> str:
    return self.source.name(self.rows[i])

  def read(self, i: Row) -> bytes:
    return self.source.read(self.rows[i])


def portion_of(
  dataset: Dataset, first: int, last: int, *, seed: int
) -> Dataset:
  """Returns images first to last - 1 of the drawn order, and their people.

  All images count, those without people too, as in the published sizes of data
  sets; images and people keep their ids and their order. The split is called
  "train2017[0:80000 of seed 0]".

  Args:
    dataset: any; its images' ids are unique.
    first, last: places in the drawn order, from 0; the last is left out.
    seed: not negative.
  Raises:
    ValueError: if the set has fewer than `last` images, or places or seed make
      no sense.
  """
  people = dataset.people
  num_images = len(people.image_names)
  if not 0 <= first < last or seed < 0:
    raise ValueError(
      f"portion is ({first}, {last}) of seed {seed}: wanted 0 <= first < last "
      "and a seed from 0"
    )
  if last > num_images:
    raise ValueError(
      f"portion is ({first}, {last}), but {dataset.name} {dataset.split} has "
      f"{num_images} images: end it at {num_images} at most"
    )
  kept = np.sort(drawn_order(people.image_ids, seed)[first:last])
  new_row = np.full(num_images, -1, np.int32)
  new_row[kept] = np.arange(len(kept), dtype=np.int32)
  some = people.select(new_row[people.image_index] >= 0)
  return dataclasses.replace(
    dataset,
    split=f"{dataset.split}[{first}:{last} of seed {seed}]",
    people=dataclasses.replace(
      some,
      image_names=tuple(people.image_names[i] for i in kept),
      image_ids=people.image_ids[kept],
      image_hw=people.image_hw[kept],
      image_index=new_row[some.image_index],
    ),
    images=SelectedImages(dataset.images, tuple(kept.tolist())),
  )


def drawn_order(
  image_ids: Int64[np.ndarray, " M"], seed: int
) -> Integer[np.ndarray, " M"]:
  """Rows of images in the order that a seed draws.

  Ascending in SplitMix64's hash of the image's number, salted with that of the
  seed: a bijection, so that no two images tie. Source: Steele, Lea, Flood
  2014, "Fast Splittable Pseudorandom Number Generators", with the constants
  of Vigna's splitmix64.c.
  """
  salt = _hash(np.array([seed], np.uint64))
  return np.argsort(_hash(image_ids.astype(np.uint64) ^ salt), kind="stable")


def _hash(z: np.ndarray) -> np.ndarray:
  z = z + _GOLDEN  # arrays wrap round at 2^64
  for shift, factor in _MIX:
    z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
  return z


def parse_portion(portion: Sequence[object]) -> tuple[int, int] | None:
  """(first, last) of a section's value; None if it is empty.

  Raises:
    ValueError: if it is something else.
  """
  if len(portion) == 0:
    return None
  if len(portion) == 2 and all(type(place) is int for place in portion):
    first, last = portion
    if 0 <= first < last:
      return first, last
  raise ValueError(
    f"portion is {tuple(portion)}: wanted (first, last), places in the drawn "
    "order of images from 0, such as (0, 80000), or () for all"
  )
