"""Holds the commands of `lefthand`, one file for each.

In: the words of the command line.
Out: an exit code, and what is printed.
Begin at group.py.
"""
