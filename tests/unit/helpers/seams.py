"""A box with a simulated card, ports and engine around a real `Session`, and random faults at these seams.

`fault` breaks one session, and `Stage.struck_and_let_go` returns whether a note hangs. The sender, the loop and their
threads are the real ones. Only their pauses are shorter.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.errors import UnavailableError
from device.events import Event, Note, NoteHeard
from device.hearing.features import FeatureSpec
from device.inputs import sound_card
from device.left_hand.performer import Performer, Strike
from device.live import opening, session
from device.live.monitor import Monitor
from device.live.session import Session
from device.outputs import sender
from device.ports import drivers
from device.ports.port import Port, SoundInput
from device.settings.config import Config, parse_config
from device.system import realtime
from tests.unit.helpers.patience import PATIENCE_S, patiently

RATE, BLOCK = 16_000, 256
CONFIG = parse_config(f'[audio]\ninput = "mic"\nrate = {RATE}\n[midi]\noutput = "synth"\n', "the test")
HEARD = Port("expander", "ALSA", 1)
MIC, SYNTH = SoundInput("mic", "ALSA", 0, 1, RATE), Port("synth", "ALSA", 0)
STALL_S = 0.02
NO_COLLECTOR = SimpleNamespace(**dict.fromkeys(("collect", "freeze", "unfreeze", "disable", "enable"), lambda: None))
"""In place of the garbage collector. In a process that has loaded TensorFlow, the collection at the start of each
session takes half a second of processor time."""


class Card:
    """Stand-in for PyAudio with one input. It delivers the blocks that the test gives."""

    def __init__(self) -> None:
        self.active = False
        self.busy = False
        self.starts = 0
        """How often a stream was started. Before that, a block reaches no loop, or that of the session before."""

    def get_device_count(self) -> int:
        return 1

    def get_device_info_by_index(self, index: int) -> dict[str, Any]:
        return {"name": "mic", "hostApi": 0, "maxInputChannels": 1, "defaultSampleRate": float(RATE)}

    def get_host_api_info_by_index(self, index: int) -> dict[str, Any]:
        return {"name": "ALSA"}

    def is_format_supported(self, rate: float, **_: object) -> bool:
        return True

    def open(self, **settings: Any) -> Card:
        if self.busy:
            raise OSError(-9985, "Device unavailable")
        self._callback = settings["stream_callback"]
        return self

    def start_stream(self) -> None:
        self.active = True
        self.starts += 1

    def is_active(self) -> bool:
        return self.active

    def close(self) -> None:
        self.active = False

    def deliver(self, block: NDArray[np.float32] | None = None, status: int = 0) -> None:
        """Deliver one block to the box."""
        samples = np.zeros(BLOCK, np.float32) if block is None else block
        self._callback(samples.astype(np.float32).tobytes(), len(samples), {}, status)


class Ports:
    """Stand-in for `MidiPorts` with two outputs."""

    def __init__(self) -> None:
        self.there = True
        self.clients = 1
        self.server_ended = False

    def refresh(self) -> None: ...

    def ports(self) -> list[Port]:
        return [SYNTH, HEARD] if self.there else []

    def has(self, port: Port) -> bool:
        return self.there

    def close(self) -> None: ...


class Client:
    """Stand-in for RtMidi's output. A broken one raises; a deaf one returns only when the test lets it."""

    def __init__(self) -> None:
        self.got: list[list[int]] = []
        self.broken = False
        self.deleted = False

    def send_message(self, message: list[int]) -> None:
        if self.broken:
            raise RuntimeError("MidiOutAlsa::sendMessage: error sending")
        self.got.append(list(message))

    def delete(self) -> None:
        self.deleted = True


