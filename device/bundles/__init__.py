"""Bundles that are shipped with the device."""
