"""Plays to a recording in a loop, without a sound card and without a MIDI port, so that a newcomer sees the box work.

In: a sound file.
Out: an open session, the same as that of real ports, whose messages reach no instrument.
Begin at looped_file.py.
"""
