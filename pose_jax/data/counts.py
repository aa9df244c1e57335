"""How many images and people the published data sets have.

What `launch.prepare` and the data check compare with: a download that broke
off or a file of another release shows in these numbers.

Sources: COCO 2017's keypoint files (149,813 and 6,352 people with keypoints
are what HRNet's and SimpleBaseline's training logs say, too); MPII as split
by Tompson et al., and its release v1.0; LSP and LSP-extended, Johnson and
Everingham 2010 and 2011 (train and val of the latter are this repository's,
by the rule in `leeds.open_lspet`).
"""

import dataclasses

from pose_jax.data.people import People


@dataclasses.dataclass(frozen=True)
class Counts:
  """Numbers of a split; None where not known for certain.

  Attributes:
    images: in the annotation file, those without people too.
    people: rows, crowd regions too.
    labelled: people with at least one labelled keypoint.
    is_certain: False where it is not known which rule the number was counted
      by, so that a difference need not be a fault.
    is_ours: the set is published, but split by a rule of this repository.
  """

  images: int | None = None
  people: int | None = None
  labelled: int | None = None
  is_certain: bool = True
  is_ours: bool = False


PUBLISHED: dict[tuple[str, str], Counts] = {
  ("coco", "train2017"): Counts(118_287, 262_465, 149_813),
  ("coco", "val2017"): Counts(5_000, 11_004, 6_352),
  ("mpii", "train"): Counts(people=22_246),
  ("mpii", "valid"): Counts(people=2_958),
  ("mpii", "release_train"): Counts(people=29_116, is_certain=False),
  ("mpii", "release_test"): Counts(people=7_247, is_certain=False),
  ("lsp", "train"): Counts(1_000, 1_000, 1_000),
  ("lsp", "test"): Counts(1_000, 1_000, 1_000),
  ("lspet", "train"): Counts(9_000, 9_000, 9_000, is_ours=True),
  ("lspet", "val"): Counts(1_000, 1_000, 1_000, is_ours=True),
  ("lspet", "all"): Counts(10_000, 10_000, 10_000),
}


def published(name: str, split: str) -> Counts | None:
  """The numbers of a split; None of those that are not known.

  A COCO file that no split was named for is called what the file is called,
  such as "person_keypoints_val2017".
  """
  return PUBLISHED.get((name, split.removeprefix("person_keypoints_")))


def count(people: People) -> Counts:
  """The numbers of a table."""
  return Counts(
    images=len(people.image_names),
    people=len(people),
    labelled=int((people.vis > 0).any(1).sum()),
  )


def difference(people: People, name: str, split: str) -> str | None:
  """What differs from the published numbers, in words; None if nothing.

  Args:
    people: the table.
    name: of the data set.
    split: as reports call it; see `published`.
  """
  wanted = published(name, split) or Counts()
  found = count(people)
  wrong = [
    f"{getattr(wanted, what):,} {words} expected, "
    f"{getattr(found, what):,} found"
    for what, words in (
      ("images", "images"),
      ("people", "people"),
      ("labelled", "people with keypoints"),
    )
    if getattr(wanted, what) not in (None, getattr(found, what))
  ]
  return "; ".join(wrong) or None
