"""Eight hourglasses with a holistic map each, and HRUs.

The ablation's "BL+MS+HRU". Variants: lsp, release, lsp_release.

Source: Chu et al. 2017 (arXiv 1702.07432), 4 and 7.2, and its release for
where the HRUs are; see configs/paper001/recipe.py.
Command: as configs/paper001/hierarchical.py, with this file.
Published: PCKh@0.5 88.2 on MPII's validation people: 87.2 and "a further 1 %".
Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.paper001.recipe import BOTH, multi_context

VARIANTS = BOTH


def get_config(variant: str = "") -> ConfigDict:
  attention = {"holistic": "crf", "levels": 1}
  return multi_context("hru", variant, skip="hru", attention=attention)
