"""What paper 000's experiments share: ResNet-50 with attention on COCO.

"Pose Estimation using Attention Based Mechanisms" (Subramanian et al., WPI)
and its code, ShyamSubramanian/DeepLearning-PoseEstimation.
"""

from ml_collections import ConfigDict

from configs import base, recipes

_SPLIT = 80_000, 85_000, 113_000  # ends of training, validation, test images


def resnet_attention(
  name: str, variant: str, kind: str, variants: tuple[str, ...]
) -> ConfigDict:
  """One row: a kind of attention in the places that the variant names.

  Variants: "" has holistic and part attention, "holistic" and "part" one of
  them. "three" has three transposed convolutions, as SimpleBaseline and the
  authors' code; the paper has four, of which the first keeps 8x6. "release" is
  the authors' code: three, a field of 1x1 kernels without bias, their recipe
  and split.

  Args:
    name: of the file.
    variant: what stood behind the colon.
    kind: of attention, "none" for none.
    variants: that the file has.
  """
  config = base.get_config()
  config.name = f"paper000/{name}"
  if variant in variants:
    config.name += f"_{variant}"
  is_release = variant == "release"
  config.update(recipes.subramanian(release=is_release))
  _data(config, is_release)
  if variant not in ("three", "release"):
    config.model.update(
      deconv_filters=(256,) * 4,
      deconv_strides=(1, 2, 2, 2),
      deconv_kernels=(3, 4, 4, 4),
    )
  attention = config.model.attention
  attention.holistic = "none" if variant == "part" else kind
  attention.part = "none" if variant == "holistic" else kind
  if is_release and "crf" in (attention.holistic, attention.part):
    attention.update(crf_kernel_size=1, crf_bias=False)
  config.checkpoint.every_steps = 1000
  config.eval.update(every_steps=6000, nms="oks", nms_padded_area=True)
  return base.finish(config, variant, variants)


def _data(config: ConfigDict, is_release: bool) -> None:
  """80,000 images of train2017, 5,000 to choose by; or COCO's own split."""
  for section, split in (
    (config.data.train, "train2017"),
    (config.data.eval, "val2017" if is_release else "train2017"),
  ):
    section.name = "coco"
    section.annotations = f"annotations/person_keypoints_{split}.json"
    section.images = split
    section.split = split
  if not is_release:
    config.data.train.portion = (0, _SPLIT[0])
    config.data.eval.portion = _SPLIT[:2]
