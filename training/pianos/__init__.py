"""Renders single notes of sampled and computed pianos.

In: instruments: sample sets, soundfonts, or the parameters of a modal synthesis.
Out: note banks: one sound for each key and velocity.
Begin at banks.py.
"""
