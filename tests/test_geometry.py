"""Frames and matrices: goldens, warps and properties of each alignment."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pose_jax import geometry

SIZES = [((256, 192), (64, 48)), ((384, 288), (96, 72)), ((256, 256), (64, 64))]
PREFIX = {"corner": "", "unit": "dark_"}


def _golden_cases(goldens, alignment):
  """Yields Frames and the golden arrays of each input size, by short name."""
  golden = np.load(goldens / "transforms.npz")
  prefix = PREFIX[alignment]
  for i, (crop_hw, map_hw) in enumerate(SIZES):
    assert tuple(golden["input_sizes_wh"][i]) == crop_hw[::-1]
    case = {
      name: golden[prefix + name][i]
      for name in (
        "center",
        "scale",
        "trans",
        "trans_inv",
        "points_to_input",
        "points_to_image",
      )
    }
    # The peers do not pad a box whose centre is exactly x = -1 (their mark
    # for "no centre"); that is not copied, so such boxes are left out.
    keep = case["center"][:, 0] != -1
    case |= {
      "boxes_xywh": golden["boxes_xywh"],
      "rotation_rad": np.deg2rad(golden["rot_deg"]),
      "points_image": golden["points_image"],
      "points_heatmap": golden["points_heatmap"],
    }
    yield (
      geometry.Frames(crop_hw, map_hw, alignment),
      {name: value[keep].astype(np.float64) for name, value in case.items()},
    )


def _assert_points_close(points, expected):
  # The peers' matrices go through float32 corner points: 1e-3 px, or 1e-5 of
  # the coordinates of huge boxes.
  size = np.abs(expected).max(axis=(-2, -1), keepdims=True)
  assert (np.abs(points - expected) <= 1e-3 + 1e-5 * size).all()


@pytest.mark.parametrize("alignment", PREFIX)
def test_center_and_size_agree_with_goldens(goldens, alignment):
  for frames, case in _golden_cases(goldens, alignment):
    center_xy, size_wh = frames.center_size(case["boxes_xywh"])
    np.testing.assert_allclose(center_xy, case["center"], rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(size_wh, case["scale"] * 200, rtol=1e-6)


@pytest.mark.parametrize("alignment", PREFIX)
def test_crop_points_agree_with_goldens(goldens, alignment):
  for frames, case in _golden_cases(goldens, alignment):
    center_size = case["center"], case["scale"] * 200
    rotation_rad = case["rotation_rad"]
    crop_from_img = frames.crop_from_img(
      *center_size, rotation_rad=rotation_rad
    )
    _assert_points_close(
      geometry.transform(case["points_image"], crop_from_img),
      case["points_to_input"],
    )


@pytest.mark.parametrize("alignment", PREFIX)
def test_image_points_of_heatmaps_agree_with_goldens(goldens, alignment):
  for frames, case in _golden_cases(goldens, alignment):
    img_from_hm = frames.img_from_hm(case["center"], case["scale"] * 200)
    _assert_points_close(
      geometry.transform(case["points_heatmap"], img_from_hm),
      case["points_to_image"],
    )


@pytest.mark.parametrize("alignment", PREFIX)
def test_inverse_agrees_with_goldens(goldens, alignment):
  for frames, case in _golden_cases(goldens, alignment):
    crop_from_img = frames.crop_from_img(
      case["center"],
      case["scale"] * 200,
      rotation_rad=case["rotation_rad"],
    )
    height, width = frames.crop_hw
    corners_xy_crop = np.array(
      [[0, 0], [width, 0], [0, height], [width, height]], np.float64
    )
    _assert_points_close(
      geometry.transform(corners_xy_crop, geometry.invert(crop_from_img)),
      geometry.transform(corners_xy_crop, case["trans_inv"]),
    )


@pytest.mark.parametrize("index", [0, 1])
def test_warps_agree_with_goldens(goldens, index):
  golden = np.load(goldens / "warps.npz")
  expected = golden[f"warp{index}_cv5"].astype(int)
  warp = cv2.warpAffine(
    golden[f"image{index}"],
    golden[f"trans{index}"],
    expected.shape[1::-1],
    flags=cv2.INTER_LINEAR,
  )
  # OpenCV 5 is exact bilinear; older ones interpolate in 5-bit steps and may
  # be four grey levels off.
  bar = 1 if int(cv2.__version__.split(".")[0]) >= 5 else 4
  assert np.abs(warp.astype(int) - expected).max() <= bar


@pytest.mark.parametrize("alignment", geometry.ALIGNMENTS)
def test_crop_matrix_moves_pixels_where_it_moves_points(alignment):
  # One bright pixel of the photograph is found in the crop where the matrix
  # says: integer coordinates are pixel centres for cv2 and for us.
  frames = geometry.Frames((128, 96), (32, 24), alignment)
  image = np.zeros((90, 110), np.float32)
  image[40, 60] = 1
  crop_from_img = frames.crop_from_img(
    np.array([55.5, 43.0]), np.array([24.0, 32.0]), rotation_rad=0.4
  )
  crop = cv2.warpAffine(image, crop_from_img, frames.crop_hw[::-1])
  y, x = np.mgrid[: crop.shape[0], : crop.shape[1]]
  mean_xy = np.array([(crop * x).sum(), (crop * y).sum()]) / crop.sum()
  expected = geometry.transform(np.array([[60.0, 40.0]]), crop_from_img)[0]
  np.testing.assert_allclose(mean_xy, expected, atol=0.02)


def _random_frames(alignment, seed=0, num=50):
  rng = np.random.default_rng(seed)
  frames = geometry.Frames((256, 192), (64, 48), alignment)
  box_xywh_img = np.concatenate(
    [rng.uniform(-50, 600, (num, 2)), rng.uniform(5, 400, (num, 2))], -1
  )
  return frames, box_xywh_img, rng


@pytest.mark.parametrize("alignment", geometry.ALIGNMENTS)
def test_box_center_goes_to_crop_center_and_sides_to_borders(alignment):
  frames, box_xywh_img, _ = _random_frames(alignment)
  inset = 0 if alignment == "corner" else 1
  box_inset = 1 if alignment == "unit" else 0
  center_xy, size_wh = frames.center_size(box_xywh_img)
  crop_from_img = frames.crop_from_img(center_xy, size_wh)
  # "udp" alone fits the height, too: elsewhere it follows from the aspect, but
  # for the pixel that "unit" takes off both.
  half_wh = (size_wh - box_inset) / 2 * [1, 0]
  points_xy = np.stack([center_xy - half_wh, center_xy, center_xy + half_wh], 1)
  right, middle_y = 192 - inset, (256 - inset) / 2
  expected = [[0, middle_y], [right / 2, middle_y], [right, middle_y]]
  np.testing.assert_allclose(
    geometry.transform(points_xy, crop_from_img),
    np.broadcast_to(expected, points_xy.shape),
    atol=1e-8,
  )


def test_box_grows_to_the_crops_aspect_by_hand():
  frames = geometry.Frames((256, 192), (64, 48), padding=1.25)
  center_xy, size_wh = frames.center_size(
    np.array([[10.0, 20.0, 30.0, 80.0], [0.0, 0.0, 90.0, 12.0]])
  )
  np.testing.assert_allclose(center_xy, [[25, 60], [45, 6]])
  np.testing.assert_allclose(size_wh, [[75, 100], [112.5, 150]])


@pytest.mark.parametrize("alignment", geometry.ALIGNMENTS)
def test_way_there_and_back_is_the_identity(alignment):
  frames, box_xywh_img, rng = _random_frames(alignment, 1)
  center_size = frames.center_size(box_xywh_img)
  points_xy = rng.uniform(-100, 700, (50, 7, 2))
  crop_from_img = frames.crop_from_img(
    *center_size, rotation_rad=rng.uniform(-3, 3, 50)
  )
  back = geometry.transform(
    geometry.transform(points_xy, crop_from_img),
    geometry.invert(crop_from_img),
  )
  np.testing.assert_allclose(back, points_xy, atol=1e-8)
  identity = geometry.compose(
    frames.img_from_hm(*center_size),
    geometry.compose(frames.hm_from_crop, frames.crop_from_img(*center_size)),
  )
  np.testing.assert_allclose(
    identity, np.broadcast_to(np.eye(2, 3), (50, 2, 3)), atol=1e-9
  )


def test_compose_applies_the_inner_matrix_first():
  move = np.array([[1.0, 0, 5], [0, 1, 0]])
  double = np.array([[2.0, 0, 0], [0, 2, 0]])
  point = np.array([[1.0, 1.0]])
  for outer, inner, expected in ((double, move, 12), (move, double, 7)):
    both = geometry.transform(point, geometry.compose(outer, inner))
    one_by_one = geometry.transform(geometry.transform(point, inner), outer)
    np.testing.assert_array_equal(both, one_by_one)
    assert both[0, 0] == expected


@pytest.mark.parametrize("alignment", geometry.ALIGNMENTS)
def test_rotation_keeps_the_center_and_lengths_along_each_axis(alignment):
  frames, box_xywh_img, rng = _random_frames(alignment, 2)
  center_xy, size_wh = frames.center_size(box_xywh_img)
  points_xy = center_xy[:, None] + rng.uniform(-50, 50, (50, 4, 2))
  straight = frames.crop_from_img(center_xy, size_wh)
  turned = frames.crop_from_img(center_xy, size_wh, rotation_rad=1.1)
  middle_xy = [96, 128] if alignment == "corner" else [95.5, 127.5]
  np.testing.assert_allclose(
    geometry.transform(center_xy[:, None], turned),
    np.broadcast_to(middle_xy, (50, 1, 2)),
    atol=1e-8,
  )
  factor_xy = np.diagonal(straight[..., :2], axis1=-2, axis2=-1)[:, None]
  ratio = factor_xy[:, 0, 1] / factor_xy[:, 0, 0]
  np.testing.assert_allclose(
    ratio, (255 / 256) / (191 / 192) if alignment == "udp" else 1, rtol=1e-12
  )
  length = [
    np.linalg.norm(
      (
        geometry.transform(points_xy, m)
        - geometry.transform(center_xy[:, None], m)
      )
      / factor_xy,
      axis=-1,
    )
    for m in (straight, turned)
  ]
  np.testing.assert_allclose(*length, rtol=1e-9)


def test_quarter_turn_by_hand():
  # A positive angle turns the box clockwise on the screen, so what lies to
  # the right of its centre is found above the crop's centre.
  frames = geometry.Frames((100, 100), (25, 25))
  crop_from_img = frames.crop_from_img(
    np.array([30.0, 40.0]), np.array([100.0, 100.0]), rotation_rad=np.pi / 2
  )
  right_xy = geometry.transform(np.array([[40.0, 40.0]]), crop_from_img)
  np.testing.assert_allclose(right_xy, [[50, 40]], atol=1e-9)


@pytest.mark.parametrize("alignment", geometry.ALIGNMENTS)
def test_mirror_twice_is_the_identity(alignment):
  mirror = geometry.Frames((256, 192), (64, 48), alignment).mirror
  np.testing.assert_array_equal(geometry.compose(mirror, mirror), np.eye(2, 3))


@pytest.mark.parametrize("alignment", geometry.ALIGNMENTS)
def test_mirror_is_the_crop_of_the_mirrored_photograph(alignment):
  # Mirror the photograph's pixels and the box's centre, as HRNet trains.
  frames, box_xywh_img, rng = _random_frames(alignment, 3)
  center_xy, size_wh = frames.center_size(box_xywh_img)
  points_xy = rng.uniform(0, 600, (50, 5, 2))
  crop = geometry.transform(points_xy, frames.crop_from_img(center_xy, size_wh))

  def mirrored(xy):
    return np.stack([639 - xy[..., 0], xy[..., 1]], -1)

  other = geometry.transform(
    mirrored(points_xy), frames.crop_from_img(mirrored(center_xy), size_wh)
  )
  np.testing.assert_allclose(
    geometry.transform(crop, frames.mirror), other, atol=1e-8
  )


def test_heatmap_coordinates_of_the_alignments_by_hand():
  points_xy = np.array([[0.0, 0.0], [191.0, 255.0], [96.0, 128.0]])
  corner = geometry.Frames((256, 192), (64, 48), "corner").hm_from_crop
  np.testing.assert_allclose(
    geometry.transform(points_xy, corner), points_xy / 4
  )
  unit = geometry.Frames((256, 192), (64, 48), "unit").hm_from_crop
  ends = geometry.transform(points_xy[:2], unit)
  np.testing.assert_allclose(ends[:, 0], [0, 47], atol=1e-12)
  # y is scaled as x is, 47 / 191, about the middle: 63 / 255 differs a little.
  np.testing.assert_allclose(
    ends[:, 1], 31.5 + 47 / 191 * np.array([-127.5, 127.5])
  )
  # Here it has its own factor: corners go to corners.
  udp = geometry.Frames((256, 192), (64, 48), "udp").hm_from_crop
  np.testing.assert_allclose(
    geometry.transform(points_xy[:2], udp), [[0, 0], [47, 63]], atol=1e-12
  )


@pytest.mark.parametrize(
  ("alignment", "map_hw", "shift"),
  [
    ("corner", (64, 48), 1),
    ("corner", (128, 96), 0),
    ("corner", (256, 192), 0),
    ("unit", (64, 48), 0),
    ("unit", (128, 96), 0),
    ("udp", (64, 48), 0),
    ("udp", (128, 96), 0),
  ],
)
def test_flip_shift(alignment, map_hw, shift):
  # HRNet's quarter-size maps need one column; a half-size map is off by half
  # a column, which rounds to the even number, none.
  assert geometry.Frames((256, 192), map_hw, alignment).flip_shift == shift


def test_transform_takes_jax_arrays_and_gives_the_same():
  rng = np.random.default_rng(4)
  points_xy = rng.standard_normal((3, 5, 2)).astype(np.float32)
  matrix = rng.standard_normal((3, 2, 3)).astype(np.float32)
  result = jax.jit(geometry.transform)(jnp.asarray(points_xy), matrix)
  assert isinstance(result, jax.Array)
  np.testing.assert_allclose(
    result, geometry.transform(points_xy, matrix), atol=1e-5
  )


def test_box_from_keypoints():
  kpts_xy_img = np.array([[3.0, 9.0], [-1.0, 4.0], [99.0, 99.0]])
  labelled = np.array([True, True, False])
  np.testing.assert_array_equal(
    geometry.box_from_keypoints(kpts_xy_img, labelled), [-1, 4, 4, 5]
  )
  np.testing.assert_array_equal(
    geometry.box_from_keypoints(kpts_xy_img, np.zeros(3, bool)), np.zeros(4)
  )


@pytest.mark.parametrize(
  ("wrong", "message"),
  [
    ({"alignment": "centre"}, "one of corner, unit, udp, got 'centre'"),
    ({"map_hw": (64, 64)}, "must have the aspect of crop_hw"),
    ({"map_hw": (4, 1)}, "at least 2"),
    ({"padding": 0.0}, "padding 0.0 above 0"),
  ],
)
def test_impossible_frames_are_refused(wrong, message):
  options = {"crop_hw": (256, 192), "map_hw": (64, 48)} | wrong
  with pytest.raises(ValueError, match=message):
    geometry.Frames(**options)
