import cv2
import numpy as np
import pytest

from pose_jax.data import augment
from pose_jax.data.augment import Warp
from pose_jax.geometry import ALIGNMENTS, Frames
from pose_jax.skeleton import COCO17

OPENCV_5 = int(cv2.__version__.split(".")[0]) >= 5
GREY_LEVELS = 1 if OPENCV_5 else 5  # older ones interpolate in 1/32 pixels
WARPS = [
  Warp(),
  Warp(flip=True),
  Warp(scale=0.8, rotation_rad=0.5, translation_fraction_xy=(0.1, -0.05)),
  Warp(1.2, -2.0, (-0.2, 0.3), flip=True),
]


def frames(alignment="corner", crop_hw=(64, 48)):
  map_hw = (crop_hw[0] // 4, crop_hw[1] // 4)
  return Frames(crop_hw, map_hw, alignment)


def png(image):
  return cv2.imencode(".png", image[..., ::-1])[1].tobytes()


def noise(hw, seed=0):
  return np.random.default_rng(seed).integers(0, 256, (*hw, 3), np.uint8)


def matrix_of(frames_, box_xywh, warp):
  center, size = frames_.center_size(np.array([box_xywh], float))
  return augment.crop_from_img(frames_, center, size, [warp])[0]


def warped_by_hand(image, frames_, box_xywh, warp):
  """One crop, pixel by pixel, from the definition of every step."""
  height, width = image.shape[:2]
  inset = 0 if frames_.alignment == "corner" else 1
  box_inset = 1 if frames_.alignment == "unit" else 0
  crop_h, crop_w = frames_.crop_hw
  x, y, w, h = box_xywh
  aspect = crop_w / crop_h
  size_w = max(w, h * aspect) * 1.25
  size_h = size_w / aspect
  shift_x, shift_y = warp.translation_fraction_xy
  center_x = x + (w - box_inset) / 2 + shift_x * size_w
  center_y = y + (h - box_inset) / 2 + shift_y * size_h
  step_x = step_y = (size_w * warp.scale - box_inset) / (crop_w - inset)
  if frames_.alignment == "udp":
    step_y = size_h * warp.scale / (crop_h - 1)
  cos, sin = np.cos(warp.rotation_rad), np.sin(warp.rotation_rad)
  crop = np.zeros((crop_h, crop_w, 3))
  for v in range(crop_h):
    for u in range(crop_w):
      column = crop_w - inset - u if warp.flip else u
      du = (column - (crop_w - inset) / 2) * step_x
      dv = (v - (crop_h - inset) / 2) * step_y
      px, py = center_x + cos * du - sin * dv, center_y + sin * du + cos * dv
      left, top = int(np.floor(px)), int(np.floor(py))
      for dy in (0, 1):
        for dx in (0, 1):
          if 0 <= left + dx < width and 0 <= top + dy < height:
            weight = (1 - abs(px - left - dx)) * (1 - abs(py - top - dy))
            crop[v, u] += weight * image[top + dy, left + dx]
  return crop


@pytest.mark.parametrize("alignment", ALIGNMENTS)
@pytest.mark.parametrize("warp", WARPS)
def test_crop_equals_a_bilinear_warp_by_hand(alignment, warp):
  image, box = noise((50, 60)), (10.5, 5.0, 20.0, 30.0)
  frames_ = frames(alignment, (32, 24))
  crop = augment.crop_person(
    png(image), "a", matrix_of(frames_, box, warp), frames_.crop_hw
  )
  by_hand = warped_by_hand(image, frames_, box, warp)
  assert np.abs(crop - by_hand).max() <= GREY_LEVELS


@pytest.mark.parametrize("alignment", ALIGNMENTS)
@pytest.mark.parametrize("image_hw", [(120, 160), (480, 640), (960, 1280)])
@pytest.mark.parametrize("kind", [".jpg", ".png"])
def test_keypoints_land_on_the_same_content(alignment, image_hw, kind):
  """A blob drawn at a keypoint is found where the keypoint went.

  The larger images are decoded at reduced size, so this also checks the half
  pixels of that.
  """
  unit = image_hw[0] / 120
  frames_ = frames(alignment, (96, 72))
  box = np.array([40, 15, 60, 80]) * unit
  point_xy = np.array([73.3, 52.6]) * unit
  y, x = np.mgrid[: image_hw[0], : image_hw[1]]
  squared = (x - point_xy[0]) ** 2 + (y - point_xy[1]) ** 2
  blob = 250 * np.exp(-squared / (2 * (2 * unit) ** 2))
  image = np.repeat(blob[..., None], 3, 2).round().astype(np.uint8)
  data = cv2.imencode(kind, image)[1].tobytes()
  for warp in WARPS[:3] + [Warp(1.1, -0.7, (-0.05, 0.1), flip=True)]:
    matrix = matrix_of(frames_, box, warp)
    crop = augment.crop_person(data, "a", matrix, frames_.crop_hw)
    mass = crop[..., 0].astype(float)
    v, u = np.mgrid[:96, :72]
    found = np.array([(mass * u).sum(), (mass * v).sum()]) / mass.sum()
    kpts, _ = augment.warp_keypoints(
      np.tile(point_xy, (1, 17, 1)),
      np.ones((1, 17), np.int8),
      matrix[None],
      [warp],
      COCO17.flip_permutation,
    )
    np.testing.assert_allclose(kpts[0, 0], found, atol=0.05)


@pytest.mark.parametrize(
  "size,reduction", [(40, 1), (79, 1), (80, 2), (159, 2), (160, 4), (700, 8)]
)
def test_reduction_needs_that_many_image_pixels_per_crop_pixel(size, reduction):
  frames_ = Frames((40, 40), (10, 10), padding=1.0)
  for warp in (Warp(), Warp(rotation_rad=1.0), Warp(flip=True)):
    grown = size * (1 + 1e-9)  # rounding of the rotated matrix
    matrix = matrix_of(frames_, (3, 4, grown, grown), warp)
    assert augment.reduction(matrix) == reduction


@pytest.mark.parametrize("wh", [(160, 80), (80, 160), (700, 85)])
@pytest.mark.parametrize("turn", [0.0, 1.0])
def test_reduction_of_a_stretched_crop_leaves_its_shorter_side_whole(wh, turn):
  frames_ = Frames((40, 40), (10, 10), padding=1.0, keep_aspect=False)
  box = (3, 4, *(side * (1 + 1e-9) for side in wh))
  assert augment.reduction(matrix_of(frames_, box, Warp(1.0, turn))) == 2


def test_reduced_crop_is_nearer_to_the_mean_of_the_pixels_it_covers():
  image = noise((256, 256))
  frames_ = Frames((64, 64), (16, 16), padding=1.0)
  matrix = matrix_of(frames_, (-0.5, -0.5, 256, 256), Warp())
  # corner alignment: crop pixel i is image point 4i - 0.5; shift to the block
  matrix[:, 2] -= 0.5
  blocks = image.reshape(64, 4, 64, 4, 3).mean((1, 3))
  error = {
    reduce: np.abs(
      augment.crop_person(png(image), "a", matrix, (64, 64), reduce=reduce)
      - blocks
    )
    for reduce in (True, False)
  }
  assert error[True].max() <= 1 and error[False].mean() > 20


def test_reduction_changes_nothing_where_the_crop_needs_all_pixels():
  image = noise((100, 100))
  frames_ = frames()
  matrix = matrix_of(frames_, (10, 10, 40, 50), WARPS[2])
  crops = [
    augment.crop_person(png(image), "a", matrix, (64, 48), reduce=reduce)
    for reduce in (True, False)
  ]
  np.testing.assert_array_equal(*crops)


@pytest.mark.parametrize("alignment", ALIGNMENTS)
def test_flipped_crop_is_the_mirror_image(alignment):
  frames_, box = frames(alignment), (10, 5, 30, 45)
  plain, flipped = (
    augment.crop_person(
      png(noise((70, 90))),
      "a",
      matrix_of(frames_, box, Warp(0.9, 0.3, (0.1, 0.0), flip)),
      frames_.crop_hw,
    )
    for flip in (False, True)
  )
  mirrored = plain[:, ::-1]
  if alignment == "corner":  # mirrored about W / 2: column W has no partner
    flipped, mirrored = flipped[:, 1:], mirrored[:, :-1]
  assert np.abs(flipped.astype(int) - mirrored).max() <= GREY_LEVELS


@pytest.mark.parametrize("alignment", ALIGNMENTS)
def test_flipping_twice_is_the_identity(alignment):
  frames_ = frames(alignment)
  rng = np.random.default_rng(0)
  kpts = rng.uniform(0, 48, (3, 17, 2))
  vis = rng.integers(0, 3, (3, 17)).astype(np.int8)
  flip = [Warp(flip=True)] * 3
  mirror = np.repeat(frames_.mirror[None], 3, 0)
  swap = COCO17.flip_permutation
  once = augment.warp_keypoints(kpts, vis, mirror, flip, swap)
  twice = augment.warp_keypoints(*once, mirror, flip, swap)
  np.testing.assert_allclose(twice[0], kpts, atol=1e-9)
  np.testing.assert_array_equal(twice[1], vis)
  assert not np.array_equal(once[1], vis)


def test_flip_swaps_left_and_right_with_their_visibility():
  kpts = np.arange(34, dtype=float).reshape(1, 17, 2)
  vis = np.zeros((1, 17), np.int8)
  left, right = COCO17.index("left_wrist"), COCO17.index("right_wrist")
  vis[0, left] = 2
  swapped, vis_swapped = augment.warp_keypoints(
    kpts,
    vis,
    frames().mirror[None],
    [Warp(flip=True)],
    COCO17.flip_permutation,
  )
  assert vis_swapped[0, right] == 2 and vis_swapped.sum() == 2
  x, y = kpts[0, left]
  np.testing.assert_allclose(swapped[0, right], [48 - x, y])
