"""Fits the accompanist.

In: pieces, heard with the errors that the device makes.
Out: weights.
Begin at data.py.
"""
