"""Measures how well the device hears notes.

In: takes, which are recordings whose notes are known.
Out: figures of note accuracy, the kinds of mistakes, and a report page.
Begin at measure.py.
"""
