"""Sends the left hand to instruments at the right time, and silences them at the end.

In: Sends with the times at which they are due.
Out: MIDI messages on a port, and at the box's synthesiser.
Begin at sender.py.
"""
