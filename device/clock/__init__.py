"""Finds the beat: turns onsets into a grid of sixteenths.

In: onsets, taps, the pulses of a MIDI clock, or the tempo map of a MIDI file.
Out: the next Step with its time, one step before it is due; one hop before in the clock that follows the player.
Begin at step.py.
"""
