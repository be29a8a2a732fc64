"""Puts a new bundle onto the box, and puts the old one back if the new one fails.

In: the bytes of a signed archive.
Out: a checked bundle in the free slot, and the service restarted with it.
Begin at install.py.
"""
