"""Fits a recurrent net that hears taps and onsets and tells where the beat is, without the clock's grid.

`device.following.beat_net` uses it as a second opinion that a bent grid cannot mislead.

In: right hands and voices of scores, which are played with simulated rubato.
Out: a fit, the weights of the box, and how often the net and the clock know the place of an onset in real performances.
Begin at fit.py.
"""
