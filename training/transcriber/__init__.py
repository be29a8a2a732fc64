"""Fits the transcriber and its gate.

In: scenes.
Out: weights, and the gate's thresholds.
Begin at net.py.
"""
