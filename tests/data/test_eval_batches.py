import dataclasses

import cv2
import numpy as np
import pytest

from pose_jax.data import eval_batches
from pose_jax.data.boxes import join_boxes
from pose_jax.data.coco import open_coco
from pose_jax.data.eval_batches import make_eval_batches, num_eval_batches
from pose_jax.data.images import DataError, decode
from pose_jax.geometry import ALIGNMENTS, Frames, compose, invert, transform

FRAMES = Frames((64, 48), (16, 12))


@pytest.fixture
def dataset(make_coco):
  """22 people."""
  whole = open_coco(*make_coco(num_images=11))
  return dataclasses.replace(whole, people=whole.people.usable())


def rows_of(batches):
  return np.concatenate([batch["person"] for batch in batches])


@pytest.mark.parametrize("num_processes", [1, 2])
def test_everybody_comes_once_in_order(dataset, num_processes):
  shards = [
    list(
      make_eval_batches(
        dataset, FRAMES, batch_size=4, process=(index, num_processes)
      )
    )
    for index in range(num_processes)
  ]
  count = num_eval_batches(dataset, batch_size=4, num_processes=num_processes)
  assert {len(shard) for shard in shards} == {count}
  assert count == {1: 6, 2: 3}[num_processes]
  steps = [part for parts in zip(*shards, strict=True) for part in parts]
  valid = np.concatenate([batch["valid"] for batch in steps])
  rows = rows_of(steps)
  np.testing.assert_array_equal(rows[valid], np.arange(22))
  assert (rows[~valid] == 21).all() and len(valid) == 24
  assert all(batch["images"].shape == (4, 1, 64, 48, 3) for batch in steps)


def test_heatmap_pixels_lead_back_to_the_image(dataset):
  boxes = dataset.people.box_xywh_img
  for batch in make_eval_batches(dataset, FRAMES, batch_size=8):
    center, size = FRAMES.center_size(boxes[batch["person"]])
    points = np.array([[[0.0, 0.0], [5.5, 7.5]]]).repeat(len(center), 0)
    back = transform(points, batch["img_from_hm"])
    # Corner alignment: the map's extent is the padded box's.
    np.testing.assert_allclose(back[:, 0], center - size / 2, atol=1e-3)
    np.testing.assert_allclose(
      back[:, 1],
      center + (np.array([5.5, 7.5]) * 4 / [48, 64] - 0.5) * size,
      atol=1e-3,
    )


@pytest.mark.parametrize("keep_aspect", [True, False])
@pytest.mark.parametrize("alignment", ALIGNMENTS)
def test_crops_of_a_pyramid_are_opencvs(dataset, alignment, keep_aspect):
  frames = Frames((64, 48), (16, 12), alignment, keep_aspect=keep_aspect)
  scales = (0.5, 1.0, 1.5)
  batch = next(
    make_eval_batches(
      dataset, frames, batch_size=5, scales=scales, reduce=False
    )
  )
  people = dataset.people
  for b, s in np.ndindex(5, 3):
    center, size = frames.center_size(people.box_xywh_img[b])
    base = frames.crop_from_img(center, size)
    # The person grows about the crop's centre, and nothing else happens.
    middle = frames._center(frames.crop_hw)
    grow = np.concatenate(
      [scales[s] * np.eye(2), ((1 - scales[s]) * middle)[:, None]], 1
    )
    i = people.image_index[b]
    image = decode(dataset.images.read(i), dataset.images.name(i))
    wanted = cv2.warpAffine(image, compose(grow, base), (48, 64))
    difference = np.abs(batch["images"][b, s].astype(int) - wanted)
    assert difference.max() <= 1


@pytest.mark.parametrize("alignment", ALIGNMENTS)
def test_maps_of_scales_are_linked_like_their_crops(alignment):
  frames = Frames((64, 48), (16, 12), alignment)
  center, size = np.array([31.0, 40.0]), np.array([60.0, 80.0])
  for scale in (0.5, 1.0, 1.3):
    scaled = frames.img_from_hm(center, frames.scaled_size(size, scale))
    np.testing.assert_allclose(
      compose(invert(scaled), frames.img_from_hm(center, size)),
      frames.scaled_from_hm(scale),
      atol=1e-12,
    )


def test_a_picture_of_several_people_is_decoded_once(dataset, monkeypatch):
  names = []

  def counting(data, name, factor):
    names.append(name)
    return decode(data, name, factor)

  monkeypatch.setattr(eval_batches, "decode", counting)
  table, _, _ = join_boxes([dataset.people, dataset.people])
  joined = dataclasses.replace(dataset, people=table)
  list(make_eval_batches(joined, FRAMES, batch_size=44, num_threads=1))
  assert len(names) == len(set(names)) == 11


def test_a_crop_does_not_depend_on_its_neighbours(dataset):
  alone = [
    batch["images"][0]
    for batch in make_eval_batches(dataset, FRAMES, batch_size=1)
  ]
  (together,) = make_eval_batches(dataset, FRAMES, batch_size=22)
  np.testing.assert_array_equal(together["images"], np.stack(alone))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_truncated_image_reaches_the_caller_by_name(dataset, workers):
  path = dataset.images.root / "005.jpg"
  path.write_bytes(path.read_bytes()[:500])
  with pytest.raises(DataError, match="'005.jpg'"):
    list(make_eval_batches(dataset, FRAMES, batch_size=4, num_workers=workers))


def test_impossible_requests_are_refused_at_once(dataset):
  nobody = dataclasses.replace(
    dataset, people=dataset.people.select(np.zeros(0, int))
  )
  with pytest.raises(ValueError, match="nobody to crop: nothing to evaluate"):
    make_eval_batches(nobody, FRAMES, batch_size=4)
  with pytest.raises(ValueError, match=r"scales must be above 0, got \(0,\)"):
    make_eval_batches(dataset, FRAMES, batch_size=4, scales=(0,))
