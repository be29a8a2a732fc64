"""Runs inside the emulated aarch64: plays a sound through the daemon's input, loop and status, and marks the stages.

    python inside.py SOUND.npy RUNTIME FOLDER

SOUND.npy holds float32 samples at 48 kHz. The status is written into FOLDER.

A mark is a system call that no kernel has. `count.c` writes the thread's number of instructions at each mark.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from device.assemble import engine_of
from device.bundles import tflite
from device.bundles.bundle import Bundle, default_bundle
from device.engine import Engine
from device.inputs.control_queue import ControlQueue
from device.inputs.sound_card import SoundSource
from device.live.loop import Loop
from device.live.monitor import Monitor
from device.live.opening import Lifetime, Opened
from device.outputs.send_queue import SendQueue
from device.outputs.sender import Sender
from device.service.foreground import warm_up
from device.settings.config import parse_config
from device.settings.controls import Controls
from device.status.schema import Status, write_status
from device.stream_time import StreamTime
from device.system.realtime import settled

MARK = 0x4C48
"""Number of the system call that marks a stage. `count.c` knows the same number."""
BEGIN, END = 0x100, 0x200
"""Added to the number of a stage at its beginning and at its end."""
STAGES = (
    "hop",
    "input",
    "features",
    "net",
    "around the net",
    "seams, beeps and tuning",
    "gate",
    "clock",
    "accompanist",
    "status",
    "empty",
)
"""Each stage is counted without the stages inside it. `hop` is everything from the end of one hop to the next.

`net` is one `invoke`; `around the net` stores its inputs, keeps its states and reads its output.
"""
EMPTY = 64
"""Empty stages at the beginning. They give the cost of the marks themselves."""
STATUSES = 20
"""Times that the status is written."""
BLOCK, RATE, BLOCKS_A_HOP = 256, 48_000, 3
"""Samples in a block of the card, its rate in Hz, and the number of blocks that make a hop of 256 samples at 16 kHz."""
SETTINGS = '[audio]\ninput = "mic"\n[midi]\noutput = "synth"\n'
_LIBC = ctypes.CDLL(None).syscall


def mark(at: int, stage: str) -> None:
    """Mark the beginning or the end of a stage: `at` is BEGIN or END."""
    _LIBC(MARK, at + STAGES.index(stage))


def marked(stage: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return `call` with a mark before and after it."""

    def run(*given: Any, **named: Any) -> Any:
        mark(BEGIN, stage)
        try:
            return call(*given, **named)
        finally:
            mark(END, stage)

    return run


class Card:
    """The part of PyAudio that `SoundSource` uses. `deliver` hands a block to the source."""

    def get_device_count(self) -> int:
        return 1

    def get_device_info_by_index(self, index: int) -> dict[str, Any]:
        return {"name": "mic", "hostApi": 0, "maxInputChannels": 1, "defaultSampleRate": float(RATE)}

    def get_host_api_info_by_index(self, index: int) -> dict[str, Any]:
        return {"name": "ALSA"}

    def open(self, **settings: Any) -> Card:
        self._callback = settings["stream_callback"]
        return self

    def deliver(self, block: bytes) -> None:
        self._callback(block, BLOCK, {}, 0)

    def start_stream(self) -> None: ...

    def is_active(self) -> bool:
        return True

    def close(self) -> None: ...


def opened_on(card: Card) -> Opened:
    """Return a session with the shipped models that hears `card` and plays to nobody."""
    config = parse_config(SETTINGS, "pi-cost")
    bundle = Bundle.open(default_bundle())
    engine = engine_of(config, bundle)
    warm_up(engine)
    stream_time, lifetime = StreamTime(), Lifetime(lambda: None)
    monitor = Monitor(bundle.features.hop_s)
    source = SoundSource(card, config.audio, bundle.features.sample_rate, bundle.features.hop, stream_time)
    sender = Sender(SendQueue(), lambda message: None, stream_time, failed=lifetime.fail)
    monitor.begin(engine, source, None, [sender])
    return Opened(
        engine=engine,
        monitor=monitor,
        lifetime=lifetime,
        stream_time=stream_time,
        source=source,
        controls=ControlQueue(Controls(config.controls.mapping)),
        senders=[sender],
        output=None,
        synth=None,
        foot_switch=None,
        tape=None,
        watched=(),
        resources=contextlib.ExitStack(),
    )


