"""Experiments that the present models came from. No other room depends on them.

In: scenes, pieces and figures of the other rooms.
Out: fits and tables, for docs/experiments.md.
Begin at levers/levers.py.
"""
