"""What a run of the box is made of."""

from __future__ import annotations

from dataclasses import dataclass

from device.bundle import Bundle
from device.config import Config
from device.engine import Engine


@dataclass(frozen=True)
class Setup:
    """Settings, and what was made by them."""

    config: Config
    bundle: Bundle
    engine: Engine
