"""Hears the piano: turns sound into notes.

In: hops of samples, and the notes that the box has sent.
Out: NoteHeard and NoteEnded.
Begin at pipeline.py.
"""
