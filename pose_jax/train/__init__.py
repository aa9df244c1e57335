"""From a batch to a better state: loss, optimiser, step, loop, checkpoints."""
