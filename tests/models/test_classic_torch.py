"""AlexNet's and VGGs' trunks give what torch gives, through the import.

`files/make_classic.py` made the weights and outputs, with torch.
"""

import pathlib

import jax
import numpy as np
import pytest
from classic_parts import quick_jit
from flax import traverse_util

from pose_jax.models.alexnet import AlexNet
from pose_jax.models.vgg import Vgg
from pose_jax.weights.start import source_from_torch

FILE = pathlib.Path(__file__).parent / "files" / "classic.npz"
TRUNKS = {
  "alexnet": AlexNet(width=2, is_padded=False),
  "vgg16_bn": Vgg(depth=16, width=2, use_batch_norm=True),
  "vgg19": Vgg(depth=19, width=2, use_batch_norm=False),
}


def read(name):
  """torch's state dict, images and output."""
  with np.load(FILE) as file:
    part = {
      key.removeprefix(f"{name}/"): file[key]
      for key in file
      if key.startswith(f"{name}/")
    }
  tensors, start = {}, 0
  for title, shape, step in zip(
    part["names"], part["shapes"], part["steps"], strict=True
  ):
    shape = tuple(map(int, shape.split()))
    size = int(np.prod(shape))
    levels = part["levels"][start : start + size].reshape(shape)
    tensors[str(title)] = levels * step
    start += size
  assert start == len(part["levels"])
  return tensors, part["images"] * part["step"], part["output"]


@pytest.mark.parametrize("name", TRUNKS)
def test_imported_weights_give_torchs_features(name):
  tensors, images, wanted = read(name)
  source = source_from_torch(tensors, name)
  arrays = {
    (path[0], *path[2:]): array
    for path, array in source.arrays.items()
    if path[1] == "backbone"
  }
  assert len(arrays) == len(tensors)
  variables = traverse_util.unflatten_dict(arrays)
  trunk = TRUNKS[name]
  with jax.default_matmul_precision("float32"):
    found = quick_jit(lambda v, x: trunk.apply(v, x)[-1])(variables, images)
  # float32 sums in another order, behind 5 to 16 convolutions.
  np.testing.assert_allclose(found, wanted, atol=1e-5 * np.abs(wanted).max())
  assert np.abs(wanted).max() > 0.1
