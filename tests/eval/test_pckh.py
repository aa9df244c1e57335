"""Tests of eval/pckh.py and of pck.pckh."""

import dataclasses

import numpy as np
import pytest
import scipy.io

from pose_jax.eval import pck, pckh
from pose_jax.skeleton import MPII16

NAMES = MPII16.keypoints
LEFT_OUT = {
  "hrnet": ("pelvis", "thorax"),
  "mmpose": ("pelvis", "thorax"),
  "pytorch_pose": ("pelvis", "thorax"),
  "newell": (
    *("pelvis", "thorax", "upper_neck", "head_top"),
    *("left_shoulder", "right_shoulder"),
  ),
}


def _load(path):
  """Either of the two files in MATLAB's layout, people first."""
  if path.suffix == ".npz":
    data = np.load(path)
    kpts, boxes = data["preds_0based"] + 1, data["headboxes"]
    truth = data["pos_gt_1based"]
  else:
    data = scipy.io.loadmat(path)
    kpts = data["pos_pred_src"].transpose(2, 0, 1)
    truth, boxes = data["pos_gt_src"], data["headboxes_src"]
  labelled = data["jnt_missing"].T == 0
  diagonal = np.linalg.norm(boxes[1].astype(float) - boxes[0], axis=0)
  return kpts, truth.transpose(2, 0, 1), labelled, 0.6 * diagonal


def _slow(people, threshold, variant):
  """Score and share of each keypoint, keypoint by keypoint."""
  kpts, truth, labelled, head_size = people
  shares, total, count = {}, 0, 0
  for k, name in enumerate(NAMES):
    good = seen = 0
    for n in range(len(kpts)):
      if labelled[n, k] and head_size[n] > 0:
        error = np.hypot(*(kpts[n, k] - truth[n, k])) / head_size[n]
        is_good = error <= threshold
        if variant in ("mmpose", "pytorch_pose"):
          is_good = error < threshold
        good, seen = good + is_good, seen + 1
    shares[name] = good / seen if seen else np.nan
    if name not in LEFT_OUT[variant]:
      total, count = total + good, count + seen
  counted = [
    v for k, v in shares.items() if k not in LEFT_OUT[variant] and v == v
  ]
  mean = sum(counted) / len(counted)
  score = total / count if variant in ("hrnet", "mmpose") else mean
  return score, list(shares.values())


def _random(num=30, seed=0):
  """Whole pixels and whole head sizes, so that thresholds are hit exactly."""
  rng = np.random.default_rng(seed)
  truth = rng.integers(0, 200, (num, 16, 2)).astype(float)
  kpts = truth + rng.integers(-8, 9, truth.shape)
  labelled = rng.random((num, 16)) < np.linspace(0.2, 1, 16)
  head_size = rng.choice([0.0, 10, 20], num, p=[0.1, 0.6, 0.3])
  return kpts, truth, labelled, head_size


@pytest.mark.parametrize("variant", pck.PCKH_VARIANTS)
def test_each_variant_agrees_with_a_slow_loop(variant):
  people = _random()
  result = pck.pckh(
    *people[:3],
    head_size=people[3],
    variant=variant,
    thresholds=(0.1, 0.5),
  )
  score = pck.PCKH_VARIANTS[variant].score(result)
  for i, threshold in enumerate((0.1, 0.5)):
    slow, shares = _slow(people, threshold, variant)
    assert score[i] == pytest.approx(slow)
    np.testing.assert_allclose(result.per_keypoint[i], shares)
  assert result.num_without_reference == (people[3] == 0).sum() > 0


def test_variants_are_four_different_numbers():
  people = _random()
  scores = {
    name: rule.score(pck.pckh(*people[:3], head_size=people[3], variant=name))[
      50
    ]
    for name, rule in pck.PCKH_VARIANTS.items()
  }
  assert len({round(s, 6) for s in scores.values()}) == 4


def test_golden_of_the_official_evaluation(goldens):
  golden = np.load(goldens / "mpii_pckh.npz")
  kpts, truth, labelled, head_size = _load(goldens / "mpii_pckh.npz")
  result = pck.pckh(kpts, truth, labelled, head_size=head_size)
  for threshold in (0.5, 0.1, 0.11):
    at = result.at(threshold)
    np.testing.assert_allclose(
      100 * result.per_keypoint[at],
      golden[f"per_joint_{threshold}"],
      atol=1e-9,
    )
    assert 100 * result.total[at] == pytest.approx(
      float(golden[f"mean_{threshold}"]), abs=1e-9
    )
  official = dict(
    zip(golden["official_names"], golden["official_values"], strict=True)
  )
  table = pckh.table(result, NAMES)
  for name, value in table.items():
    # Stored with eight decimals.
    assert 100 * value == pytest.approx(official[name.capitalize()], abs=1e-7)
  values = pckh.values(result)
  assert 100 * values["PCKh@0.5"] == pytest.approx(official["Mean"])
  assert 100 * values["PCKh@0.11"] == pytest.approx(official["Mean@0.1"])
  assert values["PCKh@0.1"] < values["PCKh@0.11"] - 0.01


def test_golden_has_one_keypoint_on_the_threshold(goldens):
  people = _load(goldens / "mpii_pckh.npz")
  at_most, below = (
    pck.pckh(*people[:3], head_size=people[3], variant=v).correct[50].sum()
    for v in ("hrnet", "mmpose")
  )
  assert at_most == below + 1