class Pianist:
    """An engine that strikes at random through the real performer, and hangs or fails on request."""

    memory = None

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.hearing = SimpleNamespace(
            spec=FeatureSpec(), pending=False, not_finite=0, lost=lambda: None, tuning=0.0, adapts=False
        )
        self.hearing.limit = lambda rate: setattr(self.hearing, "limited_to", rate)
        self.hangs: threading.Event | None = None
        """If it is not None, the next hop lasts until it is set."""
        self.error: Exception | None = None
        self.storm = 0
        self.no_numbers = 0
        """Number of the next hops in which the transcriber returns NaN."""
        self.hops = 0
        self.quiet = False
        """If true, no note is heard."""
        self.steered = None
        self.acted: list[Any] = []
        self.reset()

    def reset(self) -> None:
        self._performer = Performer()
        self.hearing.not_finite = 0

    def step(self, hop: NDArray[np.float32], now_s: float, midi: object = ()) -> list[Event]:
        self.hops += 1
        assert np.isfinite(hop).all()
        if self.hangs is not None:
            hangs, self.hangs = self.hangs, None
            assert hangs.wait(PATIENCE_S), "nobody ended the hop that hangs"
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        if self.no_numbers:
            self.no_numbers -= 1
            self.hearing.not_finite += 1
        rng, strikes = self._rng, []
        for _ in range(self.storm or rng.choice([0, 0, 1, 2])):
            pitch = rng.randrange(128 if self.storm else 12)
            off_s = None if rng.random() < 0.3 else now_s + rng.uniform(0, 0.2)
            strikes.append(Strike(now_s + rng.uniform(-0.02, 0.03), pitch, rng.randrange(1, 128), off_s))
        self.storm = 0
        events: list[Event] = list(self._performer.strike(now_s, strikes))
        if rng.random() < 0.1:
            events += self._performer.release(now_s, now_s, self._performer.held)
        note = Note(now_s, None, 72, 64, 1.0, now_s, "right")
        return events if self.quiet else [NoteHeard(note), *events]

    def act(self, action: Any, now_s: float) -> list[Event]:
        self.acted.append(action)
        return []

    def finish(self, now_s: float) -> list[Event]:
        return list(self._performer.finish(now_s))


class Stage:
    """Opens sessions, one after another, with everything around them."""

    def __init__(self, seed: int, config: Config = CONFIG) -> None:
        self.rng = random.Random(seed)
        self.config = config
        self.card, self.outputs, self.monitor = Card(), Ports(), Monitor(0.016)
        self.pianist = Pianist(self.rng)
        self.clients: list[Client] = []
        self.woken = 0
        self.failures: list[Exception] = []

    def open(self) -> Session:
        """Open a session as the service does. Raises UnavailableError."""

        def woken() -> None:
            self.woken += 1

        inputs: Any = Ports()
        outputs: Any = self.outputs
        engine: Any = self.pianist
        opener = opening.Opener(outputs, inputs, self.monitor, woken, service=True)
        opened = Session(opener.open(self.config, engine, 0.016))
        opened.start()
        return opened

    def connect(self, port: Port, own_name: str = "") -> tuple[Client, Port]:
        self.clients.append(Client())
        return self.clients[-1], port

    def play(self, blocks: int) -> None:
        """Deliver a number of blocks and wait until they are heard."""
        until = self.pianist.hops + blocks
        for _ in range(blocks):
            self.card.deliver()
        patiently(lambda: self.pianist.hops >= until, f"{blocks} blocks are heard")

    @staticmethod
    def struck_and_let_go(client: Client) -> bool:
        """Return whether each note-on of a client has a note-off before the key's next note-on or the end."""
        down: set[int] = set()
        for status, *data in client.got:
            if status & 0xF0 == 0x90:
                if data[0] in down:
                    return False
                down.add(data[0])
            elif status & 0xF0 == 0x80:
                down.discard(data[0])
        return not down


