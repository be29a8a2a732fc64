"""Holds the settings that the owner may choose in a file, as an option or with a foot switch.

In: a TOML file, and MIDI messages of switches and knobs.
Out: a checked Config, and actions.
Begin at config.py.
"""
