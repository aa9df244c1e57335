import dataclasses

import numpy as np
import pytest

from pose_jax.data import augment
from pose_jax.data.augment import Augmentation
from pose_jax.data.coco import open_coco
from pose_jax.data.half_body import half_body
from pose_jax.data.images import DataError
from pose_jax.data.pipeline import (
  make_batches,
  steps_per_epoch,
  training_batches,
)
from pose_jax.geometry import Frames, transform

FRAMES = Frames((64, 48), (16, 12))
AUGMENTATION = Augmentation(
  scale_factor=0.3,
  rotation_deg=40.0,
  rotation_probability=0.6,
  translation_fraction=0.1,
  translation_probability=0.5,
  flip_probability=0.5,
)


@pytest.fixture
def dataset(make_coco):
  """22 usable people of 24."""

  def edit(content):
    content["annotations"][4]["keypoints"] = [0] * 51
    content["annotations"][9]["bbox"] = [5, 5, 0, 10]

  return open_coco(*make_coco(num_images=12, edit=edit))


def batches(dataset, num_steps=7, batch_size=4, seed=3, **options):
  options = {"augmentation": AUGMENTATION, **options}
  return list(
    make_batches(
      dataset,
      FRAMES,
      batch_size=batch_size,
      seed=seed,
      num_steps=num_steps,
      **options,
    )
  )


def assert_same(a, b):
  assert len(a) == len(b)
  for x, y in zip(a, b, strict=True):
    assert x.keys() == y.keys()
    for key in x:
      np.testing.assert_array_equal(x[key], y[key], err_msg=key)


def rows_of(steps):
  return np.concatenate([batch["person"] for batch in steps])


def test_batches_have_the_promised_arrays(dataset):
  wanted = {
    "image": ((4, 64, 48, 3), np.uint8),
    "kpts_xy_crop": ((4, 17, 2), np.float32),
    "vis": ((4, 17), np.int8),
    "crop_from_img": ((4, 2, 3), np.float32),
    "person": ((4,), np.int32),
    "sample_seed": ((4,), np.uint32),
  }
  (batch,) = batches(dataset, num_steps=1)
  assert {k: (v.shape, v.dtype) for k, v in batch.items()} == wanted


@pytest.mark.parametrize(
  "workers,threads", [(0, 0), (0, 1), (0, 3), (1, 1), (2, 1)]
)
def test_batches_do_not_depend_on_workers_or_threads(dataset, workers, threads):
  wanted = batches(dataset)
  got = batches(dataset, num_workers=workers, num_threads=threads)
  assert_same(got, wanted)


def test_a_batch_is_what_its_seed_epoch_and_row_say(dataset):
  """Each sample again, from the definition."""
  people = dataset.people.usable()
  for step, batch in enumerate(batches(dataset)):
    epoch, at = divmod(step, 5)  # 22 people, batches of 4
    order = np.random.default_rng([3, 1, epoch]).permutation(22)
    for b, row in enumerate(order[4 * at : 4 * at + 4]):
      rng = np.random.default_rng([3, 2, epoch, row])
      assert batch["person"][b] == row
      assert batch["sample_seed"][b] == rng.integers(2**32, dtype=np.uint32)
      warp = augment.sample(AUGMENTATION, rng)
      center, size = FRAMES.center_size(people.box_xywh_img[row][None])
      matrix = augment.crop_from_img(FRAMES, center, size, [warp])[0]
      index = people.image_index[row]
      image = augment.crop_person(
        dataset.images.read(index), "a", matrix, FRAMES.crop_hw
      )
      np.testing.assert_array_equal(batch["image"][b], image)
      np.testing.assert_allclose(batch["crop_from_img"][b], matrix, rtol=1e-6)
      kpts = transform(people.kpts_xy_img[row], matrix)
      for k in range(17):
        k_mirror = people.skeleton.flip_permutation[k] if warp.flip else k
        np.testing.assert_allclose(
          batch["kpts_xy_crop"][b, k], kpts[k_mirror], atol=1e-3
        )
        assert batch["vis"][b, k] == people.vis[row, k_mirror]


