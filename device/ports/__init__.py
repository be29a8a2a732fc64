"""Finds the connected devices: lists, chooses, opens and closes sound inputs and MIDI ports.

In: the name of a port, as the settings give it.
Out: an open port, or an error that names the remedy.
Begin at port.py.
"""
