"""Runs `lefthand run`, in the foreground or under systemd.

In: settings, signals, and ports that come and go.
Out: one live session after another, and a silent instrument at the end.
Begin at daemon.py.
"""
