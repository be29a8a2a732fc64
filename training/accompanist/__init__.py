"""Fits the accompanist, the net that plays the left hand.

In: pieces. Their right hands get the errors that the device makes when it hears them.
Out: weights of the net.
Begin at data.py.
"""
