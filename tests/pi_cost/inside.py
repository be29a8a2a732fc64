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
_LIBC = ctypes.CDLL(None).syscall


def marked(stage: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return `call` with a mark before and after it."""
    begin, end = BEGIN + STAGES.index(stage), END + STAGES.index(stage)

    def run(*given: Any, **named: Any) -> Any:
        _LIBC(MARK, begin)
        try:
            return call(*given, **named)
        finally:
            _LIBC(MARK, end)

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


def main() -> None:
    """Play the sound."""
    sound = np.load(sys.argv[1])
    sys.modules["pyaudio"] = types.SimpleNamespace(paFloat32=1)  # type: ignore[assignment]

    from device.assemble import engine_of
    from device.bundles import tflite
    from device.bundles.bundle import Bundle, default_bundle
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

    tflite.MODULES = {sys.argv[2]: tflite.MODULES[sys.argv[2]]}  # type: ignore[index]
    config = parse_config('[audio]\ninput = "mic"\n[midi]\noutput = "synth"\n', "pi-cost")
    bundle = Bundle.open(default_bundle())
    engine = engine_of(config, bundle)
    warm_up(engine)
    card, stream_time, monitor = Card(), StreamTime(), Monitor(bundle.features.hop_s)
    source = SoundSource(card, config.audio, bundle.features.sample_rate, bundle.features.hop, stream_time)
    lifetime = Lifetime(lambda: None)
    sender = Sender(SendQueue(), lambda message: None, stream_time, failed=lifetime.fail)
    hearing, player, clock = engine.hearing, engine._player, engine._clock
    assert hearing is not None and player is not None
    hearing._features.step = marked("features", hearing._features.step)  # type: ignore[method-assign]
    hearing._transcriber.step = marked("around the net", hearing._transcriber.step)  # type: ignore[method-assign]
    model = hearing._transcriber._model._interpreter
    model.invoke = marked("net", model.invoke)
    for part in (hearing._seams, hearing._beeps, hearing._estimate):
        part.step = marked("seams, beeps and tuning", part.step)
    hearing._gate.step = marked("gate", hearing._gate.step)  # type: ignore[method-assign]
    for name in ("due", "hear"):
        setattr(clock, name, marked("clock", getattr(clock, name)))
    for name in ("play", "hear", "end"):
        setattr(player, name, marked("accompanist", getattr(player, name)))
    read = marked("input", source.read)

    def one() -> Any:
        """Ask for the next hop. Everything between two such calls is the cost of a hop."""
        feeds = read()
        while not feeds and not lifetime.over:
            feeds = read()
        return feeds

    opened = Opened(
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
    blocks = [sound[start : start + BLOCK].tobytes() for start in range(0, len(sound) - BLOCK + 1, BLOCK)]
    source.read = one  # type: ignore[method-assign]
    monitor.begin(engine, source, None, [sender])
    hops = 0

    def moved() -> None:
        """A hop is finished: hand over the blocks of the next one, as the sound card would."""
        nonlocal hops
        _LIBC(MARK, END + STAGES.index("hop"))
        hops += 1
        hand_over()
        _LIBC(MARK, BEGIN + STAGES.index("hop"))

    at = iter(blocks)

    def hand_over() -> None:
        # three blocks of 256 samples at 48 kHz are one hop of 256 samples at 16 kHz
        for _ in range(BLOCKS_A_HOP):
            block = next(at, None)
            if block is None:
                lifetime.end()
                return
            card.deliver(block)

    empty = marked("empty", lambda: None)
    loop = Loop(opened, moved)

    def run() -> None:
        for _ in range(EMPTY):
            empty()
        _LIBC(MARK, BEGIN + STAGES.index("hop"))
        hand_over()
        hand_over()
        loop._run()

    with settled():
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if lifetime.failure is not None:
            raise lifetime.failure

        def status() -> None:
            now = Status("playing", "counted", "", 1, "", rss_mb=1.0, **monitor.shown())
            write_status(Path(sys.argv[3]), now)

        for _ in range(EMPTY):
            empty()
        for _ in range(STATUSES):
            marked("status", status)()
    sender.close()
    print(f"{hops} hops", file=sys.stderr)


if __name__ == "__main__":
    main()
