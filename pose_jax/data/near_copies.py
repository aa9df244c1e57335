"""Images that show the same photograph, or the same scene a moment later.

Three stages. Candidates: every pair of thumbnails, the first one whole, cut
or mirrored, is compared by the correlation of 16 x 16 grey pixels, which is
one matrix product. Alignment: the thumbnails of a candidate must correlate
once an affine map (Evangelidis and Psarakis 2008's ECC, as OpenCV has it) has
laid them on each other. Verification: the pictures are read again, aligned
likewise and correlated patch by patch, which tells a copy from a photograph
of the same scene, whose background agrees but whose person moved.

Found are copies that were resized, compressed, recoloured, mirrored or cut
down to about three quarters; not those that share a small part, or that were
turned.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

Grey = UInt8[np.ndarray, "_ _"]
Thumbnails = UInt8[np.ndarray, "M s s"]

COPY = 0.945  # mean correlation of the patches of one photograph
SAME_SCENE = 0.8  # of two taken one after the other
_SIDE = 16  # pixels of a descriptor
_LEAST_WHOLE = 0.78  # correlation that makes two whole images candidates
_LEAST_CUT = 0.9  # likewise where one is a part of the other
_FLAT = 3.0  # grey levels: thumbnails that vary less show nothing
_LARGE = 128  # pixels of the longer side in the verification
_PATCHES = 8  # along the longer side
_LEAST_PATCHES = 6
_LEAST_OVERLAP = 0.4  # of the window
# (blur in pixels, iterations) of an alignment, coarse to fine, and what the
# aligned pictures must correlate to.
_ROUGH, _LEAST_ROUGH = ((3, 40),), 0.88
_FINE, _LEAST_FINE = ((9, 12), (5, 40)), 0.85
_TEXTURE = 6.0  # grey levels: patches that vary less are not compared
_CELLS = 1 << 25  # of the correlation matrix at a time


@dataclasses.dataclass(frozen=True)
class Window:
  """The part of the first image that is laid on the whole second one."""

  left: float
  top: float
  size: float
  is_mirrored: bool = False


WHOLE = Window(0.0, 0.0, 1.0)
WINDOWS = (
  WHOLE,
  Window(0.0, 0.0, 1.0, True),
  *(Window(x, y, 0.875) for x in (0.0, 0.125) for y in (0.0, 0.125)),
  *(Window(x, y, 0.75) for x in (0.0, 0.25) for y in (0.0, 0.25)),
  Window(0.125, 0.125, 0.75),
)


@dataclasses.dataclass(frozen=True)
class NearCopy:
  """Two images that show the same.

  Attributes:
    first, second: rows.
    agreement: mean correlation of aligned patches, at most 1.
    overlap: share of the first image that the second one covers.
    is_mirrored: one is the mirror image of the other.
  """

  first: int
  second: int
  agreement: float
  overlap: float
  is_mirrored: bool

  @property
  def is_copy(self) -> bool:
    """One photograph; otherwise two of the same scene."""
    return self.agreement >= COPY


def find_near_copies(
  thumbnails: Thumbnails,
  read_grey: Callable[[int], Grey],
  *,
  is_asked: Bool[np.ndarray, "M"] | None = None,
  num_threads: int = 2,
  progress: Callable[[int, int], None] | None = None,
) -> tuple[NearCopy, ...]:
  """Pairs that show the same photograph or scene, the most alike first.

  Args:
    thumbnails: of all images.
    read_grey: row -> grey picture; called for candidates only, in threads.
    is_asked: pairs with at least one of these rows are looked for (default:
      all rows).
    progress: called with candidate pairs done and wanted.
  """
  if is_asked is None:
    is_asked = np.ones(len(thumbnails), bool)
  candidates = find_candidates(thumbnails, is_asked)
  read = functools.lru_cache(2048)(lambda i: _shrink(read_grey(i)))

  def check(candidate: tuple[int, int, Window]) -> NearCopy | None:
    i, j, window = candidate
    if not _is_alike(thumbnails[i], thumbnails[j], window):
      return None
    return _verify(read(i), read(j), *candidate)

  best: dict[tuple[int, int], NearCopy] = {}
  with ThreadPoolExecutor(num_threads) as pool:
    for done, pair in enumerate(pool.map(check, candidates), 1):
      if progress:
        progress(done, len(candidates))
      if pair is None:
        continue
      key = min(pair.first, pair.second), max(pair.first, pair.second)
      if key not in best or pair.agreement > best[key].agreement:
        best[key] = pair
  return tuple(sorted(best.values(), key=lambda p: -p.agreement))


def find_candidates(
  thumbnails: Thumbnails, is_asked: Bool[np.ndarray, "M"]
) -> list[tuple[int, int, Window]]:
  """Pairs whose thumbnails correlate, and which part of the first did.

  Sorted by row, so that pictures read for one pair serve the next. A pair
  occurs at most twice: as it is, and mirrored.
  """
  whole = _descriptors(thumbnails, WHOLE)
  best: dict[tuple[int, int, bool], tuple[float, int, int, Window]] = {}
  for window in WINDOWS:
    parts = whole if window is WHOLE else _descriptors(thumbnails, window)
    least = _LEAST_WHOLE if window.size == 1 else _LEAST_CUT
    for i, j, value in _correlated(parts, whole, least):
      if i == j or not (is_asked[i] or is_asked[j]):
        continue
      key = (min(i, j), max(i, j), window.is_mirrored)
      if key not in best or value > best[key][0]:
        best[key] = (value, i, j, window)
  return sorted(
    (candidate[1:] for candidate in best.values()), key=lambda c: c[:2]
  )


def _descriptors(
  thumbnails: Thumbnails, window: Window
) -> Float32[np.ndarray, "M d"]:
  """Grey pixels of a window, mean 0 and length 1; 0 where it is flat."""
  side = thumbnails.shape[1]
  top, left = round(window.top * side), round(window.left * side)
  size = round(window.size * side)
  out = np.zeros((len(thumbnails), _SIDE**2), np.float32)
  for row, thumbnail in enumerate(thumbnails):
    part = thumbnail[top : top + size, left : left + size]
    if window.is_mirrored:
      part = part[:, ::-1]
    small = cv2.resize(
      np.ascontiguousarray(part),
      (_SIDE, _SIDE),
      interpolation=cv2.INTER_AREA,
    )
    values = small.ravel().astype(np.float32)
    values -= values.mean()
    length = np.linalg.norm(values)
    if length > _FLAT * _SIDE:
      out[row] = values / length
  return out


def _correlated(
  parts: Float32[np.ndarray, "M d"],
  whole: Float32[np.ndarray, "M d"],
  least: float,
) -> Iterator[tuple[int, int, float]]:
  """(row of a part, row of a whole, correlation) of at least `least`."""
  num_rows = max(1, _CELLS // max(1, len(whole)))
  for start in range(0, len(parts), num_rows):
    values = parts[start : start + num_rows] @ whole.T
    rows, columns = np.nonzero(values >= least)
    for i, j in zip(rows.tolist(), columns.tolist(), strict=True):
      yield start + i, j, float(values[i, j])


def _shrink(grey: Grey) -> Grey:
  """At most _LARGE pixels a side."""
  factor = _LARGE / max(grey.shape)
  if factor >= 1:
    return grey
  return cv2.resize(
    grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA
  )


def _is_alike(first: Grey, second: Grey, window: Window) -> bool:
  """Whether two thumbnails can be laid on each other."""
  first = _mirrored(first) if window.is_mirrored else first
  return _align(first, second, window, _ROUGH, _LEAST_ROUGH) is not None


def _mirrored(picture: Grey) -> Grey:
  return np.ascontiguousarray(picture[:, ::-1])


def _verify(
  first: Grey, second: Grey, i: int, j: int, window: Window
) -> NearCopy | None:
  """Aligns two pictures and compares them patch by patch."""
  if window.is_mirrored:
    first = _mirrored(first)
  second_from_first = _align(first, second, window, _FINE, _LEAST_FINE)
  if second_from_first is None:
    return None
  laid, is_covered = _lay(second, second_from_first, first.shape)
  overlap = float(is_covered.mean())
  if overlap < _LEAST_OVERLAP * window.size**2:
    return None
  patches = _patch_correlations(first, laid, is_covered)
  if len(patches) < _LEAST_PATCHES or np.mean(patches) < SAME_SCENE:
    return None
  return NearCopy(i, j, float(np.mean(patches)), overlap, window.is_mirrored)


def _align(
  first: Grey,
  second: Grey,
  window: Window,
  rounds: tuple[tuple[int, int], ...],
  least: float,
) -> Float32[np.ndarray, "2 3"] | None:
  """Matrix from pixels of the first picture to pixels of the second.

  None where the aligned pictures correlate less than `least`.
  """
  (h, w), (h2, w2) = first.shape, second.shape
  fx, fy = w2 / (w * window.size), h2 / (h * window.size)
  matrix = np.array(
    [[fx, 0, -fx * window.left * w], [0, fy, -fy * window.top * h]],
    np.float32,
  )
  for blur, steps in rounds:
    stop = cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, steps, 1e-4
    try:
      value, matrix = cv2.findTransformECC(
        first, second, matrix, cv2.MOTION_AFFINE, stop, None, blur
      )
    except cv2.error:  # it did not converge
      return None
    if value < least:
      return None
  return matrix


def _lay(
  second: Grey,
  second_from_first: Float32[np.ndarray, "2 3"],
  hw: tuple[int, ...],
) -> tuple[Float32[np.ndarray, "H W"], Bool[np.ndarray, "H W"]]:
  """The second picture laid on the first one, and where it covers it."""
  ones = np.ones(second.shape, np.float32)
  laid, covered = (
    cv2.warpAffine(
      picture,
      second_from_first,
      hw[::-1],
      flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    for picture in (second.astype(np.float32), ones)
  )
  return laid, covered > 0.99


def _patch_correlations(
  first: Grey,
  laid: Float32[np.ndarray, "H W"],
  is_covered: Bool[np.ndarray, "H W"],
) -> Sequence[float]:
  """Of every covered patch with texture."""
  size = max(4, max(first.shape) // _PATCHES)
  values = []
  for y in range(0, first.shape[0] - size // 2, size):
    for x in range(0, first.shape[1] - size // 2, size):
      at = np.s_[y : y + size, x : x + size]
      if is_covered[at].mean() < 0.9:
        continue
      a, b = (p[at][is_covered[at]].astype(np.float32) for p in (first, laid))
      a, b = a - a.mean(), b - b.mean()
      if max(a.std(), b.std()) >= _TEXTURE:
        product = np.linalg.norm(a) * np.linalg.norm(b)
        values.append(float(a @ b / max(product, 1e-6)))
  return values
