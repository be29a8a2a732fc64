"""Reports how the box is doing.

In: fault counts, the times of hops, and what a session knows of itself.
Out: status.json, and the lines that `lefthand status` prints.
Begin at schema.py.
"""
