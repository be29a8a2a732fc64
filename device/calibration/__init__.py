"""Measures how late the box's own notes sound: this is `lefthand calibrate`.

In: the times at which notes were sent and the times at which they were heard.
Out: the latency of each output, kept on the disk and used as a lead.
Begin at measure.py.
"""