@contextlib.contextmanager
def seams(stage: Stage) -> Iterator[None]:
    """Replace PortAudio and RtMidi by the stage's card and ports, shorten the pauses, and lengthen the patience.

    The card plays only when the test lets it, and the machine may stop any thread for seconds. So no session ends
    because its card is silent, its port is slow or one of its threads is late, unless the test sets that limit itself.
    """

    @contextlib.contextmanager
    def portaudio() -> Iterator[Card]:
        yield stage.card

    changes: list[tuple[Any, str, Any]] = [
        (opening, "portaudio", portaudio),
        (opening, "sound_inputs", lambda system: [MIC]),
        (sound_card, "sound_inputs", lambda system: [MIC]),
        (opening, "connect_output", stage.connect),
        (opening, "STALL_S", STALL_S),
        (opening, "STALL_BLOCKS", 0),
        (opening, "read_calibration", lambda: None),
        (realtime, "gc", NO_COLLECTOR),
        (sound_card, "WAIT_S", 0.002),
        (sound_card, "DEAF_S", float("inf")),
        (drivers, "CLOSE_S", PATIENCE_S),
        (session, "JOIN_S", PATIENCE_S),
        (sender, "HUNG_S", PATIENCE_S),
        (sender, "CLOSE_TIMEOUT_S", PATIENCE_S),
        (sender, "DRAIN_S", 0.0),
        (sender, "MESSAGE_S", 0.0),
        (sender, "LONGEST_WAIT_S", 0.005),
    ]
    before = [(module, name, getattr(module, name)) for module, name, _ in changes]
    for module, name, value in changes:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


FAULTS = (
    "no number", "clipping", "dc", "xruns", "storm", "stops", "port breaks", "port gone", "hangs", "raises", "ends",
    "garbage", "busy",
)  # fmt: skip


def fault(stage: Stage, kind: str) -> None:
    """Run one session with the fault `kind` until it is closed. Raises AssertionError if the fault does harm."""
    rng = stage.rng
    if kind == "busy":
        stage.card.busy = True
        try:
            stage.open()
            raise AssertionError("a busy card was opened")
        except UnavailableError:
            stage.card.busy = False
            assert stage.clients[-1].deleted
            return
    opened = stage.open()
    client = stage.clients[-1]
    failed = None
    try:
        stage.play(rng.randrange(1, 6))
        _break(stage, kind, client)
        if kind in ("stops", "raises", "port breaks"):
            patiently(lambda: opened.failure is not None, "the session notices")
        opened.check()
    except (UnavailableError, ZeroDivisionError) as error:
        failed = error
    finally:
        opened.close()
        stage.outputs.there = True
    gone = dict.fromkeys(("stops", "port breaks", "port gone"), UnavailableError)
    expected = {**gone, "raises": ZeroDivisionError}.get(kind)
    assert expected is None or isinstance(failed, expected), (kind, failed)
    assert client.deleted
    assert client.broken or stage.struck_and_let_go(client), (kind, client.got)


def _break(stage: Stage, kind: str, client: Client) -> None:
    rng, card, pianist = stage.rng, stage.card, stage.pianist
    if kind == "no number":
        block = np.full(BLOCK, rng.choice([np.nan, np.inf, -np.inf, 1e38]), np.float32)
        card.deliver(block)
        stage.play(2)
    elif kind in ("clipping", "dc"):
        card.deliver(np.full(BLOCK, 1.0 if kind == "dc" else rng.choice([-4.0, 4.0]), np.float32))
        stage.play(2)
    elif kind == "xruns":
        for _ in range(20):
            card.deliver(status=2)
    elif kind == "storm":
        pianist.storm = 128
        stage.play(2)
    elif kind == "stops":
        card.active = False
    elif kind == "port breaks":
        client.broken = True
    elif kind == "port gone":
        stage.outputs.there = False
    elif kind == "hangs":
        # on a busy machine the sender may see a stall between two hops: then the hop that hangs goes on with it
        stalls = stage.monitor.faults["stalls"]
        stage.play(1)
        pianist.hangs = over = threading.Event()
        card.deliver()
        patiently(lambda: stage.monitor.faults["stalls"] > stalls, "the sender notices")
        over.set()
        stage.play(1)
    elif kind == "raises":
        pianist.error = ZeroDivisionError()
        card.deliver()
    elif kind == "garbage":
        card.deliver(np.frombuffer(rng.randbytes(4 * BLOCK), np.float32))
        stage.play(1)
