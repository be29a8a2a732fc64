"""Clocks that are told the beat, and what every clock offers: a grid of sixteenth notes.

In: taps, a set tempo, the pulses of a MIDI clock, or the tempo map of a MIDI file.
Out: the next Step with its time, one step before it is due.
Begin at step.py.
"""
