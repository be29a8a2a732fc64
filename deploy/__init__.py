"""Workstation code that reaches the box: provisioning over SSH."""
