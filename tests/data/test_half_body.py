"""Half bodies: against HRNet's and DARK's, and by hand."""

import dataclasses

import numpy as np
import pytest

from pose_jax.data.half_body import half_body
from pose_jax.geometry import Frames
from pose_jax.skeleton import COCO17, LSP14

FRAMES = Frames((256, 192), (64, 48))
UPPER, LOWER = list(COCO17.upper), list(COCO17.lower)


def labels(*indices):
  mask = np.zeros(17, bool)
  mask[list(indices)] = True
  return mask


@pytest.mark.parametrize("wanted", ["upper", "lower"])
@pytest.mark.parametrize(
  "prefix, alignment", [("", "corner"), ("dark_", "unit"), ("", "udp")]
)
def test_half_bodies_are_the_reference_codes(
  goldens, wanted, prefix, alignment
):
  frames = Frames((256, 192), (64, 48), alignment)
  with np.load(goldens / "transforms.npz") as golden:
    joints, vis = golden["joints"][..., :2], golden["joints_vis"][..., 0] > 0
    key = f"{prefix}halfbody_{wanted}"
    ok, center, scale = (
      golden[f"{key}_{n}"] for n in ("ok", "center", "scale")
    )
  for i in range(len(joints)):
    found = half_body(joints[i], vis[i], COCO17, frames, wanted=wanted)
    assert (found is not None) == ok[i]
    if ok[i]:
      # they compute in float32
      np.testing.assert_allclose(found.center_xy_img, center[i], atol=1e-3)
      np.testing.assert_allclose(found.size_wh_img, 200 * scale[i], atol=1e-3)
  assert ok.sum() > 10 and not ok.all()


def test_a_half_by_hand():
  """Three keypoints of the trunk: mean as centre, box at the crop's aspect."""
  kpts = np.zeros((17, 2))
  kpts[[5, 6, 7]] = (10, 20), (40, 20), (10, 50)
  kpts[11:] = 500, 900  # the other half plays no part
  found = half_body(
    kpts, labels(5, 6, 7, *LOWER), COCO17, FRAMES, wanted="upper"
  )
  assert found.name == "upper"
  np.testing.assert_allclose(found.center_xy_img, (20, 30))
  np.testing.assert_allclose(found.size_wh_img, (45, 60))  # 30 x 40, by 1.5
  wide = half_body(
    kpts, labels(5, 6, 7), COCO17, FRAMES, wanted="upper", padding=1
  )
  np.testing.assert_allclose(wide.size_wh_img, (30, 40))


@pytest.mark.parametrize(
  "wanted, labelled, got",
  [
    ("upper", (5, 6, 7, 11, 12, 13), "upper"),
    ("lower", (5, 6, 7, 11, 12, 13), "lower"),
    ("upper", (5, 6, 11, 12, 13), "lower"),  # too few: the other half
    ("lower", (5, 6, 7, 11, 12), "upper"),
    ("lower", (5, 6, 11, 12), "upper"),  # both too few: upper with two
    ("upper", (5, 6, 11, 12), "upper"),
    ("upper", (5, 11, 12), None),
    ("lower", (5, 11, 12), None),
    ("upper", (), None),
  ],
)
def test_the_other_half_takes_over_and_one_keypoint_is_not_enough(
  wanted, labelled, got
):
  kpts = np.random.default_rng(0).uniform(0, 100, (17, 2))
  found = half_body(kpts, labels(*labelled), COCO17, FRAMES, wanted=wanted)
  assert (found and found.name) == got
  if found:
    own = [i for i in labelled if i in getattr(COCO17, got)]
    np.testing.assert_allclose(found.center_xy_img, kpts[own].mean(0))


def test_a_half_without_extent_cannot_be_cropped():
  kpts = np.full((17, 2), 7.0)
  assert (
    half_body(kpts, labels(5, 6, 7), COCO17, FRAMES, wanted="upper") is None
  )
  kpts[5, 1] = 9.0  # a line has a size once it has the crop's aspect
  line = half_body(kpts, labels(5, 6, 7), COCO17, FRAMES, wanted="upper")
  np.testing.assert_allclose(line.size_wh_img, (2.25, 3))
  # Stretched to a crop it has none, but what has two sides keeps both.
  frames = dataclasses.replace(FRAMES, keep_aspect=False)
  assert (
    half_body(kpts, labels(5, 6, 7), COCO17, frames, wanted="upper") is None
  )
  kpts[6, 0] = 11.0
  wide = half_body(kpts, labels(5, 6, 7), COCO17, frames, wanted="upper")
  np.testing.assert_allclose(wide.size_wh_img, (6, 3))


def test_halves_are_the_skeletons():
  kpts = np.random.default_rng(0).uniform(0, 100, (14, 2))
  for half in ("upper", "lower"):
    found = half_body(kpts, np.ones(14, bool), LSP14, FRAMES, wanted=half)
    own = list(getattr(LSP14, half))
    np.testing.assert_allclose(found.center_xy_img, kpts[own].mean(0))
