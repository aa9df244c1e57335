"""Experiments of paper 001: multi-context attention on stacked hourglasses."""
