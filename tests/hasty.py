"""XLA flags that compile in less time: most of what tests wait for."""

from importlib import metadata

_VERSION = tuple(map(int, metadata.version("jax").split(".")[:2]))

# The emitters of fusions take longest to compile; without them code is slower,
# but computes the same. Newer versions do not know the flag and would abort.
NO_FUSION = "--xla_cpu_use_fusion_emitters=false" if _VERSION < (0, 11) else ""

# Tiny networks take longer to compile than to run. (With NO_FUSION two programs
# of one network differ in their last bits, and commands are compared.)
HASTY = "--xla_backend_optimization_level=0"
