"""Writes what one run of `lefthand play` gave. Each file replaces an older one only when it is complete.

In: the events of the run, and the input that it read.
Out: a MIDI file, the notes as a table, a report, a picture and a mix.
Begin at outputs.py.
"""
