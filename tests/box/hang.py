"""A `sitecustomize` for the service: the engine hangs while the file HANG exists, and the other threads go on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from device.engine import Engine

HANG = Path("/run/lefthand/hang")

_step = Engine.step


def step(self: Engine, hop: Any, now_s: float, midi: Sequence[Any] = ()) -> list[Any]:
    while HANG.exists():
        time.sleep(0.01)
    return _step(self, hop, now_s, midi)


Engine.step = step  # type: ignore[method-assign]
