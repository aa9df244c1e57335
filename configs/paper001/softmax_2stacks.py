"""Two hourglasses with a softmax map each.

One of a pair with configs/paper001/crf_2stacks.py. The paper does not say
where the maps of this pair are; here, as in its "MS", one at the end of each
hourglass. Variants: lsp, release, lsp_release.

Source: Chu et al. 2017 (arXiv 1702.07432), 7.2, "Softmax vs. CRF"; see
configs/paper001/recipe.py.
Command: as configs/paper001/hierarchical.py, with this file.
Published: a curve (Fig. 10): PCKh@0.5 on MPII's validation people rises more
slowly than with random fields and stays below. Not yet measured here.
"""

from ml_collections import ConfigDict

from configs.paper001.recipe import BOTH, multi_context

VARIANTS = BOTH


def get_config(variant: str = "") -> ConfigDict:
  attention = {"holistic": "softmax", "levels": 1}
  return multi_context(
    "softmax_2stacks", variant, num_stacks=2, attention=attention
  )
