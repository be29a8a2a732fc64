"""Installs the box, updates it and sends it models, all over SSH. Runs on the workstation.

The package `deploy.appliance` runs on the box: provisioning sends it there.
"""
