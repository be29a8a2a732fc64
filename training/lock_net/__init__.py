"""Fits the recurrent net that judges, by the history of the clock, whether the clock's beat is right.

`device.following.lock_net` makes `lock` of it. It is fitted on beats of the clock itself.

In: right hands and voices of scores, which are played to the clock with simulated rubato, pauses and sudden tempos.
Out: a fit, the weights of the box, and how well the new `lock` tells held beats of real performances.
Begin at fit.py.
"""
