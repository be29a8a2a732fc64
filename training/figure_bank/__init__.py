"""Builds the bank of left-hand figures and fits the nets that find chords.

In: prepared pieces of the training split.
Out: figures.npz, chord_net.npz and hindsight_net.npz in device/left_hand.
Begin at build.py.
"""
