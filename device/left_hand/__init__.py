"""Plays the left hand: turns notes and steps into messages.

In: notes of the player's hands, Steps of the clock, and the owner's actions.
Out: Sends, each with the time at which it is due.
Begin at player.py.
"""
