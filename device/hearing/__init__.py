"""Hears the piano: turns sound into notes.

In: hops (blocks of a fixed number of samples), and the notes that the box has sent.
Out: NoteHeard and NoteEnded.
Begin at pipeline.py.
"""
