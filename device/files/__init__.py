"""Plays along with a file instead of a live input: this is `lefthand play`.

In: a sound file or a MIDI file.
Out: a MIDI file, the notes as a table, a report, a picture and a mix.
Begin at play.py.
"""
