"""Several data sets as one: a section for each member, weights, ids, images.

"a+b+c" in a section's name joins three. Each of the other texts may be one
that serves all members, or three joined by "+" in the same order:

  name="mpii+lspet+lsp", split="train+all+train", root="DATA"

Numbers (num_images, seed of drawn people) serve all members.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int64

from pose_jax.data.images import ConcatenatedImages
from pose_jax.data.people import Dataset, concatenate

# Keys of which each member may have its own.
OWN_KEYS = ("root", "data_dir", "annotations", "images", "split", "boxes")


def member_sections(section: Mapping[str, Any]) -> list[dict[str, Any]]:
  """The section of each data set that the name joins, in order.

  A lone data set's values are never taken apart, so that its folder may have
  a "+" in its name.

  Raises:
    ValueError: if a key has neither one value nor one for each member.
  """
  names = section["name"].split("+")
  members = [dict(section) | {"name": name} for name in names]
  for key in OWN_KEYS if len(names) > 1 else ():
    values = (section.get(key) or "").split("+")
    if len(values) == 1:
      continue
    if len(values) != len(names):
      raise ValueError(
        f"{key} {section[key]!r} has {len(values)} values joined by '+' for "
        f"the {len(names)} data sets of {section['name']}: wanted one for "
        "each, or one for all"
      )
    for member, value in zip(members, values, strict=True):
      member[key] = value
  return members


def weigh(
  datasets: Sequence[Dataset], weights: Sequence[int | float]
) -> list[Dataset]:
  """The data sets with their people's `repeats` times the set's weight.

  Weight 2 shows every person of a set twice an epoch, 0.5 in every second
  epoch. No weights leave everything as it is.

  Raises:
    ValueError: if there is not one weight above zero for each set.
  """
  if not weights:
    return list(datasets)
  names = [dataset.name for dataset in datasets]
  if len(weights) != len(datasets):
    raise ValueError(
      f"weights has {len(weights)} numbers for {len(datasets)} data sets: "
      f"wanted one each for {', '.join(names)}"
    )
  for name, weight in zip(names, weights, strict=True):
    if not 0 < weight < np.inf:
      raise ValueError(
        f"weights has {weight:g} for {name}: wanted a number above 0; what is "
        "never shown is left out of name"
      )
  return [
    dataclasses.replace(
      dataset,
      people=dataclasses.replace(
        dataset.people, repeats=dataset.people.repeats * np.float32(weight)
      ),
    )
    for dataset, weight in zip(datasets, weights, strict=True)
  ]


def join(datasets: Sequence[Dataset]) -> Dataset:
  """One data set of several with the same skeleton, in the given order.

  Name and split are the members', joined by "+". Where two members use the
  same image or person number, those of the second, third, ... get 1, 2, ...
  times a power of ten added that is above all numbers: 42 of the second may
  become 1000042. Members whose numbers differ, and the first, keep them.
  Images keep their names in the table; the source's names say the member.

  Raises:
    DataError: if skeletons differ.
  """
  if len(datasets) == 1:
    return datasets[0]
  tables = [dataset.people for dataset in datasets]
  image_ids = disjoint([table.image_ids for table in tables])
  person_ids = disjoint([table.person_ids for table in tables])
  tables = [
    dataclasses.replace(table, image_ids=images, person_ids=persons)
    for table, images, persons in zip(
      tables, image_ids, person_ids, strict=True
    )
  ]
  splits = [dataset.split for dataset in datasets]
  return Dataset(
    name="+".join(dataset.name for dataset in datasets),
    split="+".join(splits if len(set(splits)) > 1 else splits[:1]),
    people=concatenate(tables),
    images=ConcatenatedImages(
      tuple(dataset.images for dataset in datasets),
      tuple(f"{dataset.name} {dataset.split}".strip() for dataset in datasets),
    ),
  )


def disjoint(
  ids: Sequence[Int64[np.ndarray, "_"]],
) -> list[Int64[np.ndarray, "_"]]:
  """The ids of several tables, moved apart where two share one; see `join`.

  Raises:
    ValueError: if there is no room for that in 64 bits.
  """
  joined = np.concatenate([np.unique(part) for part in ids])
  if not len(joined) or len(np.unique(joined)) == len(joined):
    return list(ids)
  low, high = int(joined.min()), int(joined.max())
  step = 10 ** len(str(max(high, high - low)))
  if high + step * (len(ids) - 1) >= 2**63:
    raise ValueError(
      f"ids up to {high} of {len(ids)} data sets cannot be told apart in 64 "
      "bits: give at least one of them smaller ids"
    )
  return [part + step * place for place, part in enumerate(ids)]
