"""Reads published corpora into pieces.

In: the archives of three corpora: notes, bars and hands in the formats of their authors.
Out: pieces, each in one split. A piece holds notes with their hands, in quarters.
Begin at pieces.py.
"""
