"""XLA flags that compile in less time: most of what tests wait for."""

# Tiny networks take longer to compile than to run.
HASTY = "--xla_backend_optimization_level=0"
