"""Measures how well the device plays and follows the beat.

In: pieces whose left hands are known.
Out: figures of the left hand and of the clock, and a page to listen to.
Begin at measure.py.
"""
