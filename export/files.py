"""Reading what fits and evaluations leave behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from device.errors import UserError


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; raises UserError for anything else."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as JSON: {error}.") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} must hold a JSON object.")
    return value
