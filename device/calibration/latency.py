"""Stores the result of `lefthand calibrate` between runs, and computes latencies from it and the settings."""

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
from device.system.untrusted_files import read_small

SCHEMA = 1
"""Version of the file's format."""
FILE = "calibration.json"
LONGEST_MS = 1000.0
"""Longest believable round trip in milliseconds. A longer one counts as an error in the file."""

log = logging.getLogger("lefthand")


@dataclass(frozen=True)
class Calibration:
    """Holds the measured delay and level of the box's own notes. A value is None if it was not measured."""

    measured: str
    """Time of the measurement, ISO 8601, UTC."""
    round_trip_ms: float | None = None
    """Milliseconds of stream time from sending a note to [midi] output until its heard onset."""
    spread_ms: float | None = None
    """Median absolute deviation of the single notes' round trips, in ms."""
    leak_db: float | None = None
    """Level of the box's own notes at the input, in dB above the silence before them."""
    synth_round_trip_ms: float | None = None
    synth_spread_ms: float | None = None
    synth_leak_db: float | None = None
    schema: int = SCHEMA


def read_calibration(folder: Path | None = None) -> Calibration | None:
    """Return the last calibration from `folder` (by default the state directory); None if there is none.

    A file that cannot be read or is damaged also gives None, with one sentence in the log. A damaged file is renamed to
    calibration.json.bad.
    """
    path = (state_dir() if folder is None else folder) / FILE
    try:
        return _parse(read_small(path).decode("utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("%s cannot be read (%s): latencies are taken as the settings say.", path, error.strerror)
    except (ValueError, RecursionError, OverflowError) as error:
        aside = path.with_name(f"{FILE}.bad")
        try:
            path.replace(aside)
        except OSError:
            aside = path
        log.warning("%s is damaged (%s); it is kept as %s: run `lefthand calibrate` again.", path, error, aside.name)
    return None


def write_calibration(calibration: Calibration, folder: Path | None = None) -> Path:
    """Write `calibration` and return the file's path. A power cut leaves either the new file or the old one.

    Raises OSError if the file cannot be written.
    """
    path = (state_dir() if folder is None else folder) / FILE
    write_durably(path, json.dumps(asdict(calibration), indent=2).encode() + b"\n")
    return path


def midi_lead_s(config: Config, calibration: Calibration | None) -> float:
    """Return the seconds by which a message to [midi] output leaves before its due time.

    This is the sum of latency_ms in [midi] and [audio] if the settings give one of them, else the measured round trip,
    and 0 if nothing was measured.
    """
    if config.midi.latency_ms is not None or config.audio.latency_ms is not None:
        return _sum_s(config.midi.latency_ms, config.audio.latency_ms)
    if calibration is None:
        return 0.0
    return _sum_s(calibration.round_trip_ms)


def synth_lead_s(config: Config, calibration: Calibration | None) -> float:
    """Return the seconds by which a message to the synthesiser leaves before its due time.

    This is the measured round trip, unless it is missing or the settings give latency_ms in [synth]. Then it is the sum
    of latency_ms in [synth] and [audio].
    """
    if config.synth.latency_ms is None and calibration is not None and calibration.synth_round_trip_ms is not None:
        return _sum_s(calibration.synth_round_trip_ms)
    return _sum_s(config.synth.latency_ms, config.audio.latency_ms)


def _sum_s(*latencies_ms: float | None) -> float:
    return sum(ms for ms in latencies_ms if ms is not None) / 1e3


def _parse(text: str) -> Calibration:
    """Return the calibration in `text`.

    Raises ValueError if `text` is not a calibration of this schema, and RecursionError or OverflowError if it is nested
    too deeply or holds a number that no float can hold.
    """
    data = json.loads(text)
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise ValueError(f"it is not of schema {SCHEMA}")
    names = {field.name for field in fields(Calibration)}
    # a newer lefthand may have written more fields
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
