"""Fits and measures the transcribers that the hearing began from.

In: scenes, as spectrograms of whole recordings.
Out: fits, and figures to compare them with the present transcriber.
Begin at notes.py.
"""
