"""Experiments of paper 002: PoseReNet behind networks with heatmaps."""
