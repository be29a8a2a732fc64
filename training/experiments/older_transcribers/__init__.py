"""Fits and measures older transcribers, which find the notes in a recording, to compare them with the present one.

In: scenes (rendered recordings), data sets, and one's own pairs of sound and MIDI.
Out: fits, and figures to compare them with the present transcriber.
Begin at notes.py.
"""
