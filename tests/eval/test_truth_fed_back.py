"""The truth itself as prediction: 100 in every metric, for every shared set."""

import numpy as np
import pytest

from pose_jax.data.coco import open_coco
from pose_jax.data.leeds import open_lsp, open_lspet
from pose_jax.data.mpii import open_mpii
from pose_jax.eval import (
  average_precision,
  limbs,
  nms,
  oks,
  pck,
  pckh,
  predictions,
  scoring,
)


def _coco(part):
  return lambda root: open_coco(
    root / "coco" / f"person_keypoints_{part}.json", root / "coco" / "images"
  )


SETS = {
  **{f"coco_{p}": _coco(p) for p in ("minitrain", "minival", "extra")},
  **{
    f"lsp_{split}": lambda root, split=split: open_lsp(root / "lsp", split)
    for split in ("train", "test")
  },
  "lspet": lambda root: open_lspet(root / "lspet"),
  **{
    f"mpii_{split}": lambda root, split=split: open_mpii(root / "mpii", split)
    for split in ("train", "valid", "valid_extra")
  },
}


@pytest.fixture(scope="module", params=SETS)
def truth(request, shared_data):
  """(name, people, usable people, their keypoints as float64)."""
  people = SETS[request.param](shared_data).people
  usable = people.usable()
  return request.param, people, usable, usable.kpts_xy_img.astype(np.float64)


def test_oks_and_average_precision(truth):
  _, people, usable, kpts = truth
  rows = np.arange(len(usable))
  np.testing.assert_array_equal(oks.oks_of_people(kpts, usable, rows), 1)
  found = predictions.of_people(
    usable, rows, kpts, np.full(kpts.shape[:2], 0.9)
  )
  values = average_precision.coco_scores(people, found)
  there = {name: value for name, value in values.items() if value is not None}
  assert {"AP", "AR"} <= set(there)
  assert there == pytest.approx(dict.fromkeys(there, 1))


def test_suppression_of_strangers_keeps_everybody(truth):
  _, _, usable, kpts = truth
  rows = np.arange(len(usable))
  found = predictions.of_people(
    usable, rows, kpts, np.full(kpts.shape[:2], 0.9)
  )
  kept = nms.suppress(
    found,
    usable.area.astype(np.float64),
    kind="oks",
    threshold=0.999,
    sigmas=usable.skeleton.oks_sigmas,
  )
  assert sorted(kept.person_ids) == sorted(usable.person_ids)


def test_pck(truth):
  _, _, usable, kpts = truth
  if usable.skeleton.pck_pair is None:
    pytest.skip(f"{usable.skeleton.name} has no reference pair")
  result = scoring.pck_of_people(kpts, usable)
  assert (result.total == 1).all() and (result.mean == 1).all()
  assert result.num_people + result.num_without_reference == len(usable)
  assert result.num_people > len(usable) / 3


def test_pckh(truth):
  name, _, usable, kpts = truth
  if name in ("mpii_valid", "mpii_valid_extra"):
    assert (usable.head_size > 0).all()
    for variant in ("hrnet", "mmpose", "pytorch_pose"):
      result = pckh.pckh_of_people(kpts, usable, variant=variant)
      values = pckh.values(result, variant)
      assert values == dict.fromkeys(pckh.names(variant), 1)
      assert result.num_people == len(usable)
      rows = pckh.table(result, usable.skeleton.keypoints)
      assert rows == dict.fromkeys(rows, 1) and len(rows) == 7
  else:
    with pytest.raises(ValueError, match="none of the .* people has"):
      pckh.pckh_of_people(kpts, usable)


@pytest.mark.parametrize("rule", pck.PCP_RULES)
def test_pcp(truth, rule):
  _, _, usable, kpts = truth
  result = limbs.pcp_of_people(kpts, usable, rule=rule)
  values = limbs.values(result, usable.skeleton, rule)
  assert values == dict.fromkeys(values, 1)
  assert len(values) == (6 if usable.skeleton.name == "coco17" else 7)
  assert result.num_people > len(usable) / 2
