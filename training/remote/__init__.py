"""Fits the transcriber on another machine, which has a GPU and no data.

In: note banks, pieces and noises, packed into a small parcel.
Out: the weights of a fit.
Begin at fit.py. parcel.py packs and unpacks, stream.py renders scenes while the fit runs.
"""
