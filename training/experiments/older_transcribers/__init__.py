"""Fits and measures older transcribers, to compare them with the present one.

In: scenes, as spectrograms of whole recordings.
Out: fits, and figures to compare them with the present transcriber.
Begin at notes.py.
"""
