"""Measures how well the device hears.

In: takes: recordings with known notes.
Out: figures of note accuracy, kinds of mistakes, and the report page.
Begin at measure.py.
"""
