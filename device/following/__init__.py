"""Finds the beat of a player: turns onsets (the starts of notes) into a grid of sixteenth notes.

In: onsets, and taps or a count-in where there are some.
Out: the next Step with its time, one hop before it is due, and `lock`: the probability that the beat is right.
Begin at follow_clock.py.
"""
