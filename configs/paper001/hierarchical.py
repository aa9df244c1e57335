"""Eight hourglasses with all of multi-context attention: the paper's model.

Holistic maps of every level of every hourglass, summed; refined maps in stacks
1 to 4, part maps in stacks 5 to 8; HRUs. Variants: lsp, release, lsp_release.

Source: Chu et al. 2017 (arXiv 1702.07432), 5.2 and 7, and its release; see
configs/paper001/recipe.py.
Command:
  python -m launch.train --config=configs/paper001/hierarchical.py \
    --config.data.train.root=MPII --config.data.eval.root=MPII --workdir=W
where MPII is as for configs/mpii_resnet50_256x256.py. With :lsp and
:lsp_release, --config.data.train.root=DATA --config.data.eval.root=DATA, where
DATA holds mpii/, lsp/ and lspet/.
Published: PCKh@0.5 89.4 on MPII's validation people, six scales and flips. On
MPII's test 91.5 (head to ankle 98.5 96.3 91.9 88.1 90.6 88.0 85.0); on LSP
PCK@0.2 92.6 (98.1 93.7 89.3 86.9 93.4 94.0 92.5). Four GPUs of 12 GB. Not yet
measured here.
What a config cannot say: MPII's test labels are not published; crops are warped
once here, twice there; LSP's scale of 1.4375 times the list's; the release has
part maps in its last stack even of fewer than five, and scales its heatmaps
back to the photograph before it averages scales.
"""

from ml_collections import ConfigDict

from configs.paper001.recipe import BOTH, multi_context

VARIANTS = BOTH


def get_config(variant: str = "") -> ConfigDict:
  attention = {"holistic": "crf", "refined": "crf", "part": "crf"}
  return multi_context("hierarchical", variant, skip="hru", attention=attention)
