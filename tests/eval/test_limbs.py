"""Tests of eval/limbs.py and of pck.pcp."""

import dataclasses

import numpy as np
import pytest

from pose_jax.eval import limbs, pck
from pose_jax.skeleton import COCO17, LSP14, MPII16

PAIRS = ((0, 1), (1, 2), (3, 0))


def _people(num=40, seed=0):
  rng = np.random.default_rng(seed)
  truth = rng.integers(0, 30, (num, 4, 2)).astype(float)
  kpts = truth + rng.integers(-5, 6, truth.shape)
  labelled = rng.random((num, 4)) > 0.2
  truth[0, 1] = truth[0, 0]  # a limb without length
  labelled[1] = False
  return kpts, truth, labelled


@pytest.mark.parametrize("rule", pck.PCP_RULES)
@pytest.mark.parametrize("threshold", [0.2, 0.5])
def test_agrees_with_a_slow_loop(rule, threshold):
  kpts, truth, labelled = _people()
  correct, count, with_limb = np.zeros(3), np.zeros(3), set()
  for n in range(len(kpts)):
    for i, (a, b) in enumerate(PAIRS):
      length = np.hypot(*(truth[n, a] - truth[n, b]))
      if labelled[n, a] and labelled[n, b] and length > 0:
        off = [np.hypot(*(kpts[n, k] - truth[n, k])) for k in (a, b)]
        within = [o <= threshold * length for o in off]
        loose = sum(off) / 2 <= threshold * length
        correct[i] += all(within) if rule == "strict" else loose
        count[i] += 1
        with_limb.add(n)
  result = pck.pcp(
    kpts, truth, labelled, limbs=PAIRS, threshold=threshold, rule=rule
  )
  np.testing.assert_array_equal(result.correct[0], correct)
  np.testing.assert_array_equal(result.labelled, count)
  assert result.num_people == len(with_limb)
  assert result.num_without_reference == len(kpts) - len(with_limb) > 0
  np.testing.assert_allclose(result.mean, (correct / count).mean())
  assert 0 < result.mean[0] < 1


def test_strict_and_loose_by_hand():
  truth = np.array([[[0, 0], [10.0, 0]]])
  labelled = np.ones((1, 2), bool)

  def count(first, second, rule):
    kpts = truth + np.array([[[0, first], [0, second]]])
    found = pck.pcp(kpts, truth, labelled, limbs=[(0, 1)], rule=rule)
    return int(found.correct[0, 0])

  assert count(5.0, 5.0, "strict") == 1  # both exactly half a limb off
  assert count(5.1, 0.0, "strict") == 0
  assert count(5.1, 0.0, "loose") == count(9.0, 1.0, "loose") == 1
  assert count(9.0, 1.1, "loose") == 0


def test_strict_is_never_more_than_loose():
  kpts, truth, labelled = _people(300)
  strict, loose = (
    pck.pcp(kpts, truth, labelled, limbs=PAIRS, rule=rule).correct[0]
    for rule in ("strict", "loose")
  )
  assert (strict <= loose).all() and (strict < loose).any()


def test_another_rule_is_refused():
  kpts, truth, labelled = _people(2)
  with pytest.raises(ValueError, match="one of strict, loose, got 'both'"):
    pck.pcp(kpts, truth, labelled, limbs=PAIRS, rule="both")


@pytest.mark.parametrize("skeleton", [LSP14, MPII16, COCO17])
def test_limbs_are_named_by_what_they_join(skeleton):
  found = limbs.limbs_of(skeleton)
  ends = {
    frozenset((skeleton.keypoints[l.start], skeleton.keypoints[l.end])): l.name
    for l in found  # noqa: E741
  }
  for side in ("left", "right"):
    for a, b, name in (
      ("shoulder", "elbow", "upper arm"),
      ("elbow", "wrist", "lower arm"),
      ("shoulder", "hip", "torso"),
      ("hip", "knee", "upper leg"),
      ("knee", "ankle", "lower leg"),
    ):
      assert ends.pop(frozenset((f"{side}_{a}", f"{side}_{b}"))) == name
  neck = {"lsp14": "neck", "mpii16": "upper_neck"}.get(skeleton.name)
  if neck:
    assert ends.pop(frozenset((neck, "head_top"))) == "head"
  assert not ends


def test_other_links_are_called_by_their_ends():
  link = dataclasses.replace(LSP14.links[0], start=12, end=2)
  skeleton = dataclasses.replace(LSP14, links=(link,))
  assert limbs.limbs_of(skeleton)[0].name == "neck - hip"


def test_people_of_a_table(make_people):
  people = make_people(2, skeleton=LSP14)
  kpts = people.kpts_xy_img.astype(float)
  wrist = LSP14.index("left_wrist")
  kpts[1, wrist] += 1e4
  result = limbs.pcp_of_people(kpts, people)
  values = limbs.values(result, LSP14)
  assert values["PCP_strict@0.5 lower arm"] == 3 / 4
  assert values["PCP_strict@0.5 upper arm"] == 1
  assert values["PCP_strict@0.5"] == pytest.approx(10.5 / 11)
  assert list(values) == [
    "PCP_strict@0.5",
    *(
      f"PCP_strict@0.5 {name}"
      for name in (
        *("upper arm", "lower arm", "torso", "upper leg", "lower leg"),
        "head",
      )
    ),
  ]
  loose = limbs.values(
    limbs.pcp_of_people(kpts, people, rule="loose"), LSP14, "loose"
  )
  assert loose["PCP_loose@0.5 lower arm"] == 3 / 4


def test_no_limbs_give_no_score(make_people):
  skeleton = dataclasses.replace(COCO17, links=())
  people = make_people(2, skeleton=skeleton)
  result = limbs.pcp_of_people(people.kpts_xy_img, people)
  values = limbs.values(result, skeleton)
  assert list(values) == ["PCP_strict@0.5"]
  assert np.isnan(values["PCP_strict@0.5"])
