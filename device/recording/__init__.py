"""Keeps what a live run heard and sent: this is `--record`.

In: hops, notes and Sends of a live run.
Out: a capture: a folder that `lefthand play` can play over again.
Begin at capture.py.
"""
