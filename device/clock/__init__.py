"""Finds the beat: turns onsets into a grid of sixteenths.

Input: onsets, taps, the pulses of a MIDI clock, or the tempo map of a MIDI file.
Output: the next Step with its time, one step before it is due.
Start reading at step.py.
"""
