"""Reads the files that fits and evaluations write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from device.errors import UserError


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in the file `path` as a dict.

    Raises UserError if the file is missing or holds anything else.
    """
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as JSON: {error}.") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} must hold a JSON object.")
    return value
