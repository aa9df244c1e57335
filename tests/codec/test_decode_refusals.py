"""What decoders refuse, and in which words."""

import numpy as np
import pytest

from pose_jax.codec import decode


@pytest.mark.usefixtures("no_annotation_checks")
@pytest.mark.parametrize("name", sorted(decode.DECODERS))
def test_wrong_rank_is_refused(name):
  with pytest.raises(
    ValueError, match=r"\[B, h, w, K\], got shape \(8, 8, 3\)"
  ):
    decode.DECODERS[name](np.zeros((8, 8, 3), np.float32))


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"n": 0}, "n must be at least 1 pixel, got 0"),
    ({"n": 81}, "n is 81, but there are only 80 pixels"),
    ({"window": 4}, "odd and fit into the map of 10x8 pixels, got 4"),
    ({"window": 9}, "odd and fit into the map of 10x8 pixels, got 9"),
    ({"window": 3}, "n is 20, but there are only 9 pixels"),
  ],
)
def test_impossible_choice_of_pixels_is_refused(options, message):
  with pytest.raises(ValueError, match=message):
    decode.weighted(np.zeros((1, 10, 8, 1), np.float32), **options)


def test_even_blur_kernel_is_refused():
  with pytest.raises(ValueError, match="odd, positive size, got 10"):
    decode.dark(np.zeros((1, 10, 8, 1), np.float32), blur_kernel=10)
