"""Reports how the box is doing.

In: fault counts, the times of hops, and the values that a session reports.
Out: status.json, and the lines that `lefthand status` prints.
Begin at schema.py.
"""
