"""The page of an inspection: counts, findings by kind, and their pictures."""

import itertools
from collections.abc import Callable, Iterator, Sequence

from pose_jax.data.counts import Counts, published
from pose_jax.data.findings import KINDS, Finding
from pose_jax.data.inspection import counts
from pose_jax.data.people import Dataset
from pose_jax.data.survey import Survey
from pose_jax.pages import page
from pose_jax.pages.finding_pictures import Reader, draw_finding

_WITHOUT_PICTURE = ("missing_image", "broken_image", "counts", "flags")
_NOT_SAID = "not said"  # by files that tell nothing of visibility
_COUNTED = {"labelled": "labelled keypoints", "hidden": "hidden keypoints"}


def render(
  survey: Survey, read_image: Reader, *, seconds: float, most: int = 12
) -> str:
  """The whole report as one HTML page without outside references.

  Args:
    survey: what was found.
    read_image: gives the pictures that are shown.
    seconds: that the inspection took.
    most: findings of one kind that are shown.
  """
  inspected = survey.parts[: survey.num_inspected]
  title = ", ".join(f"{d.name} {d.split}" for d in inspected)
  return page.render(
    page.Page(
      title=f"Inspection of {title}",
      subtitle="; ".join(describe(dataset) for dataset in inspected),
      headline=_headline(survey),
      protocol=_protocol(survey, seconds),
      tables=tuple(_tables(survey, most)),
      galleries=tuple(_galleries(survey, read_image, most)),
      reading=_READING,
    )
  )


def describe(dataset: Dataset) -> str:
  """One line of numbers."""
  numbers = counts(dataset.people)
  return (
    f"{dataset.name} {dataset.split}: {numbers['images']:,} images, "
    f"{numbers['people']:,} people, {numbers['usable_people']:,} of them "
    f"usable, {numbers['labelled']:,} keypoints"
    + (f"; left out: {dataset.left_out}" if dataset.left_out else "")
  )


def _headline(survey: Survey) -> tuple[tuple[str, str], ...]:
  tables = [d.people for d in survey.parts[: survey.num_inspected]]
  wrong = sum(KINDS[f.kind].is_wrong for f in survey.findings)
  return (
    ("images", f"{sum(len(t.image_names) for t in tables):,}"),
    ("people", f"{sum(len(t) for t in tables):,}"),
    ("usable people", f"{sum(int(t.is_usable().sum()) for t in tables):,}"),
    ("certainly wrong", f"{wrong:,}"),
    ("to look at", f"{len(survey.findings) - wrong:,}"),
  )


def _protocol(survey: Survey, seconds: float) -> tuple[tuple[str, str], ...]:
  inspected = survey.parts[: survey.num_inspected]
  others = [f"{d.name} {d.split}" for d in survey.parts[survey.num_inspected :]]
  return (
    ("skeleton", _by_part(inspected, lambda d: d.people.skeleton.name)),
    ("boxes", _by_part(inspected, lambda d: d.people.box_source)),
    ("images also compared with", ", ".join(others) or "no other set"),
    ("time", f"{seconds:.1f} s"),
  )


def _by_part(
  datasets: Sequence[Dataset], told: Callable[[Dataset], str]
) -> str:
  """What holds for all parts, or for each what holds for it."""
  texts = [told(dataset) for dataset in datasets]
  if len(set(texts)) == 1:
    return texts[0]
  return "; ".join(
    f"{dataset.name} {dataset.split}: {text}"
    for dataset, text in zip(datasets, texts, strict=True)
  )


def _tables(survey: Survey, most: int) -> Iterator[page.Table]:
  groups = survey.by_kind()
  if groups:
    yield page.Table(
      "What was found",
      ("", "findings", ""),
      tuple(
        (
          KINDS[kind].title,
          len(group),
          "wrong" if KINDS[kind].is_wrong else "to look at",
        )
        for kind, group in groups.items()
      ),
      "The gravest first. All findings, also those not shown here, are in "
      "inspection.json.",
    )
  for kind in _WITHOUT_PICTURE:
    if kind in groups:
      yield page.Table(
        KINDS[kind].title,
        ("where", "what"),
        tuple((_where(survey, f), f.text) for f in groups[kind][:most]),
        f"{KINDS[kind].rule} {_more(groups[kind], most)}",
      )
  inspected = survey.parts[: survey.num_inspected]
  yield _count_table(inspected)
  for skeleton, datasets in itertools.groupby(
    inspected, key=lambda d: d.people.skeleton
  ):
    yield _keypoint_table(skeleton.keypoints, tuple(datasets))


