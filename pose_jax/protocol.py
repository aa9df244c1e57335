"""How a number was measured.

A score of human pose estimation means nothing without its protocol: ground
truth boxes instead of a detector's, or a flip test one column off, move it by
more than most published improvements. So no score leaves this code base
without a `Protocol`, printed beside it and saved with it.

None in a field means "not known" (predictions that came as a file); it is
written out as such, never left away.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

UNKNOWN = "not known"
COORDINATES = "coordinates"  # codec and decoder of networks that regress them
BOX_FILE = "box file's sha256"  # among the rows of a protocol


@dataclasses.dataclass(frozen=True, kw_only=True)
class Protocol:
  """Everything that changes a score without changing the network's weights.

  Attributes:
    dataset, split: what was evaluated, "coco", "val2017".
    num_people, num_images: who counts, and in how many pictures.
    annotations_sha256: hash of the annotations, in the form of our table.
    area_source: what OKS takes for a person's area; "" if unused.
    box_source: "ground truth", "keypoints", "image", or a detections file.
    box_file_sha256: hash of the detections file; "" where boxes are no file.
    box_noise: share of its size by which ground-truth boxes were moved.
    flip_test: whether the mirror image was averaged in.
    flip_shift: heatmap columns by which the mirrored map was shifted.
    scales: factors of the test pyramid.
    clip_negative: whether negative values of the maps were set to 0 first.
    alignment: "corner", "unit" or "udp" (geometry.py).
    codec: "truncated" or "unbiased" Gaussian that the network was trained on,
      or "coordinates", which it regresses.
    sigma_hm: the Gaussian's sigma, heatmap pixels.
    stage: of a network of several, counted from 1, which was decoded; 0: the
      last, or the only one.
    coordinate_loss: what the coordinates were learnt by, "l2"; "" if the
      network regresses none.
    presence_threshold: probability below which a keypoint is absent, its score
      0; None if the network does not say.
    decoder: "argmax", "quarter", "dark" or "weighted", or "coordinates",
      where nothing is decoded.
    blur_kernel: heatmap pixels; "dark" only.
    decoder_n, decoder_window: pixels averaged, side of the window round the
      peak in heatmap pixels (None: the whole map); "weighted" only.
    nms: non-maximum suppression between people, "none" if there was none.
    pck_variant: threshold and reference length of PCK or PCKh; "" if unused.
    checkpoint_step: training steps behind the weights.
    num_parameters: trainable parameters.
    code_version: version of pose_jax, with the revision where it is known.
    network: name of the network; crop_hw: its input (height, width).
    stretched: whether boxes were stretched to it (Frames.keep_aspect False).
    attention: which the network has, in words; "" if none or not known.
    plug_in: its skeletal heatmaps, what stands behind its heatmaps, and which
      of its maps is decoded; "" if there is nothing of the kind.
    weights: the file that they are, or that training started from; "" where
      it started from random numbers.
    reduced_decoding: whether large photographs were decoded at reduced size.
  Raises:
    ValueError: if two fields contradict each other.
  """

  dataset: str
  split: str
  box_source: str
  flip_test: bool | None
  flip_shift: int | None
  alignment: str | None
  codec: str | None
  sigma_hm: float | None
  decoder: str | None
  num_people: int | None = None
  num_images: int | None = None
  annotations_sha256: str = ""
  area_source: str = ""
  box_file_sha256: str = ""
  box_noise: float = 0.0
  coordinate_loss: str = ""
  presence_threshold: float | int | None = None
  scales: tuple[float, ...] | None = (1.0,)
  clip_negative: bool = False
  blur_kernel: int | None = None
  decoder_n: int | None = None
  decoder_window: int | None = None
  nms: str | None = "none"
  pck_variant: str = ""
  checkpoint_step: int | None = None
  num_parameters: int | None = None
  code_version: str = ""
  network: str = ""
  attention: str = ""
  plug_in: str = ""
  weights: str = ""
  crop_hw: tuple[int, int] | None = None
  stretched: bool = False
  stage: int = 0
  reduced_decoding: bool | None = None

  def __post_init__(self):
    if not self.box_source:
      raise ValueError(
        "box_source must say where the person boxes came from, for example "
        "'ground truth': a score without it cannot be compared"
      )
    if self.flip_test and self.flip_shift is None:
      raise ValueError("flip_test is on, so flip_shift must be stated")
    needs = {"dark": "blur_kernel", "weighted": "decoder_n"}.get(self.decoder)
    if needs and getattr(self, needs) is None:
      raise ValueError(f"decoder {self.decoder!r} needs {needs} to be stated")

    self._check_regression()

  def _check_regression(self):
    known = [v for v in (self.codec, self.decoder) if v is not None]
    if COORDINATES in known and set(known) != {COORDINATES}:
      raise ValueError(
        f"codec {self.codec!r} and decoder {self.decoder!r} contradict each "
        "other: a network regresses coordinates or gives heatmaps to decode"
      )
    if self.codec == COORDINATES and not self.coordinate_loss:
      raise ValueError("codec 'coordinates' needs coordinate_loss to be stated")

  def describe(self) -> str:
    """The whole protocol on one readable line."""
    return ", ".join(f"{name} {value}" for name, value in self.rows())

  def rows(self) -> list[tuple[str, str]]:
    """(what, how) pairs for a table, in the order of `describe`."""
    rows = [
      ("data", f"{self.dataset} {self.split}".strip()),
      ("people", self._people_text()),
      ("person's area", self.area_source),
      ("boxes", self.box_source),
      (BOX_FILE, self.box_file_sha256 and self.box_file_sha256[:12]),
      ("network", self.network or UNKNOWN),
      ("stage", str(self.stage or "")),
      ("attention", self.attention),
      ("plug-in", self.plug_in),
      ("input", self._input_text()),
      ("decoding", self._decoding_text()),
      ("flip test", self._flip_text()),
      (
        "scales",
        _text(self.scales and " ".join(f"{s:g}" for s in self.scales))
        + (", clipped at 0" if self.clip_negative else ""),
      ),
      ("alignment", _text(self.alignment)),
      ("targets", self._codec_text()),
      ("decoder", self._decoder_text()),
      ("absent", self._absent_text()),
      ("NMS", _text(self.nms)),
      ("PCK", self.pck_variant),
      ("step", _text(self.checkpoint_step)),
      ("weights", self.weights),
      ("parameters", self._parameters_text()),
      ("code", self.code_version or UNKNOWN),
    ]
    unknown = [name for name, text in rows if text == UNKNOWN]
    known = [
      (name, text) for name, text in rows if text and name not in unknown
    ]
    return known + ([(UNKNOWN, ", ".join(unknown))] if unknown else [])

  def _people_text(self) -> str:
    if self.num_people is None:
      return ""
    text = f"{self.num_people:,} in {self.num_images:,} pictures"
    if self.annotations_sha256:
      text += f" (annotations {self.annotations_sha256[:12]})"
    return text

  def _input_text(self) -> str:
    if self.crop_hw is None:
      return UNKNOWN
    height, width = self.crop_hw
    return f"{height}x{width}" + ", box stretched" * self.stretched

  def _decoding_text(self) -> str:
    if self.reduced_decoding is None:
      return UNKNOWN
    return "large pictures reduced" if self.reduced_decoding else "full size"

  def _flip_text(self) -> str:
    if self.flip_test is None:
      return UNKNOWN
    if self.flip_test and self.codec == COORDINATES:
      return "on"  # there are no columns to shift
    return f"on (shift {self.flip_shift})" if self.flip_test else "off"

  def _absent_text(self) -> str:
    if self.presence_threshold is None:
      return ""
    return f"below {self.presence_threshold:g} of presence"

  def _codec_text(self) -> str:
    if self.codec is None:
      return UNKNOWN
    if self.codec == COORDINATES:
      return f"{COORDINATES} ({self.coordinate_loss})"
    sigma = UNKNOWN if self.sigma_hm is None else f"{self.sigma_hm:g}"
    return f"{self.codec} (sigma {sigma})"

  def _decoder_text(self) -> str:
    if self.decoder == "dark":
      return f"dark (blur kernel {self.blur_kernel})"
    if self.decoder == "weighted":
      window = (
        "whole map"
        if self.decoder_window is None
        else (f"window {self.decoder_window}")
      )
      return f"weighted (n {self.decoder_n}, {window})"
    return _text(self.decoder)

  def _parameters_text(self) -> str:
    if self.num_parameters is None:
      return UNKNOWN
    return f"{self.num_parameters / 1e6:.2f} M"

  def to_dict(self) -> dict[str, Any]:
    """Plain values for JSON; `from_dict` gives the same protocol back."""
    return {
      name: list(value) if isinstance(value, tuple) else value
      for name, value in dataclasses.asdict(self).items()
    }


def unknown(
  dataset: str, split: str, *, predictions: str, **measured_on: Any
) -> Protocol:
  """The protocol of a file of predictions of which only the name is known.

  Args:
    predictions: the name.
    measured_on: further fields, of whom it was measured on.
  """
  return Protocol(
    dataset=dataset,
    split=split,
    box_source=f"{UNKNOWN} (predictions: {predictions})",
    flip_test=None,
    flip_shift=None,
    alignment=None,
    codec=None,
    sigma_hm=None,
    decoder=None,
    scales=None,
    nms=None,
    **measured_on,
  )


def from_dict(values: Mapping[str, Any]) -> Protocol:
  """The protocol that `to_dict` wrote.

  Raises:
    ValueError: naming the unknown or missing fields.
  """
  fields = dataclasses.fields(Protocol)
  unknown = sorted(set(values) - {f.name for f in fields})
  missing = [
    f.name
    for f in fields
    if f.default is dataclasses.MISSING and f.name not in values
  ]
  if unknown or missing:
    raise ValueError(
      "a protocol was expected, but "
      + "; ".join(
        f"{what} {', '.join(names)}"
        for what, names in (("unknown:", unknown), ("missing:", missing))
        if names
      )
    )
  return Protocol(
    **{
      name: tuple(value) if isinstance(value, list) else value
      for name, value in values.items()
    }
  )


def _text(value: Any) -> str:
  return UNKNOWN if value is None else str(value)
