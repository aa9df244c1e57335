"""The folder an evaluation is written to: scores, predictions, the report."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from pose_jax import protocol as protocol_lib
from pose_jax.eval import diagnosis_record, pck, presence_record, table
from pose_jax.eval.evaluation import Evaluation
from pose_jax.eval.predictions import from_results
from pose_jax.pages import findings as findings_lib
from pose_jax.pages import report

NOISE_SCORES = (  # what the curve of box noise shows, where measured
  *("AP", "AP50", "AR", "PCK@0.2", "PCKh@0.5", "PCP_strict@0.5"),
)
NUM_PICTURES = 8  # random and as many worst people that are drawn


def folder_for(
  parent: pathlib.Path, name: str, found: Sequence[Evaluation]
) -> pathlib.Path:
  """parent/name, or parent/name_2 and so on if that was measured otherwise.

  So that another decoder or data set does not overwrite what is there, while
  the same evaluation done again takes its own place.
  """
  protocols = [evaluation.protocol for evaluation in found]
  number = 1
  while True:
    folder = parent / (name if number == 1 else f"{name}_{number}")
    metrics = folder / "metrics.json"
    if not metrics.exists():
      return folder
    there = json.loads(metrics.read_text())
    others = [way["protocol"] for way in there.get("ways", [])]
    if _are_same([there["protocol"], *others], protocols):
      return folder
    number += 1


def _are_same(
  there: Sequence[Mapping[str, Any]], protocols: Sequence[protocol_lib.Protocol]
) -> bool:
  """Whether files hold these protocols; older ones lack fields of today."""
  try:
    return [protocol_lib.from_dict(values) for values in there] == protocols
  except ValueError:  # of a version with other fields
    return False


def write(
  found: Sequence[Evaluation],
  folder: str | pathlib.Path,
  *,
  read_image: Callable[[int], np.ndarray] | None = None,
  hm_from_crop: Float[np.ndarray, "2 3"] | None = None,
) -> pathlib.Path:
  """Writes predictions.json, report.html, pictures.jpg and metrics.json.

  Of several measurements the first is reported, and all stand in its table;
  the predictions of the others are ways/2.json and so on. Each file appears
  whole or not at all; metrics.json comes last and says that all is there.

  Args:
    read_image: index of an image of the table -> uint8 RGB; without it
      there are no photographs in the report, and no pictures.jpg.
    hm_from_crop: Frames.hm_from_crop, to lay heatmaps on crops.
  Returns:
    The folder.
  """
  first, *others = found
  findings = _findings(found, read_image, hm_from_crop)
  page = report.render(findings)
  metrics = {
    **_measured(first),
    "diagnosis": (
      diagnosis_record.to_json(first.diagnosis, first.people)
      if first.diagnosis
      else None
    ),
    "presence": (
      presence_record.to_json(first.details.presence)
      if first.details.presence
      else None
    ),
    "keypoints": list(first.keypoints),
    "num_people": len(first.details.error),
    "seconds": first.seconds,
    "ways": [_measured(evaluation) for evaluation in others],
  }
  folder = pathlib.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  _write(folder / "predictions.json", _json(first.predictions))
  for number, evaluation in enumerate(others, 2):
    (folder / "ways").mkdir(exist_ok=True)
    _write(folder / "ways" / f"{number}.json", _json(evaluation.predictions))
  _write(folder / "report.html", page.encode())
  if findings.random:
    _write(folder / "pictures.jpg", report.contact_sheet(findings))
  _write(folder / "metrics.json", _json(metrics, indent=2))
  return folder


def _measured(evaluation: Evaluation) -> dict[str, Any]:
  return {
    "scores": evaluation.scores,
    "intervals": evaluation.intervals,
    "protocol": evaluation.protocol.to_dict(),
  }


def _findings(found, read_image, hm_from_crop) -> findings_lib.Findings:
  """What the report shows, as plain arrays."""
  evaluation = found[0]
  people, details = evaluation.people.usable(), evaluation.details
  random, worst = _shown_rows(details.error)
  is_worst = set(worst)
  return findings_lib.Findings(
    skeleton=people.skeleton,
    groups=pck.groups(people.skeleton),
    title=f"{evaluation.protocol.dataset} {evaluation.protocol.split}",
    protocol=tuple(evaluation.protocol.rows()),
    scores=evaluation.scores,
    intervals=evaluation.intervals,
    ways=table.rows_of(found) if len(found) > 1 else (),
    sections=(
      *_diagnosis(found, read_image),
      *presence_record.sections(evaluation, random, read_image=read_image),
    ),
    keypoints=evaluation.keypoints,
    num_people=len(people),
    num_images=len(people.image_names),
    seconds=evaluation.seconds,
    precision=details.coco.precision if details.coco else {},
    recall=details.coco.recall if details.coco else np.zeros(0),
    pck=_pck_curves(details, people.skeleton),
    thresholds=pck.CURVE,
    num_without_reference={
      name: measured.num_without_reference
      for name, measured in (("PCK", details.pck), ("PCKh", details.pckh))
      if measured
    },
    random=_drawn(people, details, random, read_image),
    worst=_drawn(people, details, worst, read_image),
    heatmaps=tuple(
      (
        ("worst: " if row in is_worst else "") + _caption(people, details, row),
        crop,
        heatmaps,
      )
      for row, crop, heatmaps in evaluation.heatmaps
    )
    if hm_from_crop is not None
    else (),
    attention=evaluation.attention if hm_from_crop is not None else (),
    hm_from_crop=hm_from_crop,
  )


def _diagnosis(found, read_image):
  """Parts of the report on the diagnosis, where there is one."""
  first = found[0]
  if first.diagnosis is None:
    return ()
  return diagnosis_record.sections(
    first.diagnosis,
    first.people,
    from_results(first.predictions, first.people.skeleton.num_keypoints),
    read_image=read_image,
    box_noise=_box_noise(found),
  )


def _box_noise(found) -> tuple[tuple[float, dict], ...]:
  """(amount, scores) in annotated people's boxes, moved and not.

  Of the measurements that are otherwise like the first, which may be in a
  detector's boxes.
  """

  def tested(protocol):
    return dataclasses.replace(
      protocol, box_source="any", box_file_sha256="", box_noise=0.0
    )

  def is_alike(protocol):
    first = dataclasses.replace(
      found[0].protocol, pck_variant=protocol.pck_variant
    )
    is_of_people = not protocol.box_file_sha256
    return is_of_people and tested(protocol) == tested(first)

  moved = [
    (
      evaluation.protocol.box_noise,
      {k: v for k, v in evaluation.scores.items() if k in NOISE_SCORES},
    )
    for evaluation in found
    if is_alike(evaluation.protocol)
  ]
  return tuple(sorted(moved, key=lambda m: m[0])) if len(moved) > 1 else ()


def _shown_rows(error) -> tuple[list[int], list[int]]:
  """Rows of a few random people and of the worst, worst first."""
  num = min(NUM_PICTURES, len(error))
  random = np.random.default_rng(0).permutation(len(error))[:num]
  return random.tolist(), np.argsort(-error, kind="stable")[:num].tolist()


def _pck_curves(details, skeleton) -> dict[str, np.ndarray]:
  """PCK over the thresholds: of all keypoints, of groups, of the mean pose."""
  measured = details.pck or details.pckh
  if measured is None:
    return {}
  curves = pck.curves(measured, skeleton)
  if details.baseline is not None:
    curves["mean pose"] = details.baseline.total
  return curves


def _drawn(
  people, details, rows, read_image
) -> tuple[findings_lib.Person, ...]:
  """The people of some rows with their photographs."""
  if read_image is None:
    return ()
  # A score of 0 says that nothing was found: there is nothing to draw.
  is_found = details.matched[..., 2:] > 0
  found_xy = np.where(is_found, details.matched[..., :2], np.nan)
  return tuple(
    findings_lib.Person(
      caption=_caption(people, details, row),
      image=read_image(int(people.image_index[row])),
      box_xywh_img=np.asarray(people.box_xywh_img[row], np.float64),
      kpts_xy_img=found_xy[row],
      true_xy_img=np.asarray(people.kpts_xy_img[row], np.float64),
      vis=people.vis[row],
    )
    for row in rows
  )


def _caption(people, details, row) -> str:
  """Image, person and how right the prediction is."""
  name = pathlib.PurePath(people.image_names[people.image_index[row]]).stem
  how = f"error {details.error[row]:.2f}"
  if details.pck is None:
    how = f"OKS {1 - details.error[row]:.2f}"
  return f"{name}, person {people.person_ids[row]}: {how}"


def _json(value: Any, indent: int | None = None) -> bytes:
  return (json.dumps(value, indent=indent, allow_nan=False) + "\n").encode()


def _write(path: pathlib.Path, content: bytes) -> None:
  temporary = path.with_name(f".{path.name}.{os.getpid()}")
  temporary.write_bytes(content)
  os.replace(temporary, path)
