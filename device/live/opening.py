"""Opens everything that the settings name for one session, or raises an error that names what is missing.

PyAudio's callback ─▶ queue ─▶ the loop: hops ─▶ engine ─▶ Sends ─▶ sender: each at its time ─▶ MIDI port
RtMidi's callback ─▶ queue ─────────▲
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mido

from device.calibration.latency import midi_lead_s, read_calibration, synth_lead_s
from device.engine import Engine
from device.errors import PortKind, UnavailableError
from device.inputs.control_queue import ControlQueue
from device.inputs.echoes import Echoes
from device.inputs.foot_switch import FootSwitch
from device.inputs.keyboard import KeyboardSource
from device.inputs.sound_card import SoundSource
from device.inputs.source import Source
from device.live.monitor import Monitor
from device.outputs.heard_output import HeardOutput
from device.outputs.send_queue import SendQueue
from device.outputs.sender import Sender
from device.outputs.silencing import silencing
from device.outputs.synth_feed import SynthFeed
from device.ports.jack_clients import JackClients
from device.ports.midi_ports import MidiPorts, connect_output
from device.ports.port import INPUT, OUTPUT, SOUND, Port, choose
from device.ports.sound_inputs import portaudio, sound_inputs
from device.recording.capture import Capture
from device.recording.tape import Tape
from device.settings.config import Config
from device.settings.controls import Controls
from device.stream_time import StreamTime

STALL_S = 0.25
STALL_BLOCKS = 4
"""All keys are released if no hop finishes for STALL_S seconds, or for STALL_BLOCKS audio blocks if that is longer."""

log = logging.getLogger("lefthand")


class Lifetime:
    """Keeps whether a session still runs, and the first error of any of its threads.

    Any thread may call the methods.
    """

    def __init__(self, woken: Callable[[], None]) -> None:
        """Begin the session. The thread that fails first calls `woken`, once."""
        self._woken = woken
        self._over = threading.Event()
        self.failure: Exception | None = None
        """The error that ended the session. None if the session runs or ended normally."""

    @property
    def over(self) -> bool:
        """True if the session has ended."""
        return self._over.is_set()

    def end(self) -> None:
        """End the session normally. Later errors are not kept."""
        self._over.set()

    def fail(self, error: Exception) -> None:
        """End the session with `error`. Does nothing if the session has ended already."""
        if self.failure is None and not self.over:
            self.failure = error
            self._over.set()
            self._woken()


@dataclass(frozen=True)
class Watched:
    """Holds an open port that may be unplugged. `present` returns whether the port is connected now."""

    present: Callable[[Port], bool]
    port: Port
    kind: PortKind


@dataclass(frozen=True)
class Opened:
    """Holds everything that one session has open. `Session` starts and closes it, `Loop` reads and writes it."""

    engine: Engine
    monitor: Monitor
    lifetime: Lifetime
    stream_time: StreamTime
    source: Source
    """The source of the right hand: sound or MIDI."""
    controls: ControlQueue
    senders: Sequence[Sender]
    """The sender of the MIDI port first, if there is one."""
    output: Port | None
    """The MIDI port that the left hand plays on."""
    synth: SynthFeed | None
    foot_switch: FootSwitch | None
    tape: Tape | None
    watched: Sequence[Watched]
    resources: contextlib.ExitStack
    """Closes all ports and threads, in reverse order of opening."""
    heard: HeardOutput | None = None
    """Sends the heard right hand, if the settings name a port for it."""

    @property
    def all_senders(self) -> list[Sender]:
        """Return the senders of the left hand, then the sender of the heard right hand if there is one."""
        return [*self.senders, *(() if self.heard is None else (self.heard.sender,))]

    @property
    def missing(self) -> str:
        """Return the foot switch's port in words if it is missing and the session plays without it, else ""."""
        return "" if self.foot_switch is None else self.foot_switch.missing

    @property
    def outdated(self) -> bool:
        """True if the missing port is connected now, so that a new session would open it."""
        return self.foot_switch is not None and self.foot_switch.back


@dataclass(frozen=True)
class Opener:
    """Opens one session after another on the ports of this machine.

    `monitor` shows and counts the events of the sessions. `woken` is called, from any thread, when a session has
    failed. If `service` is true, the session silences the instrument before the first note, and continues without a
    foot switch or after the recording has failed.
    """

    outputs: MidiPorts
    inputs: MidiPorts
    monitor: Monitor
    woken: Callable[[], None]
    service: bool = False

    def open(self, config: Config, engine: Engine, hop_s: float, record: Capture | None = None) -> Opened:
        """Open every port that `config` names, reset `engine` and return what is open.

        `hop_s` is the length of a hop in seconds. `record` is the place for a recording of the input and the sent
        messages. Raises UnavailableError if a port is missing or cannot be opened, and UserError if a package is
        missing or the recording cannot start. All other ports are then closed again.
        """
        engine.reset()
        with contextlib.ExitStack() as stack:
            opened = _Opening(self, config, engine, hop_s, stack).open(record)
            stack.pop_all()
        return opened


