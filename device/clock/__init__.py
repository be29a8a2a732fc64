"""Finds the beat: turns onsets (the starts of notes) into a grid of sixteenth notes.

In: onsets, taps, the pulses of a MIDI clock, or the tempo map of a MIDI file.
Out: the next Step with its time, one step before it is due. The clock that follows the player gives it one hop before.
Begin at step.py.
"""
