"""The code that provisioning sends to the Pi and runs there. It uses only the standard library of Python 3.11."""
