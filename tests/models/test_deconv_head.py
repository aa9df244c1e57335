"""Where the shared head puts its pixels, and what it refuses."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from pose_jax.models import MODELS, make_model, map_hw
from pose_jax.models.attention_options import NONE
from pose_jax.models.deconv_head import deconv_head
from pose_jax.models.layers import BatchNorm
from pose_jax.skeleton import COCO17

TINY = {
  "pose_resnet": {"depth": 18, "width": 2},
  "alexnet": {"width": 2},
  "vgg": {"width": 2},
}
SMALL = {"deconv_filters": (4, 5, 6)}


class _Alone(nn.Module):
  strides: tuple[int, ...] = (2, 2, 2)

  @nn.compact
  def __call__(self, x):
    return deconv_head(
      x,
      num_keypoints=1,
      filters=(1,) * len(self.strides),
      strides=self.strides,
      attention=NONE,
      norm=partial(BatchNorm, use_running_average=True, epsilon=0.0),
      dtype=jnp.float32,
    )


def _interpolating(path, leaf):
  """Kernels that enlarge bilinearly, and a head that passes it on."""
  if leaf.shape[:2] == (4, 4):
    taps = jnp.array([0.25, 0.75, 0.75, 0.25])
    return jnp.outer(taps, taps)[:, :, None, None]
  return jnp.ones_like(leaf) if path[-1].key == "kernel" else leaf


@pytest.mark.parametrize(("num", "shift"), [(1, -8), (2, -12), (3, -14)])
def test_heatmap_pixels_are_centred_as_trunks_say(num, shift):
  """Features at 32 i + c of the crop: heatmaps at 32 j / 2**num + c + shift."""
  head = _Alone((2,) * num)
  rows = jnp.arange(100.0, 100 + 32 * 8, 32)[None, :, None, None]
  x = jnp.broadcast_to(rows, (1, 8, 8, 1))  # the features are where they lie
  variables = head.init(jax.random.key(0), x)
  variables = jax.tree_util.tree_map_with_path(_interpolating, variables)
  output = head.apply(variables, x)
  np.testing.assert_array_equal(output.features, output.heatmaps)
  heatmaps = output.heatmaps[0, :, 4 * 2**num, 0]
  inside = np.arange(2**num, 7 * 2**num)
  expected = 100 + 32 / 2**num * inside + shift
  np.testing.assert_allclose(heatmaps[inside], expected, rtol=1e-5)


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("strides", [(2, 2, 2), (1, 2, 2), (2, 1, 1)])
def test_heatmaps_have_the_size_that_is_promised(name, strides):
  kernels = tuple(3 if stride == 1 else 4 for stride in strides)
  config = {"name": name, **TINY[name], **SMALL}
  config |= {"deconv_strides": strides, "deconv_kernels": kernels}
  model = make_model(config, COCO17)
  images = jax.ShapeDtypeStruct((2, 64, 96, 3), jnp.float32)
  output, variables = jax.eval_shape(
    lambda key, x: model.init_with_output(key, x), jax.random.key(0), images
  )
  scale = int(np.prod(strides))
  size = (2 * scale, 3 * scale)
  assert output.heatmaps.shape == (2, *size, 17)
  assert output.stages[0].shape == output.heatmaps.shape
  assert model.map_hw((64, 96)) == map_hw(config, (64, 96)) == size
  assert model.crop_step == 32
  params = variables["params"]
  assert set(params) == {
    "backbone",
    "head",
    *(f"deconv{i}{end}" for i in range(3) for end in ("", "_norm")),
  }
  assert [params[f"deconv{i}"]["kernel"].shape for i in range(1, 3)] == [
    (kernels[1], kernels[1], 4, 5),
    (kernels[2], kernels[2], 5, 6),
  ]
  assert params["head"]["kernel"].shape == (1, 1, 6, 17)


@pytest.mark.parametrize("name", ["alexnet", "vgg"])
def test_attention_reads_what_the_deconvolutions_give(name):
  attention = {"holistic": "softmax", "refined": "crf", "part": "softmax"}
  config = {"name": name, **TINY[name], **SMALL, "attention": attention}
  model = make_model(config, COCO17)
  images = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
  output, _ = jax.eval_shape(
    lambda key, x: model.init_with_output(key, x), jax.random.key(0), images
  )
  levels = [output.attention[f"holistic/level{i}"].shape for i in range(3)]
  assert levels == [(1, 4, 4, 1), (1, 8, 8, 1), (1, 16, 16, 1)]
  assert output.attention["part"].shape == (1, 16, 16, 17)


@pytest.mark.parametrize("name", ["alexnet", "vgg"])
@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"dtype": "float16"}, "must be one of float32, bfloat16, got 'float16'"),
    ({"batch_norm_momentum": 2.0}, "batch_norm_momentum must be between 0"),
    ({"widht": 16}, "no option 'widht', did you mean 'width'?"),
    ({"width": 0}, "width and num_keypoints must be at least 1, got 0 and 17"),
    ({"deconv_filters": (4,) * 6}, "deconv_filters must be one to five"),
    ({"deconv_filters": (4, 0, 4)}, "deconv_filters must be one to five"),
    ({"deconv_strides": (2, 3, 2)}, "must be 1 or 2 for each of the 3"),
    ({"deconv_kernels": (4, 4)}, "deconv_kernels must be (4, 4, 4), 4 where"),
    ({"attention": {"part": "crv"}}, "attention.part must be one of none, "),
  ],
)
def test_wrong_config_values_are_named(name, change, message):
  with pytest.raises(ValueError, match="^[^\n]*$") as error:
    make_model({"name": name, **TINY[name], **SMALL, **change}, COCO17)
  assert message in str(error.value)


@pytest.mark.parametrize(
  ("name", "called"),
  [("alexnet", "an AlexNet"), ("vgg", "a VGG"), ("pose_resnet", "a ResNet")],
)
@pytest.mark.parametrize("crop_hw", [(256, 190), (0, 192), (100, 192)])
def test_crops_that_do_not_divide_are_refused(name, called, crop_hw):
  model = MODELS[name](1, **TINY[name])
  message = f"multiples of 32 for {called}, got .{crop_hw[0]}, {crop_hw[1]}."
  with pytest.raises(ValueError, match=message):
    model.map_hw(crop_hw)
  images = jax.ShapeDtypeStruct((1, *crop_hw, 3), jnp.float32)
  with pytest.raises(ValueError, match=message):
    jax.eval_shape(model.init, jax.random.key(0), images)
