"""The part of lefthand that runs at the piano."""
