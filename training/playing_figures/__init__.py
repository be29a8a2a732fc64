"""Measures how well the device plays and follows the beat.

In: pieces whose left hands are known.
Out: figures of the left hand and of the clock, a page to listen to, and a blind test.
Begin at comparison.py.
"""
