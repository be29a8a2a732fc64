"""Runs one live session: from open ports to closed ports.

In: settings and an engine.
Out: the left hand at the instruments, and the state that the status shows.
Begin at session.py.
"""
