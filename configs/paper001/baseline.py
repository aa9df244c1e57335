"""Eight hourglasses without attention: paper 001's baseline.

The ablation's "BL". Variants: lsp, release (their stem, neck, loss and
background), lsp_release.

Source: Chu et al. 2017 (arXiv 1702.07432), 7.2, of Newell et al. 2016 (arXiv
1603.06937); see configs/paper001/recipe.py.
Command: as configs/paper001/hierarchical.py, with this file.
Published: PCKh@0.5 86.0 on MPII's validation people, six scales and flips. Not
yet measured here.
"""

from ml_collections import ConfigDict

from configs.paper001.recipe import BOTH, multi_context

VARIANTS = BOTH


def get_config(variant: str = "") -> ConfigDict:
  return multi_context("baseline", variant)
