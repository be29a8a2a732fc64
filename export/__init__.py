"""Turns fits into a bundle."""
