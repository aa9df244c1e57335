"""Evaluation: from a network's heatmaps to scores that carry their protocol.

Nothing here knows a network or a dataset: the launch layer hands in a
`predict_fn` and tables.
"""
