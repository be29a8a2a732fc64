"""Plays along with a file instead of a live input: this is `lefthand play`.

The rooms `sound` and `midi` read the input, and the room `results` writes the output files. The files beside them find
out what the input is and run the engine over it.

In: a sound file or a MIDI file.
Out: a MIDI file, the notes as a table, a report, a picture and a mix.
Begin at play.py.
"""
