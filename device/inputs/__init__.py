"""Takes the live input: a sound card, a keyboard, a foot switch, a MIDI clock.

In: blocks of samples and MIDI messages, from open ports.
Out: Feeds (a hop, its time, the keyboard's notes), Losses of sound, and the owner's actions.
Begin at source.py.
"""