class _Opening:
    """Carries out one call of `Opener.open`. `stack` closes everything that is open so far."""

    def __init__(
        self, opener: Opener, config: Config, engine: Engine, hop_s: float, stack: contextlib.ExitStack
    ) -> None:
        self._opener, self._config, self._engine, self._hop_s, self._stack = opener, config, engine, hop_s, stack
        self._faults = opener.monitor.faults
        self._lifetime = Lifetime(opener.woken)
        self._time, self._echoes = StreamTime(), Echoes()
        self._controls = ControlQueue(Controls(config.controls.mapping), config.clock.mode == "midi")
        self._switch = self._foot_switch()
        self._rate = config.audio.rate
        """Samples a second of the sound input. If it refuses the default rate, it gets another one."""
        self._watched: list[Watched] = []
        self._senders: list[Sender] = []

    def open(self, record: Capture | None) -> Opened:
        """Open all ports that the settings name, and return them with the engine. `record` is the capture to write.

        Raises UnavailableError if a port is missing or cannot be opened. Then all ports are closed again.
        """
        config = self._config
        sound = self._look()
        # MIDI is opened first and closed last: see `MidiPorts`
        port, send = self._open_midi() if config.plays_midi else (None, None)
        heard_port = self._connect(config.midi.heard, "heard right hand") if config.midi.heard else None
        synth = self._open_synth() if config.plays_synth else None
        if self._switch is not None:
            self._stack.callback(self._switch.close)
            self._switch.open(self._controls, self._keys() if config.audio.is_midi else None)
        tape = None if record is None else Tape(config, record, self._hop_s, self._opener.service)
        source = self._open_keyboard(synth) if sound is None else self._open_sound(sound, tape)
        # the recording begins last: a port that fails to open would otherwise leave an empty recording
        if tape is not None:
            tape.begin(source.rate, self._engine)
        calibration = read_calibration()
        if send is not None:
            self._begin_sending(send, midi_lead_s(config, calibration), config.midi.program)
        if synth is not None:
            # program 0 sends no program change: the synthesiser's service sets its sound, and may restart at any time
            self._begin_sending(synth.send, synth_lead_s(config, calibration), 0)
        heard = None if heard_port is None else self._begin_heard(*heard_port)
        if self._switch is not None:
            self._switch.start()
        return Opened(
            engine=self._engine,
            monitor=self._opener.monitor,
            lifetime=self._lifetime,
            stream_time=self._time,
            source=source,
            controls=self._controls,
            senders=self._senders,
            output=port,
            synth=synth,
            foot_switch=self._switch,
            tape=tape,
            watched=self._watched,
            resources=self._stack.pop_all(),
            heard=heard,
        )

    def _look(self) -> Any | None:
        """Check that every port is present. Return PyAudio for a sound input, None for MIDI.

        Raises UnavailableError that names every missing port.
        """
        config, missing, system = self._config, [], None
        outputs, inputs = self._opener.outputs, self._opener.inputs

        def there(look: Callable[[], object]) -> None:
            try:
                look()
            except UnavailableError as error:
                missing.append(error)

        # MIDI clients are opened before PortAudio: see `MidiPorts`
        if config.plays_midi or config.plays_synth or config.midi.heard:
            outputs.refresh()
        if config.audio.is_midi or config.midi.control:
            inputs.refresh()
        if self._switch is not None:
            there(self._switch.look)
        if config.audio.is_midi:
            there(self._keys)
        else:
            system = self._stack.enter_context(portaudio())
            there(lambda: choose(config.audio.input, sound_inputs(system), SOUND))
        if config.plays_midi:
            there(lambda: choose(config.midi.output, outputs.ports(), OUTPUT))
        if config.midi.heard:
            there(lambda: choose(config.midi.heard, outputs.ports(), OUTPUT))
        if missing:
            raise UnavailableError.together(missing)
        return system

    def _open_midi(self) -> tuple[Port, Callable[[mido.Message], None]]:
        port, write = self._connect(self._config.midi.output, "left hand")

        def send(message: mido.Message) -> None:
            self._echoes.sent(message, time.monotonic())
            write(message)

        return port, send

    def _connect(self, name: str, own_name: str) -> tuple[Port, Callable[[mido.Message], None]]:
        """Open and watch the MIDI output `name`. Return its port and a function that sends a message at once.

        Raises UnavailableError if the port cannot be opened. The function raises it if the port takes no message.
        """
        outputs = self._opener.outputs
        client, port = connect_output(choose(name, outputs.ports(), OUTPUT), own_name)
        self._stack.callback(client.delete)
        self._watched.append(Watched(outputs.has, port, OUTPUT))

        def write(message: mido.Message) -> None:
            try:
                client.send_message(message.bytes())
            except (OSError, RuntimeError) as error:
                raise UnavailableError(
                    f'"{port}" takes no more messages ({error}): connect it again.', OUTPUT, str(port)
                ) from None

        return port, write

    def _open_synth(self) -> SynthFeed:
        synth = SynthFeed(self._config, self._faults)
        self._stack.callback(synth.close)
        return synth

    def _begin_sending(self, send: Callable[[mido.Message], None], lead_s: float, program: int) -> None:
        """Begin a sender for the left hand. It first chooses the sound `program` (from 1; 0: none)."""
        midi = self._config.midi
        channel = midi.channel - 1
        opening = silencing(channel) if self._opener.service else []
        if program:
            opening.append(mido.Message("program_change", channel=channel, program=program - 1))
        queue = SendQueue(channel, midi.transpose)
        sender = Sender(
            queue,
            send,
            self._time,
            lead_s=lead_s,
            failed=self._lifetime.fail,
            stall_s=self._stall_s,
            faults=self._faults,
            opening=opening,
        )
        self._stack.callback(sender.close)
        self._senders.append(sender)

    def _begin_heard(self, port: Port, write: Callable[[mido.Message], None]) -> HeardOutput:
        channel = self._config.midi.heard_channel - 1
        opening = silencing(channel) if self._opener.service else []
        heard = HeardOutput(
            port, channel, write, self._time, failed=self._lifetime.fail, stall_s=self._stall_s, opening=opening
        )
        self._stack.callback(heard.sender.close)
        return heard

    @property
    def _stall_s(self) -> float:
        audio = self._config.audio
        return STALL_S if audio.is_midi else max(STALL_S, STALL_BLOCKS * audio.block / self._rate)

    def _foot_switch(self) -> FootSwitch | None:
        """Return the foot switch that the settings name; None if they name none.

        A service needs it only if its port also carries the clock.
        """
        config = self._config
        if not config.midi.control:
            return None
        needed = not self._opener.service or config.clock.mode == "midi"
        return FootSwitch(config.midi.control, self._opener.inputs, needed, self._faults)

    def _keys(self) -> Port:
        return choose(self._config.midi.input, self._opener.inputs.ports(), INPUT)

    def _open_keyboard(self, synth: SynthFeed | None) -> Source:
        """Open the keyboard. Its keys sound at `synth` too, if the settings say so."""
        port = self._keys()
        through = synth.through if synth is not None and self._config.synth.right_hand else None
        split = self._config.play.split
        channels = self._config.midi.input_channels
        keyboard = KeyboardSource(
            port,
            self._hop_s,
            self._time,
            echoes=self._echoes,
            through=through,
            controls=self._controls,
            split=split,
            channels=channels,
        )
        self._stack.callback(keyboard.close)
        self._watched.append(Watched(self._opener.inputs.has, port, INPUT))
        return keyboard

    def _open_sound(self, system: Any, tape: Tape | None) -> Source:
        self._watch_jack(choose(self._config.audio.input, sound_inputs(system), SOUND))
        assert self._engine.hearing is not None
        spec = self._engine.hearing.spec
        keep = None if tape is None else tape.sound
        sound = SoundSource(
            *(system, self._config.audio, spec.sample_rate, spec.hop, self._time, keep, self._faults),
            idle=lambda: self._engine.idle,
        )
        self._stack.callback(sound.close)
        self._rate = sound.rate
        self._engine.hearing.limit(sound.rate)
        return sound

    def _watch_jack(self, port: Port) -> None:
        """Add the JACK client behind `port` to the ports that the session checks.

        The check is needed because the sound stream does not fail when the client ends. The stream goes on with
        silence. Nothing is added if `port` is not on JACK, or if the package JACK-Client is missing.
        """
        if port.api != "JACK":
            return
        try:
            clients = JackClients()
        except ImportError:
            return
        self._stack.callback(clients.close)
        self._watched.append(Watched(clients.has, port, SOUND))
