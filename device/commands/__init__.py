"""Holds the commands of `lefthand`, one file for each.

In: the arguments of the command line.
Out: an exit code, and printed text.
Begin at group.py.
"""
