"""Experiments: one documented file each, all keys in `base.py`."""
