"""Experiments of paper 000: attention on ResNet with deconvolutions."""
