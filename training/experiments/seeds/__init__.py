"""Fits and measures the nets that the playing began from.

In: songs on a grid, and chorales as events.
Out: fits, figures, and a page to listen to.
Begin at seeds.py.
"""
