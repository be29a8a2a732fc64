"""What `lefthand calibrate` measured, kept between runs, and the latencies that follow from it and the settings."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from device.settings.config import Config
from device.system.durable_files import write_durably
from device.system.paths import state_dir

SCHEMA = 1
FILE = "calibration.json"
LONGEST_MS = 1000.0
"""A round trip longer than this is a mistake."""

log = logging.getLogger("lefthand")


@dataclass(frozen=True)
class Calibration:
    """How late our own notes are; all in ms, None where it was not measured."""

    measured: str
    """ISO 8601, UTC."""
    round_trip_ms: float | None = None
    """From a note's message to [midi] output to its onset as it is heard, in stream time."""
    spread_ms: float | None = None
    """Median absolute deviation of the single notes' round trips."""
    leak_db: float | None = None
    """Level of our own notes as they come back, over that of the silence before."""
    synth_round_trip_ms: float | None = None
    synth_spread_ms: float | None = None
    synth_leak_db: float | None = None
    schema: int = SCHEMA


def read_calibration(folder: Path | None = None) -> Calibration | None:
    """What was measured last, from `folder` (the state directory); None where nothing was.

    A file that is damaged is moved aside, with one sentence in the log, and counts as none.
    """
    path = (state_dir() if folder is None else folder) / FILE
    try:
        return _parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("%s cannot be read (%s): latencies are taken as the settings say.", path, error.strerror)
    except ValueError as error:
        aside = path.with_name(f"{FILE}.bad")
        try:
            path.replace(aside)
        except OSError:
            aside = path
        log.warning("%s is damaged (%s); it is kept as %s: run `lefthand calibrate` again.", path, error, aside.name)
    return None


def write_calibration(calibration: Calibration, folder: Path | None = None) -> Path:
    """Keep it, so that a power cut leaves this one or the one before; gives the file. Raises OSError."""
    path = (state_dir() if folder is None else folder) / FILE
    write_durably(path, json.dumps(asdict(calibration), indent=2).encode() + b"\n")
    return path


def midi_lead_s(config: Config, calibration: Calibration | None) -> float:
    """How much earlier than its due time a message leaves for [midi] output, in seconds."""
    if config.midi.latency_ms is not None or config.audio.latency_ms is not None:
        return _sum_s(config.midi.latency_ms, config.audio.latency_ms)
    if calibration is None:
        return 0.0
    return _sum_s(calibration.round_trip_ms)


def synth_lead_s(config: Config, calibration: Calibration | None) -> float:
    """How much earlier than its due time a message leaves for the synthesiser, in seconds."""
    if config.synth.latency_ms is None and calibration is not None and calibration.synth_round_trip_ms is not None:
        return _sum_s(calibration.synth_round_trip_ms)
    return _sum_s(config.synth.latency_ms, config.audio.latency_ms)


def _sum_s(*latencies_ms: float | None) -> float:
    return sum(ms for ms in latencies_ms if ms is not None) / 1e3


def _parse(text: str) -> Calibration:
    """Raises ValueError for what is no calibration of this schema."""
    data = json.loads(text)
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise ValueError(f"it is not of schema {SCHEMA}")
    names = {field.name for field in fields(Calibration)}
    # a newer lefthand may have written more
    kept: dict[str, Any] = {name: value for name, value in data.items() if name in names}
    if not isinstance(kept.get("measured"), str):
        raise ValueError("it does not say when it was measured")
    for name, value in kept.items():
        if name.endswith(("_db", "_ms")):
            _check_number(name, value)
    return Calibration(**kept)


def _check_number(name: str, value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} is {value!r}, not a number")
    if name.endswith("_ms") and not 0 <= value <= LONGEST_MS:
        raise ValueError(f"{name} is {value:g}, not within 0 to {LONGEST_MS:g} ms")
