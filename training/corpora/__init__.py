"""Reads published corpora (collections of music) and turns each into pieces.

In: the archives of three corpora, with notes, bars and hands in the formats of their authors.
Out: pieces. A piece holds notes, each with its hand and with times in quarters (quarter notes). Each piece is in one
split: train, valid or test.
Begin at pieces.py.
"""
