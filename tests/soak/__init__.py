"""Runs the box for long: live on JACK, over music at full speed, and with random faults.

In: lengths of the runs in seconds, and the number of faults.
Out: a table of figures, each with its limit.
Begin at __main__.py.
"""
