"""Holds the two models as one checked folder, and decides which bundle plays.

In: a folder with two models, a manifest and golden answers.
Out: an opened Bundle, whose models have passed the self-test.
Begin at bundle.py.
"""
