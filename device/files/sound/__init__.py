"""Reads sound files as mono samples, also files that are damaged or have a wrong header.

In: a sound file of any format that libsndfile reads, of one or more channels.
Out: blocks of float samples at the rate of the file, and sentences about what is wrong with it.
Begin at file.py.
"""
