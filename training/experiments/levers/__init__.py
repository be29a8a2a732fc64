"""Measures the levers. A lever is one named change that was tried in the training of the transcriber.

The change concerns the net, its training data or its loss. Each lever is fitted and measured alone, so its figures show
the effect of this one change.

In: the levers, pieces, note banks and recordings.
Out: for each lever a fitted net, an exported model and figures.
Begin at levers.py.
"""
