"""Measures how well the device plays the left hand, and how well it follows the beat.

In: pieces whose left hands are known.
Out: figures of the left hand and of the clock (the part that follows the beat), a page to listen to, and a blind test.
Begin at comparison.py.
"""
