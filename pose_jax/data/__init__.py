"""Photographs and people: from files on disk to batches of uint8 crops.

NumPy only; nothing here imports jax. A dataset is a table of people
(`people.py`) plus a source of encoded images (`images.py`); `datasets.py`
opens one by name, `pipeline.py` turns one into batches.
"""
