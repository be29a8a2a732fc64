"""Lets other programs of this machine steer the running box and watch it, over one Unix socket.

In: requests as lines of JSON: actions, changes of settings, and the wish to watch.
Out: one answer for each request, and a stream of the status and of notes, beats and chords.
Begin at protocol.py.
"""
