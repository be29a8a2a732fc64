"""Reads the notes of a right hand from MIDI files, also from damaged ones, and writes a left hand to a MIDI file.

In: the bytes of a MIDI file; the messages of a left hand.
Out: notes with a tempo map, and sentences about what is wrong with the file; a MIDI file.
Begin at file.py.
"""
