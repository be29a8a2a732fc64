"""Reads published corpora into pieces.

In: the archives of three corpora: notes, bars and hands in the formats of their authors.
Out: pieces: notes with their hands, in quarters, each in one split.
Begin at pieces.py.
"""
