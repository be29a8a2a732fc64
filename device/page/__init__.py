"""Serves the page on which the owner plays the box from a phone. It is a process of its own and touches no sound.

In: requests of browsers, and the stream of the control socket.
Out: the page, and orders to the control socket.
Begin at server.py.
"""
