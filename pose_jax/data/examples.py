"""What a record of a prepared data set holds: an image and its people.

An example has these features, for users of TFDS without pose_jax (G people,
K keypoints, all coordinates in image pixels, (0, 0) the first pixel's centre):

  image         the file's bytes, JPEG or PNG
  name          its name
  image_id      the data set's own number
  hw            int32 [2], height and width as decoded
  people
    id            int64 [G]
    box_xywh      float32 [G, 4], top-left corner and size
    keypoints_xy  float32 [G, K, 2], 0 where not labelled
    vis           int8 [G, K]: 0 not labelled, 1 hidden, 2 visible
    area          float32 [G]
    is_crowd      bool [G]: a region of people, not one person
    score         float32 [G], of the box
    head_size     float32 [G], PCKh's reference length; 0 where unknown

`tfds.builder_from_directory("DATA_DIR/coco/val2017/1.0.0")` opens it, and
`.as_data_source(split="images")[i]` is example i.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Int
from tensorflow_datasets.core.example_serializer import ExampleSerializer

from pose_jax.data.people import People


def make_features(num_keypoints: int) -> tfds.features.FeaturesDict:
  """What an example holds, as TFDS describes it; see the head of this file."""
  tensor = tfds.features.Tensor
  return tfds.features.FeaturesDict(
    {
      "image": tfds.features.Image(shape=(None, None, 3)),
      "name": tfds.features.Text(),
      "image_id": tfds.features.Scalar(np.int64),
      "hw": tensor(shape=(2,), dtype=np.int32),
      "people": {
        "id": tensor(shape=(None,), dtype=np.int64),
        "box_xywh": tensor(shape=(None, 4), dtype=np.float32),
        "keypoints_xy": tensor(
          shape=(None, num_keypoints, 2), dtype=np.float32
        ),
        "vis": tensor(shape=(None, num_keypoints), dtype=np.int8),
        "area": tensor(shape=(None,), dtype=np.float32),
        "is_crowd": tensor(shape=(None,), dtype=np.bool_),
        "score": tensor(shape=(None,), dtype=np.float32),
        "head_size": tensor(shape=(None,), dtype=np.float32),
      },
    }
  )


def make_serialize(
  features: tfds.features.FeaturesDict,
) -> Callable[[dict[str, Any]], bytes]:
  """Example -> record, the same bytes in every process.

  TFDS's own lets the order of fields depend on the process, so that a set
  that was killed and went on would differ from one that was not.
  """
  serializer = ExampleSerializer(features.get_serialized_info())

  def serialize(example: dict[str, Any]) -> bytes:
    message = serializer.get_tf_example(features.encode_example(example))
    return message.SerializeToString(deterministic=True)

  return serialize


def make_example(
  people: People,
  image: int,
  rows: Int[np.ndarray, "G"],
  data: bytes,
  hw: tuple[int, int],
) -> dict[str, Any]:
  """One image and its people, by the names of `make_features`."""
  return {
    "image": data,
    "name": people.image_names[image],
    "image_id": people.image_ids[image],
    "hw": np.array(hw, np.int32),
    "people": {
      "id": people.person_ids[rows],
      "box_xywh": people.box_xywh_img[rows],
      "keypoints_xy": people.kpts_xy_img[rows],
      "vis": people.vis[rows],
      "area": people.area[rows],
      "is_crowd": people.is_crowd[rows],
      "score": people.score[rows],
      "head_size": people.head_size[rows],
    },
  }


def rows_of_image(people: People) -> list[Int[np.ndarray, "_"]]:
  """For every image the rows of its people, in the table's order."""
  order = np.argsort(people.image_index, kind="stable")
  images = np.arange(1, len(people.image_names))
  starts = np.searchsorted(people.image_index[order], images)
  return np.split(order, starts)
