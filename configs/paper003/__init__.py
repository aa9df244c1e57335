"""Experiments of paper 003: skeletal heatmaps and weighted inference."""