def test_an_epoch_shows_nobody_twice_and_epochs_differ(dataset):
  assert steps_per_epoch(dataset, batch_size=4) == 5
  steps = batches(dataset, num_steps=15)
  epochs = [rows_of(steps[i : i + 5]) for i in (0, 5, 10)]
  for rows in epochs:
    assert len(set(rows)) == 20
  assert len({tuple(rows) for rows in epochs}) == 3
  left_out = [set(range(22)) - set(rows) for rows in epochs]
  assert len(set(map(frozenset, left_out))) > 1
  seeds = np.concatenate([batch["sample_seed"] for batch in steps])
  assert len(set(seeds)) == len(seeds)


def test_another_seed_gives_other_batches(dataset):
  a, b = batches(dataset), batches(dataset, seed=4)
  assert not np.array_equal(rows_of(a), rows_of(b))


def test_resuming_equals_the_unbroken_run(dataset):
  unbroken = batches(dataset, num_steps=9)
  for start in (1, 5, 8, 9):  # 5: the first step of the second epoch
    rest = batches(dataset, num_steps=9, start_step=start)
    assert_same(rest, unbroken[start:])


def test_shards_join_to_the_global_batch(dataset):
  whole = batches(dataset, batch_size=6)
  shards = [
    batches(dataset, batch_size=2, process=(index, 3)) for index in range(3)
  ]
  joined = [
    {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    for parts in zip(*shards, strict=True)
  ]
  assert_same(joined, whole)
  assert steps_per_epoch(dataset, batch_size=2, num_processes=3) == 3


def test_unusable_people_never_appear(dataset):
  assert len(dataset.people.unusable()) == 2
  ids = dataset.people.usable().person_ids
  seen = ids[rows_of(batches(dataset, num_steps=10))]
  assert {1004, 1009}.isdisjoint(seen.tolist())


@pytest.mark.parametrize("workers", [0, 1])
def test_a_truncated_image_reaches_the_caller_by_name(dataset, workers):
  path = dataset.images.root / "005.jpg"
  path.write_bytes(path.read_bytes()[:500])
  with pytest.raises(
    DataError, match=r"cannot decode image '005.jpg' \(500 by"
  ):
    batches(dataset, num_workers=workers, num_threads=1)


def test_an_image_that_vanishes_is_named(dataset):
  (dataset.images.root / "007.jpg").unlink()
  with pytest.raises(DataError, match="cannot read image .*007.jpg: No such"):
    batches(dataset)


def test_impossible_requests_are_refused_at_once(dataset):
  refused = {
    "^coco has 22 usable people, fewer than one batch of 23": dict(
      batch_size=23
    ),
    r"one batch of 24 \(8 x 3 processes\)": dict(batch_size=8, process=(0, 3)),
    "batch_size must be at least 1, got 0": dict(batch_size=0),
    "seed must not be negative, got -1": dict(seed=-1),
    "start_step must be between 0 and num_steps 7, got 8": dict(start_step=8),
    r"process must be .*, got \(2, 2\)": dict(process=(2, 2)),
    "num_workers and num_threads must not be negative": dict(num_workers=-1),
  }
  for message, options in refused.items():
    with pytest.raises(ValueError, match=message):
      batches(dataset, **options)


def weighted(dataset, repeats):
  column = np.resize(np.asarray(repeats, np.float32), len(dataset.people))
  people = dataclasses.replace(dataset.people, repeats=column)
  return dataclasses.replace(dataset, people=people)


def test_weighted_batches_are_the_same_however_they_are_made(dataset):
  heavy = weighted(dataset, [0.5, 2.25, 1.0])
  steps = steps_per_epoch(heavy, batch_size=6)
  usable = heavy.people.usable().repeats.sum()
  assert steps == int(usable) // 6 > 22 // 6
  whole = batches(heavy, num_steps=2 * steps + 2, batch_size=6)
  for workers, threads in ((0, 3), (2, 1)):
    got = batches(
      heavy,
      num_steps=2 * steps + 2,
      batch_size=6,
      num_workers=workers,
      num_threads=threads,
    )
    assert_same(got, whole)
  for start in (1, steps, steps + 1):
    rest = batches(
      heavy, num_steps=2 * steps + 2, batch_size=6, start_step=start
    )
    assert_same(rest, whole[start:])
  shards = [
    batches(heavy, num_steps=2 * steps + 2, batch_size=2, process=(index, 3))
    for index in range(3)
  ]
  joined = [
    {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    for parts in zip(*shards, strict=True)
  ]
  assert_same(joined, whole)


def test_a_person_shown_twice_in_an_epoch_is_not_shown_alike(dataset):
  heavy = weighted(dataset, 3.0)
  steps = batches(heavy, num_steps=11, batch_size=6)  # one epoch of 66
  rows = rows_of(steps)
  assert (np.bincount(rows) == 3).all()
  seeds = np.concatenate([batch["sample_seed"] for batch in steps])
  assert len(set(seeds.tolist())) == 66
  matrices = np.concatenate([batch["crop_from_img"] for batch in steps])
  for row in range(22):
    mine = matrices[rows == row]
    assert len(np.unique(mine.reshape(3, 6), axis=0)) == 3


def test_weights_of_one_change_nothing(dataset):
  assert_same(batches(weighted(dataset, 1.0)), batches(dataset))


def test_too_light_a_data_set_is_refused_with_its_weighted_number(dataset):
  with pytest.raises(ValueError, match="22 usable people, 2 once weighted"):
    batches(weighted(dataset, 0.1))


def test_flips_of_a_batch_go_together_on_all_processes(dataset):
  chus = dataclasses.replace(AUGMENTATION, flip_per_batch=True)
  shards = [
    batches(
      dataset, augmentation=chus, num_steps=40, batch_size=2, process=(i, 3)
    )
    for i in range(3)
  ]
  matrices = np.array(
    [[step["crop_from_img"] for step in shard] for shard in shards]
  )
  is_flipped = np.linalg.det(matrices[..., :2]) < 0  # [process, step, row]
  assert (is_flipped == is_flipped[:1, :, :1]).all()
  assert 8 <= is_flipped[0, :, 0].sum() <= 32


def test_half_bodies_crop_what_half_body_says(dataset):
  halves = Augmentation(
    half_body_probability=0.5, half_body_upper_probability=0.5
  )
  source = training_batches(
    dataset, FRAMES, batch_size=8, seed=3, augmentation=halves, num_steps=6
  )
  people = dataset.people.usable()
  seen = []
  for i in range(len(source)):
    drawn, batch = source.samples(i), source[i]
    for b, (row, warp) in enumerate(zip(drawn.rows, drawn.warps, strict=True)):
      center, size = FRAMES.center_size(people.box_xywh_img[row])
      if warp.half:
        found = half_body(
          people.kpts_xy_img[row],
          people.vis[row] > 0,
          people.skeleton,
          FRAMES,
          wanted=warp.half,
        )
        center, size = found.center_xy_img, found.size_wh_img
      matrix = FRAMES.crop_from_img(center, size)
      np.testing.assert_allclose(batch["crop_from_img"][b], matrix, rtol=1e-4)
      kpts = transform(people.kpts_xy_img[row], matrix)
      np.testing.assert_allclose(batch["kpts_xy_crop"][b], kpts, atol=1e-2)
      seen.append(warp.half)
  assert {None, "upper", "lower"} == set(seen)


def test_people_with_few_keypoints_stay_whole(dataset):
  vis = dataset.people.vis.copy()
  vis[:, 9:] = 0
  vis[::2, 9] = 1  # every second person has ten, the others nine
  people = dataclasses.replace(dataset.people, vis=vis)
  source = training_batches(
    dataclasses.replace(dataset, people=people),
    FRAMES,
    batch_size=22,
    seed=3,
    augmentation=Augmentation(
      half_body_probability=1.0, half_body_min_keypoints=10
    ),
    num_steps=1,
  )
  drawn = source.samples(0)
  num = (people.usable().vis[drawn.rows] > 0).sum(1)
  for warp, labelled in zip(drawn.warps, num, strict=True):
    assert (warp.half is not None) == (labelled >= 10)
  assert {9, 10} <= set(num)


def test_half_bodies_leave_the_other_draws(dataset):
  with_halves = dataclasses.replace(AUGMENTATION, half_body_probability=0.5)
  a, b = (
    training_batches(
      dataset, FRAMES, batch_size=8, seed=3, augmentation=x, num_steps=2
    ).samples(1)
    for x in (AUGMENTATION, with_halves)
  )
  np.testing.assert_array_equal(a.sample_seed, b.sample_seed)
  assert a.warps == tuple(dataclasses.replace(w, half=None) for w in b.warps)
  assert any(w.half for w in b.warps)
