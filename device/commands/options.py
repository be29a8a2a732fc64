"""Command-line options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from device.settings.config import DEFAULT_PATH


def settings_file(told: str) -> Callable[[Any], Any]:
    """The option `--config FILE`, passed as the parameter `path`. `told` is its help text."""
    return click.option(
        "--config",
        "path",
        type=click.Path(path_type=Path),
        metavar="FILE",
        default=DEFAULT_PATH,
        show_default=True,
        help=told,
    )
