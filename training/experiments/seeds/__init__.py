"""Fits and measures early versions of the accompanist's net, which are called seeds.

In: songs on a grid, and chorales as events.
Out: fits, figures, and a page to listen to.
Begin at seeds.py.
"""
