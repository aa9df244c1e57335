"""Eight hourglasses with maps of every level, and HRUs.

The ablation's "BL+MS+HRU+MR": a holistic map of each of four levels, summed,
and a refined map behind it (the release has neither). Variant: lsp.

Source: Chu et al. 2017 (arXiv 1702.07432), 5.2.2 and 7.2; see
configs/paper001/recipe.py.
Command: as configs/paper001/hierarchical.py, with this file.
Published: PCKh@0.5 89.2 on MPII's validation people: 88.2 "and a further 1 %".
Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.paper001.recipe import PAPER, multi_context

VARIANTS = PAPER


def get_config(variant: str = "") -> ConfigDict:
  attention = {"holistic": "crf", "refined": "crf"}
  return multi_context(
    "multi_resolution",
    variant,
    variants=VARIANTS,
    skip="hru",
    attention=attention,
  )
