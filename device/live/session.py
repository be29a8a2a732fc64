"""One session: from open ports to closed ports.

    PyAudio's callback ─▶ queue ─▶ the loop: hops ─▶ engine ─▶ Sends ─▶ sender: each at its time ─▶ MIDI port
    RtMidi's callback ─▶ queue ─────────▲

The loop does all the thinking, the sender sends; whoever began the session asks `check` once a second. A
failure in any thread ends the session, and every end is a silent one. What is shown of it goes to a `Monitor`.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import mido
import numpy as np
from numpy.typing import NDArray

from device.calibration.latency import midi_lead_s, read_calibration, synth_lead_s
from device.engine import Engine
from device.errors import UnavailableError
from device.inputs.control_queue import Switches
from device.inputs.echoes import Echoes
from device.inputs.foot_switch import FootSwitch
from device.inputs.keyboard import KeyboardSource
from device.inputs.sound_card import SoundSource
from device.inputs.source import Source
from device.live.loop import Loop
from device.live.monitor import Monitor
from device.outputs.send_queue import Outbox
from device.outputs.sender import Sender
from device.outputs.silencing import silencing
from device.outputs.synth_feed import SynthSink
from device.ports.jack_clients import JackClients
from device.ports.midi_ports import MidiPorts, connect_output
from device.ports.port import INPUT, OUTPUT, SOUND, Port, choose
from device.ports.sound_inputs import portaudio, sound_inputs
from device.recording.capture import Capture
from device.recording.tape import Take
from device.settings.config import Config
from device.settings.controls import Controls
from device.stream_time import StreamTime
from device.system.realtime import settled

JOIN_S = 0.5
"""The loop ends within a hop, or it hangs."""
STALL_S = 0.25
STALL_BLOCKS = 4
"""No hop for this long, or for so many blocks where they are long: what is held is let go."""

Present: TypeAlias = Callable[[Port], bool]
"""Whether a port is there now."""

log = logging.getLogger("lefthand")


class Session:
    """Opens what `config` names: raises UnavailableError, with all closed again, where something cannot be had.

    `hop_s` is how often an engine without hearing is asked, the length of a hop in one that hears. `woken` is
    called, from any thread, when the session has failed; `moved` by the loop after each finished hop. As a
    `service` it silences the instrument before the first note, whatever it was left with, and plays on where
    the recording fails.
    """

    def __init__(
        self,
        config: Config,
        engine: Engine,
        hop_s: float,
        outputs: MidiPorts,
        inputs: MidiPorts,
        monitor: Monitor,
        woken: Callable[[], None],
        moved: Callable[[], None] = lambda: None,
        record: Capture | None = None,
        service: bool = False,
    ) -> None:
        self._config, self._engine, self._hop_s = config, engine, hop_s
        self._outputs, self._inputs, self._monitor = outputs, inputs, monitor
        self._woken, self._service = woken, service
        self.failure: Exception | None = None
        self._ending = threading.Event()
        self._time, self._echoes = StreamTime(), Echoes()
        self._watched: list[tuple[Present, Port, str]] = []
        self._senders: list[Sender] = []
        self.output: Port | None = None
        self.synth: SynthSink | None = None
        self._tape: Take | None = None
        self._switches = Switches(Controls(config.controls.mapping), config.clock.mode == "midi")
        self._switch = self._foot_switch()
        engine.reset()
        with contextlib.ExitStack() as stack:
            sound = self._look(stack)
            # MIDI first, and closed last: see device/ports/midi_ports.py
            send = self._open_midi(stack) if config.plays_midi else None
            self.synth = self._open_synth(stack) if config.plays_synth else None
            if self._switch is not None:
                stack.callback(self._switch.close)
                self._switch.open(self._switches, self._keys() if config.audio.is_midi else None)
            self._source = self._open_source(sound, stack)
            # after everything that may be refused, which would leave an empty capture behind
            if record is not None:
                self._tape = Take(config, record, self._source.rate, hop_s, service)
            calibration = read_calibration()
            if send is not None:
                self._begin_sending(send, midi_lead_s(config, calibration), config.midi.program, stack)
            if self.synth is not None:
                # its sound is its own unit's: it may be started anew at any time
                self._begin_sending(self.synth.send, synth_lead_s(config, calibration), 0, stack)
            talk = (self._switches, self._time, self._senders, monitor, self._tape)
            self._loop = Loop(engine, self._source, *talk, self._ending, moved, self._fail)
            self._stack = stack.pop_all()
        monitor.begin(self._source, self.output, self._senders)

    @property
    def source(self) -> Source:
        """Where the right hand comes from."""
        return self._source

    @property
    def missing(self) -> str:
        """What it plays without, in words."""
        return "" if self._switch is None else self._switch.missing

    @property
    def outdated(self) -> bool:
        """Whether what it played without is there now, so that a new session would have it."""
        return self._switch is not None and self._switch.back

    def start(self) -> None:
        """Let the loop run."""
        # before the sound comes, as it takes a while
        self._stack.enter_context(settled())
        self._source.start()
        self._loop.start()

    def check(self) -> None:
        """Raise what has ended the session: UnavailableError for a port that has gone, anything else for a failure."""
        if self.failure is not None:
            raise self.failure
        for present, port, word in self._watched:
            if not present(port):
                raise UnavailableError(
                    f'"{port}" is gone: connect it again and start anew.', f'{word} "{port}"', "it was unplugged"
                )
        if self._switch is not None:
            self._switch.check()
        # the first is the port's; a synthesiser that hangs stops nothing
        if self.output is not None and self._senders[0].hangs:
            raise UnavailableError(
                f'"{self.output}" takes no more messages: connect it again and start anew.',
                f'{OUTPUT} "{self.output}"',
                "it takes no more messages",
            )

    def hush(self) -> None:
        """Silence: nothing is heard or sent after it."""
        self._ending.set()
        for sender in self._senders:
            sender.close()

    def close(self) -> None:
        """Silence, then close everything. Raises RuntimeError where the loop does not come to its end."""
        self.hush()
        self._loop.join(JOIN_S)
        self._monitor.end()
        try:
            if self._tape is not None:
                whole = self.failure is None and not self._loop.alive
                take, self._tape = self._tape, None
                take.end(self._engine, self._source, self._loop.now_s, whole)
        finally:
            self._stack.close()
        if self._loop.alive:
            raise RuntimeError("the audio loop hangs")

    def _fail(self, error: Exception) -> None:
        if self.failure is None and not self._ending.is_set():
            self.failure = error
            self._ending.set()
            self._woken()

    def _look(self, stack: contextlib.ExitStack) -> Any | None:
        """See what is there, and raise UnavailableError for all that is not; gives PyAudio where it is needed."""
        config, missing, system = self._config, [], None

        def there(look: Callable[[], object]) -> None:
            try:
                look()
            except UnavailableError as error:
                missing.append(error)

        # the clients of the MIDI systems before PortAudio, see device/ports/midi_ports.py
        if config.plays_midi:
            self._outputs.refresh()
        if config.audio.is_midi or config.midi.control:
            self._inputs.refresh()
        if self._switch is not None:
            there(self._switch.look)
        if config.audio.is_midi:
            there(self._keys)
        else:
            system = stack.enter_context(portaudio())
            there(lambda: choose(config.audio.input, sound_inputs(system), SOUND))
        if config.plays_midi:
            there(lambda: choose(config.midi.output, self._outputs.ports(), OUTPUT))
        if missing:
            raise UnavailableError.together(missing)
        return system

    def _open_midi(self, stack: contextlib.ExitStack) -> Callable[[mido.Message], None]:
        client, port = connect_output(choose(self._config.midi.output, self._outputs.ports(), OUTPUT))
        stack.callback(client.delete)
        self._watched.append((self._outputs.has, port, OUTPUT))
        self.output = port

        def send(message: mido.Message) -> None:
            self._echoes.sent(message, time.monotonic())
            try:
                client.send_message(message.bytes())
            except (OSError, RuntimeError) as error:
                raise UnavailableError(
                    f'"{port}" takes no more messages ({error}): connect it again.', f'{OUTPUT} "{port}"'
                ) from None

        return send

    def _open_synth(self, stack: contextlib.ExitStack) -> SynthSink:
        sink = SynthSink(self._config, self._monitor.faults)
        stack.callback(sink.close)
        return sink

    def _begin_sending(
        self, send: Callable[[mido.Message], None], lead_s: float, program: int, stack: contextlib.ExitStack
    ) -> None:
        midi = self._config.midi
        channel = midi.channel - 1
        opening = silencing(channel) if self._service else []
        if program:
            opening.append(mido.Message("program_change", channel=channel, program=program - 1))
        outbox = Outbox(channel, midi.transpose)
        faults = self._monitor.faults
        sender = Sender(outbox, send, self._time, lead_s, self._fail, self._stall_s, faults, opening)
        stack.callback(sender.close)
        self._senders.append(sender)

    @property
    def _stall_s(self) -> float:
        audio = self._config.audio
        return STALL_S if audio.is_midi else max(STALL_S, STALL_BLOCKS * audio.block / audio.rate)

    def _foot_switch(self) -> FootSwitch | None:
        """A service plays on without it, unless it brings the clock."""
        config = self._config
        if not config.midi.control:
            return None
        needed = not self._service or config.clock.mode == "midi"
        return FootSwitch(config.midi.control, self._inputs, needed, self._monitor.faults)

    def _keys(self) -> Port:
        return choose(self._config.midi.input, self._inputs.ports(), INPUT)

    def _open_source(self, system: Any | None, stack: contextlib.ExitStack) -> Source:
        if system is None:
            port = self._keys()
            through = self.synth.through if self.synth is not None and self._config.synth.right_hand else None
            keyboard = KeyboardSource(
                port, self._hop_s, self._time, self._echoes, through, self._switches, self._config.play.split
            )
            stack.callback(keyboard.close)
            self._watched.append((self._inputs.has, port, INPUT))
            return keyboard
        self._watch_jack(choose(self._config.audio.input, sound_inputs(system), SOUND), stack)
        assert self._engine.hearing is not None
        spec = self._engine.hearing.spec
        faults = self._monitor.faults
        sound = SoundSource(system, self._config.audio, spec.sample_rate, spec.hop, self._time, self._keep, faults)
        stack.callback(sound.close)
        return sound

    def _watch_jack(self, port: Port, stack: contextlib.ExitStack) -> None:
        """A JACK client that ends leaves a stream of silence behind; a card that is unplugged leaves none."""
        if port.api != "JACK":
            return
        try:
            clients = JackClients()
        except ImportError:
            return
        stack.callback(clients.close)
        self._watched.append((clients.has, port, SOUND))

    def _keep(self, block: NDArray[np.float32]) -> None:
        if self._tape is not None:
            self._tape.sound(block)