def _count_table(datasets: Sequence[Dataset]) -> page.Table:
  rows = []
  columns = [counts(d.people) for d in datasets]
  releases = [_released(dataset) for dataset in datasets]
  has_releases = any(releases)
  names = {
    "images": "images",
    "people": "people",
    "people_with_keypoints": "labelled",
  }
  for key in columns[0]:
    if key == "keypoints":
      continue
    cells = [_NOT_SAID if c[key] is None else c[key] for c in columns]
    known = [getattr(p, names.get(key, ""), None) for p in releases]
    wanted = ", ".join("?" if n is None else f"{n:,}" for n in known)
    if has_releases:
      cells.append(wanted if any(known) else "")
    rows.append((_COUNTED.get(key, key.replace("_", " ")), *cells))
  heads = [f"{d.name} {d.split}" for d in datasets]
  return page.Table(
    "Counts",
    ("", *heads, *(["published"] if has_releases else [])),
    tuple(rows),
    "Usable people are no crowd, have a labelled keypoint and a box of at "
    "least a pixel.",
  )


def _released(dataset: Dataset) -> Counts | None:
  """Published numbers, not those of a split that is this repository's."""
  found = published(dataset.name, dataset.split)
  return None if found is None or found.is_ours else found


def _keypoint_table(
  names: Sequence[str], datasets: Sequence[Dataset]
) -> page.Table:
  columns = [counts(d.people)["keypoints"] for d in datasets]
  rows = []
  for name in names:
    cells = []
    for column in columns:
      labelled, hidden = column[name]["labelled"], column[name]["hidden"]
      if hidden is None:
        cells += [labelled, _NOT_SAID]
      else:
        cells += [labelled, 100 * hidden / labelled if labelled else None]
    rows.append((name.replace("_", " "), *cells))
  heads = []
  for dataset in datasets:
    heads += [f"{dataset.name} {dataset.split}", "hidden, %"]
  return page.Table("Labelled keypoints", ("", *heads), tuple(rows), decimals=1)


def _galleries(
  survey: Survey, read_image: Reader, most: int
) -> Iterator[page.Gallery]:
  for kind, group in survey.by_kind().items():
    if kind in _WITHOUT_PICTURE:
      continue
    pictures = []
    for finding in group[:most]:
      picture = draw_finding(survey, finding, read_image)
      if picture is not None:
        caption = f"{_where(survey, finding)}: {finding.text}"
        pictures.append(page.Picture(picture, caption))
    yield page.Gallery(
      f"{KINDS[kind].title} ({len(group):,})",
      f"{KINDS[kind].rule} {_more(group, most)}",
      tuple(pictures),
    )


def _more(group: Sequence[Finding], most: int) -> str:
  left = len(group) - most
  return f"Shown are the first {most}, and {left:,} more." if left > 0 else ""


def _where(survey: Survey, finding: Finding) -> str:
  """Image and person, with the set's name where there are several."""

  def place(part: int, image: int | None, person: int | None) -> str:
    dataset = survey.parts[part]
    several = len(survey.parts) > 1 or image is None
    words = [f"{dataset.name} {dataset.split}"] if several else []
    if image is not None:
      words.append(dataset.people.image_names[image].split("/")[-1])
    if person is not None:
      words.append(f"person {dataset.people.person_ids[person]}")
    return " ".join(words)

  here = place(finding.part, finding.image, finding.person)
  if finding.other_part is None:
    return here
  other = place(finding.other_part, finding.other_image, finding.other_person)
  return f"{here} and {other}"


_READING = (
  "Annotations are drawn on the pictures: the person's left is blue, the right "
  "orange, hidden keypoints are hollow, what a finding is about has a ring, "
  "the box is white. A grey border stands for the room outside the image.",
  "Findings of the kinds called wrong are faults for certain; --strict lets "
  "the command fail on them. The others are rules of thumb: hard poses set "
  "them off too, so look before you change anything.",
  "Images that come twice are found if resized, recoloured, mirrored or cut "
  "by up to a quarter, not if they share less.",
)
