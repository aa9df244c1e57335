"""A network that regresses coordinates and says presence, for these tests."""

import jax.numpy as jnp
from flax import linen as nn
from ml_collections import ConfigDict

from pose_jax.models.output import PoseOutput

NAME = "made_regressor"


class MadeRegressor(nn.Module):
  """One linear layer on the mean of each quarter of the crop."""

  num_keypoints: int
  says_presence: bool
  gives_coordinates = True
  crop_step = 2

  @nn.compact
  def __call__(self, images, train=False):
    del train
    batch, height, width, _ = images.shape
    quarters = images.reshape(batch, 2, height // 2, 2, width // 2, 3)
    features = quarters.mean((2, 4)).reshape(batch, 12)
    xy = nn.Dense(2 * self.num_keypoints, name="xy")(features)
    coordinates = jnp.tanh(xy.reshape(batch, self.num_keypoints, 2)) / 2
    logits = None
    if self.says_presence:
      logits = nn.Dense(self.num_keypoints, name="presence")(features)
    return PoseOutput(
      coordinates=coordinates,
      coordinate_stages=(coordinates,),
      presence_logits=logits,
    )

  @nn.nowrap
  def map_hw(self, crop_hw):
    return tuple(crop_hw)


def make_made_regressor(num_keypoints, *, with_presence=True):
  return MadeRegressor(num_keypoints, with_presence)


def regressing(config, **options):
  """The config with this network; MODELS must name its factory."""
  with config.unlocked():
    config.model = ConfigDict({"name": NAME, **options})
  config.eval.decoder = "coordinates"
  return config
