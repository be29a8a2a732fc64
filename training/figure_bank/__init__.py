"""Builds the bank of left-hand figures that the device plays from.

In: prepared pieces of the training split.
Out: device/left_hand/figures.npz.
Begin at build.py.
"""
