"""Experiments that the present models came from. No other room depends on them.

In: scenes, pieces and figures of the other rooms.
Out: fits and tables, for the pages of docs/experiments.
Begin at levers/levers.py.
"""
