"""Top-down 2D human pose estimation in JAX and Flax.

One person box in, K keypoints out. Every room can be imported and tested
alone; `README.md` ("How it fits together") says which room does what.
"""

__version__ = "0.1.0"
