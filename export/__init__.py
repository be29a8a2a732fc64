"""Turns the fitted nets into a bundle, which is the folder of models that a device loads."""
