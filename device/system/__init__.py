"""Asks Linux for what the box needs: folders, files that survive a power cut, real-time priority.

In: the name of a file to keep, and the thread that must be on time.
Out: paths, durable files and a thread's priority.
Begin at paths.py.
"""
