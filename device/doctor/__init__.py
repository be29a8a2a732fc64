"""Finds what is wrong with the box: this is `lefthand doctor`.

In: settings, and the machine with its ports, disk and service.
Out: findings, each with a remedy.
Begin at examine.py.
"""
