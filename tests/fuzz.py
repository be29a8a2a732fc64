"""Mutated files of every format that a person can hand over: each ends in success or in one sentence.

    python -m tests.fuzz [--count N] [--seed N]

prints one table, format by format, and exits with status 1 if a file ends in a traceback, in a message with a control
character or of several lines, or after more than LONGEST_S seconds, or if the process takes more than MOST_MB. Ctrl-C
ends it with the table so far.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from threading import Event

import numpy as np
import soundfile
from click.testing import CliRunner

from device.bundles.bundle import default_bundle, read_arrays
from device.bundles.manifest import read_manifest
from device.calibration.latency import Calibration, read_calibration
from device.calibration.tuning_file import FILE as TUNING
from device.calibration.tuning_file import read_tuning
from device.cli import main as lefthand
from device.errors import UserError
from device.left_hand.memory_file import FILE as PHRASES
from device.left_hand.memory_file import read_memory
from device.left_hand.phrase_memory import PhraseMemory
from device.recording.capture import (
    ACTIONS,
    HOW,
    KEYS,
    LOSSES,
    SOUND,
    CaptureSettings,
    actions_taken,
    how_captured,
    losses_told,
)
from device.settings.config import read_config
from device.status.schema import FILE as STATUS
from device.status.schema import read_status
from tests.unit.helpers.midi_bytes import FLAWS, clean

ROOT = Path(__file__).parents[1]
LONGEST_S = 20.0
"""Seconds of computing time that one file may take."""
MOST_MB = 1000
"""Megabytes that the whole process may take."""
SHARES = {
    "MIDI": 0.32,
    "TOML": 0.28,
    "manifest": 0.1,
    "golden arrays": 0.06,
    "capture": 0.1,
    "status": 0.06,
    "calibration": 0.03,
    "tuning": 0.02,
}
"""Share of the files of each format. The formats that are not named share the rest equally."""
HEADER = 128
"""Bytes at the beginning of a file in which lengths are changed as a whole."""
TURNS = 200
"""Each format is tried in so many turns."""
OTHER_SOUNDS = ["AIFF", "AU", "CAF", "OGG", "RF64", "W64"]
"""Formats as libsndfile names them. `lefthand play` knows them by their content."""
TOKENS = [b"[", b"]", b"{", b"}", b'"', b"=", b"null", b"1e999", b"-1", b"NaN", b"\x00", b"\x1b[2J", b"\xff", b"\n"]


def mutated(content: bytes, random: Random) -> bytes:
    """Return `content` with one to eight changes: bytes set, cut out, doubled, put in, a deep nesting, or a length."""
    changed = bytearray(content)
    for _ in range(random.randint(1, 8)):
        at = random.randrange(len(changed) + 1)
        match random.randrange(8):
            case 0 if at < len(changed):
                changed[at] = random.choice([0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)])
            case 1:
                del changed[at : at + random.choice([1, 2, 9, 100])]
            case 2:
                changed[at:at] = changed[at : at + random.choice([1, 4, 40])]
            case 3:
                changed[at:at] = bytes(random.randrange(256) for _ in range(random.randint(1, 9)))
            case 4:
                changed[at:at] = random.choice(TOKENS)
            case 5 if random.random() < 0.1:
                changed[at:at] = random.choice([b"[", b'{"a":', b"a.", b"9", b"\x80"]) * random.choice([500, 5000])
            case 6 if random.random() < 0.3:
                del changed[at:]
            case 7:
                # a length of 32 or 64 bits in a header: a placeholder, or more than any file has
                width, at = random.choice([4, 8]), at % HEADER // 4 * 4
                changed[at : at + width] = random.choice([b"\xff", b"\x7f", b"\x00"]) * width
    return bytes(changed)


@dataclass
class Format:
    """A format: intact files to begin with, and a function that reads a file in a folder and returns what it says."""

    name: str
    intact: Callable[[Random], bytes]
    file: str
    read: Callable[[Path], str]
    tried: int = 0
    refused: int = 0
    longest_s: float = 0.0
    faults: list[str] = field(default_factory=list)


def play(path: Path) -> str:
    """Play to a file, only listening. Return the refusal, or nothing."""
    result = CliRunner().invoke(
        lefthand, ["play", str(path), "--listen", "--track", "all"][: 5 if _is_midi(path) else 3]
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    said = [line for line in result.stderr.splitlines() if not line.startswith("INFO:")]
    return said[-1] if result.exit_code else ""


def _is_midi(path: Path) -> bool:
    return path.suffix == ".mid"


def refusal(read: Callable[[Path], object]) -> Callable[[Path], str]:
    """Make a reader return the sentence of its UserError."""

    def told(path: Path) -> str:
        try:
            read(path)
        except UserError as error:
            return str(error)
        return ""

    return told


def sound(kind: str) -> bytes:
    held = io.BytesIO()
    wave = np.sin(np.arange(4000) * 0.2) * np.exp(-np.arange(4000) / 3000)
    soundfile.write(held, wave, 16_000, format=kind)
    return held.getvalue()


def arrays(random: Random) -> bytes:
    """Return an archive of arrays such as golden.npz, packed or not."""
    held = io.BytesIO()
    given = {"features/samples": np.arange(300, dtype=np.float32), "transcriber/in/x": np.ones((2, 3), np.int8)}
    (np.savez_compressed if random.random() < 0.5 else np.savez)(held, **given)
    return held.getvalue()


def capture(path: Path) -> str:
    (path.parent / KEYS).write_bytes(clean())
    told = refusal(lambda p: how_captured(p.parent / KEYS))(path)
    return told or play(path.parent / KEYS)


def losses(path: Path) -> str:
    """Read the losses of a capture whose settings were never damaged."""
    (path.parent / HOW).write_text("{}")
    return refusal(lambda p: losses_told(p.parent / SOUND))(path)


def actions(path: Path) -> str:
    """Read the owner's actions of a capture whose settings were never damaged."""
    (path.parent / HOW).write_text("{}")
    return refusal(lambda p: actions_taken(p.parent / SOUND))(path)


