"""What provisioning runs on the Pi itself, sent along: the standard library of Python 3.11 and newer alone."""
