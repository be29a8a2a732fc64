"""What holds for every tier."""

from __future__ import annotations

from hypothesis import settings

# a busy machine is no failure; pytest-timeout ends what hangs
settings.register_profile("lefthand", deadline=None)
settings.load_profile("lefthand")