def formats() -> list[Format]:
    """The formats, with files that are right."""
    settings = (ROOT / "docs" / "lefthand.toml").read_bytes()
    plain = b'[audio]\ninput = "USB"\n[midi]\noutput = "USB"\nchannel = 3\n[play]\nsplit = 50\n[clock]\nmeter = "3/4"\n'
    how = asdict(CaptureSettings("follow", None, "4/4", 4, "", False))
    status = {"schema": 1, "pid": 5, "state": "playing", "beat": 1, "notes": [{"pitch": 60}], "faults": {"xruns": 1}}
    manifest = (default_bundle() / "manifest.json").read_bytes()
    memory = PhraseMemory(keeps=True)
    for i in range(40):
        memory.hear([(0, [60 + i % 7])], i % 8)
        memory.learn(4, np.full(24, -3.0, np.float32))
    phrases = memory.packed()
    return [
        Format("MIDI", lambda r: r.choice(FLAWS).make(r) if r.random() < 0.7 else clean(), "a.mid", play),
        Format("TOML", lambda r: r.choice([settings, plain]), "a.toml", refusal(read_config)),
        Format("manifest", lambda r: manifest, "manifest.json", refusal(lambda p: read_manifest(p.read_bytes()))),
        Format("golden arrays", arrays, "golden.npz", refusal(lambda p: read_arrays(p.read_bytes(), p.name))),
        Format("capture", lambda r: json.dumps(how).encode(), HOW, capture),
        Format("status", lambda r: json.dumps(status).encode(), STATUS, refusal(lambda p: read_status(p.parent))),
        Format(
            "calibration",
            lambda r: json.dumps(asdict(Calibration("2026-01-01T00:00:00+00:00", 30.0, 1.0))).encode(),
            "calibration.json",
            refusal(lambda p: read_calibration(p.parent)),
        ),
        Format("tuning", lambda r: b'{"schema": 1, "cents": -38.5}', TUNING, refusal(lambda p: read_tuning(p.parent))),
        Format("phrases", lambda r: phrases, PHRASES, refusal(lambda p: read_memory(p.parent))),
        Format("losses", lambda r: b"sample,missing,found_late\n256,640,0\n512,,0\n", LOSSES, losses),
        Format(
            "actions",
            lambda r: (
                b'hop_s,at_s,action,value\n0.5,0.5,style,"""bass"""\n1.0,1.01,tap,\n2.0,2.0,clock,"{""tempo"": 90}"\n'
            ),
            ACTIONS,
            actions,
        ),
        Format("WAV", lambda r: sound("WAV"), "a.wav", play),
        Format("FLAC", lambda r: sound("FLAC"), "a.flac", play),
        Format("other sounds", lambda r: sound(r.choice(OTHER_SOUNDS)), "a.sound", play),
    ]


def attempt(kind: Format, content: bytes, folder: Path) -> None:
    """Read one file, and note what it must not do."""
    path = folder / kind.file
    path.write_bytes(content)
    began = time.process_time()
    try:
        told = kind.read(path)
    except Exception:  # this is what the run looks for
        told = ""
        kind.faults.append(traceback.format_exc(limit=-3) + f"\n{content[:400]!r}")
    took_s = time.process_time() - began
    kind.tried += 1
    kind.refused += bool(told)
    kind.longest_s = max(kind.longest_s, took_s)
    if not told.isprintable():
        kind.faults.append(f"a message that is no single printable line: {told!r}")
    if took_s > LONGEST_S:
        kind.faults.append(f"{took_s:.1f} s\n{content[:400]!r}")


def run(count: int, seed: int, stop: Event | None = None) -> list[Format]:
    """Try `count` files, or fewer if `stop` is set, and return the formats with what was found.

    The formats take turns, so that a run that ends early has tried all of them.
    """
    found = formats()
    rest = (1.0 - sum(SHARES.values())) / sum(kind.name not in SHARES for kind in found)
    randoms = {kind.name: Random(f"{seed} {kind.name}") for kind in found}
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(1, TURNS + 1):
            for kind in found:
                until = max(1, round(count * SHARES.get(kind.name, rest)) * turn // TURNS)
                while kind.tried < until and not (stop and stop.is_set()):
                    random = randoms[kind.name]
                    attempt(kind, mutated(kind.intact(random), random), Path(folder))
    logging.disable(logging.NOTSET)
    return found


def table(found: list[Format]) -> list[str]:
    """Return the lines of the table."""
    lines = ["| format | files tried | refused in a sentence | longest, s | faults |", "|---|---|---|---|---|"]
    return lines + [
        f"| {kind.name} | {kind.tried} | {kind.refused} | {kind.longest_s:.2f} | {len(kind.faults)} |" for kind in found
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    stop = Event()
    # the commands under test catch a KeyboardInterrupt themselves
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    found = run(options.count, options.seed, stop)
    print("\n".join(table(found)))
    used_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"\n{used_mb:.0f} MB at most")
    for kind in found:
        for fault in kind.faults[:5]:
            print(f"\n{kind.name}: {fault}", file=sys.stderr)
    sys.exit(int(used_mb > MOST_MB or any(kind.faults for kind in found)))


if __name__ == "__main__":
    main()
