"""Writes and reads losses.csv of a capture, which holds one loss of sound in each line.

A replay needs the losses, because the hearing holds onsets back after a loss that was reported to it.
"""

from __future__ import annotations

from device.inputs.source import Loss
from device.recording.csv_lines import lines_after

COLUMNS = ("sample", "missing", "found_late")
"""See `Loss` for their meaning. `missing` is empty if it is unknown, and `found_late` is 0 or 1."""
MOST_LOSSES_BYTES = 32 * 2**20
"""Largest size of the file in bytes. It holds a loss in each block of two hours."""
MOST_DIGITS = 15
"""Most digits of a number. A recording of centuries has fewer samples."""


def header() -> str:
    """Return the first line of the file."""
    return ",".join(COLUMNS) + "\n"


def row(loss: Loss) -> str:
    """Return the line for `loss`."""
    missing = "" if loss.missing is None else loss.missing
    return f"{loss.sample},{missing},{int(loss.found_late)}\n"


def losses_of(content: bytes) -> list[Loss]:
    """Return the losses in the content of the file, sorted by their places. Raises ValueError if it has another form.

    The last row may be cut off: see `lines_after`.
    """
    lines = lines_after(header(), content)
    return sorted((_loss(number, line) for number, line in enumerate(lines, 2)), key=lambda loss: loss.sample)


def _loss(number: int, line: str) -> Loss:
    match line.split(","):
        case [sample, missing, "0" | "1" as late] if _is_count(sample) and (not missing or _is_count(missing)):
            return Loss(int(sample), int(missing) if missing else None, late == "1")
    raise ValueError(f"line {number} is no loss")


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS
