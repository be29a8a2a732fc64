"""Measures one change of the transcriber at a time.

In: a lever, which is a named change of the net, its data or its gate.
Out: a fit, an exported model and figures for each lever.
Begin at levers.py.
"""
