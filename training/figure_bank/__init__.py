"""Builds the bank of left-hand figures and fits the chord net.

In: prepared pieces of the training split.
Out: device/left_hand/figures.npz and device/left_hand/chord_net.npz.
Begin at build.py.
"""
