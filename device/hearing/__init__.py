"""Hears the piano: turns sound into notes.

Input: hops of samples, and the notes that the box has sent.
Output: NoteHeard and NoteEnded.
Start reading at pipeline.py.
"""