def mark_stages(engine: Engine) -> None:
    """Put marks around the stages of `engine`."""
    hearing, player, clock = engine.hearing, engine._player, engine._clock
    assert hearing is not None and player is not None
    model = hearing._transcriber._model._interpreter  # type: ignore[attr-defined]
    stages: list[tuple[str, Any, tuple[str, ...]]] = [
        ("features", hearing._features, ("step",)),
        ("around the net", hearing._transcriber, ("step",)),
        ("net", model, ("invoke",)),
        *(("seams, beeps and tuning", part, ("step",)) for part in (hearing._seams, hearing._beeps, hearing._estimate)),
        ("gate", hearing._gate, ("step",)),
        ("clock", clock, ("due", "hear")),
        ("accompanist", player, ("play", "hear", "end")),
    ]
    for stage, part, names in stages:
        for name in names:
            setattr(part, name, marked(stage, getattr(part, name)))


class Player:
    """Runs the loop of `opened` over the sound [samples] at 48 kHz, one hop after another, with marks around each hop.

    It hands the blocks of the next hop to `card` when a hop is finished, so no time passes between two hops.
    """

    def __init__(self, opened: Opened, card: Card, sound: Any) -> None:
        self.hops = 0
        """Number of finished hops."""
        self._card, self._lifetime = card, opened.lifetime
        starts = range(0, len(sound) - BLOCK + 1, BLOCK)
        self._blocks = iter([sound[start : start + BLOCK].tobytes() for start in starts])
        self._read = marked("input", opened.source.read)
        opened.source.read = self._one_hop  # type: ignore[method-assign]
        self._loop = Loop(opened, self._moved)

    def run(self) -> None:
        """Mark some empty stages, then play the whole sound."""
        mark_empty()
        mark(BEGIN, "hop")
        # the first hops need more samples than one hop has
        self._hand_over()
        self._hand_over()
        self._loop._run()

    def _one_hop(self) -> Any:
        """Ask for the next hop. Everything between two such calls is the cost of a hop."""
        feeds = self._read()
        while not feeds and not self._lifetime.over:
            feeds = self._read()
        return feeds

    def _moved(self) -> None:
        """End a hop, and hand over the blocks of the next one, as the sound card would."""
        mark(END, "hop")
        self.hops += 1
        self._hand_over()
        mark(BEGIN, "hop")

    def _hand_over(self) -> None:
        for _ in range(BLOCKS_A_HOP):
            block = next(self._blocks, None)
            if block is None:
                self._lifetime.end()
                return
            self._card.deliver(block)


def mark_empty() -> None:
    """Mark EMPTY empty stages."""
    empty = marked("empty", lambda: None)
    for _ in range(EMPTY):
        empty()


def write_statuses(monitor: Monitor, folder: Path) -> None:
    """Write the status STATUSES times into `folder`, with marks."""

    def status() -> None:
        write_status(folder, Status("playing", "counted", "", 1, "", rss_mb=1.0, **monitor.shown()))

    mark_empty()
    for _ in range(STATUSES):
        marked("status", status)()


def main() -> None:
    """Play the sound."""
    sound, runtime, folder = np.load(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    sys.modules["pyaudio"] = types.SimpleNamespace(paFloat32=1)  # type: ignore[assignment]
    tflite.MODULES = {runtime: tflite.MODULES[runtime]}  # type: ignore[index]
    card = Card()
    opened = opened_on(card)
    mark_stages(opened.engine)
    player = Player(opened, card, sound)
    with settled():
        thread = threading.Thread(target=player.run)
        thread.start()
        thread.join()
        if opened.lifetime.failure is not None:
            raise opened.lifetime.failure
        write_statuses(opened.monitor, folder)
    opened.senders[0].close()
    print(f"{player.hops} hops", file=sys.stderr)


if __name__ == "__main__":
    main()
