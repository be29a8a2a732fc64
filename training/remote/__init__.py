"""Fits the transcriber on another machine, which has a GPU and no data. Scenes are rendered while the fit runs.

In: note banks, pieces and noises, packed into a small parcel.
Out: the weights of a fit.
Begin at fit.py.
"""
