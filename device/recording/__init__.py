"""Records the input, the notes and the sent messages of a live run: this is `--record`.

In: hops, Losses of sound, actions of the owner, notes and Sends of a live run.
Out: a capture, which is a folder that `lefthand play` can play again.
Begin at capture.py.
"""
