"""Between keypoints and heatmaps: targets, decoders, flip test."""