def test_published_predictions_score_what_their_readme_lists(shared_data):
  kpts, truth, labelled, head_size = _load(
    shared_data / "mpii" / "reference_predictions.mat"
  )
  assert len(kpts) == 2868
  result = pck.pckh(kpts, truth, labelled, head_size=head_size)
  half = 100 * result.per_keypoint[result.at(0.5)]
  listed = {
    **{"head_top": 95.637, "upper_neck": 97.818},
    **{"right_shoulder": 92.327, "left_shoulder": 93.413},
    **{"right_elbow": 83.556, "left_elbow": 83.181},
    **{"right_wrist": 76.585, "left_wrist": 76.978},
    **{"right_hip": 82.036, "left_hip": 81.743},
    **{"right_knee": 73.378, "left_knee": 73.247},
    **{"right_ankle": 65.262, "left_ankle": 65.541},
  }
  got = {name: half[NAMES.index(name)] for name in listed}
  assert got == pytest.approx(listed, abs=1e-3)
  values = pckh.values(result)
  assert 100 * values["PCKh@0.5"] == pytest.approx(82.373, abs=1e-3)
  assert 100 * values["PCKh@0.1"] == pytest.approx(28.859, abs=1e-3)


def test_names_hold_the_true_threshold():
  assert pckh.names() == ("PCKh@0.5", "PCKh@0.1", "PCKh@0.11")
  assert pckh.names("mmpose")[1] == "PCKh@0.1_mmpose"
  kpts, truth = np.zeros((1, 16, 2)), np.zeros((1, 16, 2))
  kpts[..., 0] = 0.105  # between the two
  result = pck.pckh(kpts, truth, np.ones((1, 16), bool), head_size=np.ones(1))
  assert pckh.values(result) == {
    **{"PCKh@0.5": 1, "PCKh@0.1": 0, "PCKh@0.11": 1}
  }


@pytest.mark.parametrize("variant", pck.PCKH_VARIANTS)
def test_describe_says_how_it_counts(variant):
  line = pckh.describe(variant)
  rule = pck.PCKH_VARIANTS[variant]
  assert variant in line and "\n" not in line
  assert ("below" in line) == rule.is_strict
  assert ("all labelled" in line) == rule.is_weighted
  assert all(name in line for name in LEFT_OUT[variant])
  assert ("map side / 10" in line) == (variant == "newell")


def _mpii_people(make_people, head_size):
  people = make_people(len(head_size), skeleton=MPII16)
  return dataclasses.replace(people, head_size=np.array(head_size, np.float32))


def test_people_of_a_table(make_people):
  people = _mpii_people(make_people, [20, 0, 40])
  kpts = people.kpts_xy_img.astype(float)
  kpts[0, :, 0] += 9  # 0.45 of a head
  kpts[1] += 1e4  # no head size: left out
  kpts[2, 0, 1] += 30
  result = pckh.pckh_of_people(kpts, people)
  values = pckh.values(result)
  assert values["PCKh@0.5"] == pytest.approx(27 / 28)
  assert values["PCKh@0.1"] == pytest.approx(13 / 28)
  assert (result.num_people, result.num_without_reference) == (2, 1)


def test_keypoints_are_left_out_by_name(make_people):
  people = _mpii_people(make_people, [20])
  order = np.random.default_rng(0).permutation(16)
  shuffled = dataclasses.replace(
    people,
    skeleton=dataclasses.replace(
      MPII16, keypoints=tuple(NAMES[i] for i in order)
    ),
  )
  kpts = shuffled.kpts_xy_img.astype(float)
  names = shuffled.skeleton.keypoints
  kpts[0, names.index("pelvis")] += 1e3
  kpts[0, names.index("thorax")] += 1e3
  result = pckh.pckh_of_people(kpts, shuffled)
  assert pckh.values(result)["PCKh@0.5"] == 1
  kpts[0, names.index("upper_neck")] += 1e3
  result = pckh.pckh_of_people(kpts, shuffled)
  assert pckh.values(result)["PCKh@0.5"] == pytest.approx(13 / 14)


def test_refuses_what_cannot_be_measured(make_people):
  people = _mpii_people(make_people, [0, 0])
  with pytest.raises(ValueError, match="none of the 2 people has: use PCK"):
    pckh.pckh_of_people(people.kpts_xy_img, people)
  people = _mpii_people(make_people, [5])
  with pytest.raises(ValueError, match="one of hrnet, mmpose, .*got 'hr'"):
    pckh.pckh_of_people(people.kpts_xy_img, people, variant="hr")
  with pytest.raises(ValueError, match="counted on heatmaps, not in the pict"):
    pckh.pckh_of_people(people.kpts_xy_img, people, variant="newell")


def test_nobody_has_no_score(make_people):
  people = _mpii_people(make_people, [5]).select(np.zeros(1, bool))
  result = pckh.pckh_of_people(people.kpts_xy_img, people)
  assert all(np.isnan(v) for v in pckh.values(result).values())


def test_groups_of_keypoints_hold_the_rows_of_the_published_tables():
  kpts, truth, labelled, head_size = _random()
  result = pck.pckh(kpts, truth, labelled, head_size=head_size)
  each = result.per_keypoint[result.at(0.5)]
  mean = {
    name: each[list(members)].mean()
    for name, members in pck.groups(MPII16).items()
  }
  published = pckh.table(result, NAMES)
  assert {row: mean[row] for row in published} == pytest.approx(published)
