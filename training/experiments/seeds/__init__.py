"""Fits and measures the seeds, which are other nets that accompany a melody, to compare them with the shipped one.

The project began from several documents, which are called seeds. Each document describes such a net. A configuration
of this package, also called a seed, follows one of these descriptions.

In: songs on a grid of sixteenth steps, and chorales as lists of note events.
Out: fitted nets, figures of the left hands that they play, and a web page to listen to these left hands.
Begin at seeds.py.
"""
