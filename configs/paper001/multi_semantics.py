"""Eight hourglasses with a holistic map each.

The ablation's "BL+MS": one map at the end of every hourglass, read from the
features that it multiplies. Variants: lsp, release, lsp_release.

Source: Chu et al. 2017 (arXiv 1702.07432), 5.2.3 and 7.2; see
configs/paper001/recipe.py.
Command: as configs/paper001/hierarchical.py, with this file.
Published: PCKh@0.5 87.2 on MPII's validation people. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.paper001.recipe import BOTH, multi_context

VARIANTS = BOTH


def get_config(variant: str = "") -> ConfigDict:
  attention = {"holistic": "crf", "levels": 1}
  return multi_context("multi_semantics", variant, attention=attention)
