"""Carries out what clients of the control socket ask: actions, and changes of settings.

A change is checked with the same rules as the settings file. If it can take effect at once, the running session gets
it. Any other change begins a new session with new settings. The change is also stored.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from device.assemble import clock_of
from device.calibration.latency import midi_lead_s, read_calibration, synth_lead_s
from device.clock.step import UseClock
from device.errors import ConfigError, UserError
from device.inputs.control_queue import Asked
from device.live.opening import Opened
from device.outputs.synth_link import SYNTH
from device.recording.library import FOLDER, Library
from device.service.errands import Errands, Learnt
from device.service.looks import Looks, try_output
from device.service.tapes import Tapes
from device.settings.changes import (
    Change,
    Tables,
    Value,
    Wanted,
    added,
    in_file,
    is_file_only,
    overlaid,
    read_changes,
    write_changes,
)
from device.settings.config import Config, config_of, read_tables
from device.settings.controls import Action, Confidence, CountAgain, Density, PlayNote, Register, Restyle
from device.system.paths import state_dir

log = logging.getLogger("lefthand")


class OwnerOrders:
    """Carries out orders for the box whose settings file is `path`. Any thread may call the methods.

    `renew` makes the box read the settings again and begin a new session.
    """

    def __init__(
        self,
        path: Path,
        renew: Callable[[], None],
        tapes: Tapes | None = None,
        more_ports: dict[str, list[dict[str, Any]]] | None = None,
        lines: Callable[[], list[str]] = list,
        errands: Errands | None = None,
    ) -> None:
        """`tapes` keeps the recordings. See `device.service.looks.Looks` for `more_ports` and `lines`."""
        self._errands = Errands(path, lambda: None) if errands is None else errands
        self._path, self._renew = path, renew
        self._tapes = Tapes(Library(state_dir() / FOLDER), lambda: None) if tapes is None else tapes
        self._looks = Looks(path, lambda: self._opened is not None or self._errands.calibrates, more_ports, lines)
        self._lock, self._changing = threading.Lock(), threading.Lock()
        self._config: Config | None = None
        self._problem = ""
        """Why the settings cannot be used; empty if they can."""
        self._opened: Opened | None = None
        self._pending: dict[type, Asked] = {}
        """Changes for the engine that came while no session was open, the last one of each kind."""

    @property
    def config(self) -> Config:
        """Return the settings that count now. There are none before the first call of `use`."""
        assert self._config is not None
        return self._config

    def use(self, config: Config) -> None:
        """Use `config` as the settings that count now, because an engine was built with them.

        Changes that waited for the next session are forgotten, because the engine already has them.
        """
        with self._lock:
            self._config, self._problem = config, ""
            self._pending.clear()

    def refused(self, sentence: str) -> None:
        """Keep `sentence`, which says why the settings cannot be used. Clients see it and can change the settings."""
        self._problem = sentence

    def close(self) -> None:
        """Stop the processes that look at the machine, and the errand."""
        self._errands.close()
        self._looks.close()

    @contextmanager
    def playing(self, opened: Opened) -> Iterator[None]:
        """Context manager: while it is active, orders go to the session `opened`.

        At the start, the session gets the changes that waited for it.
        """
        with self._lock:
            self._opened = opened
            for asked in self._pending.values():
                opened.controls.ask(asked, time.monotonic())
            self._pending.clear()
            self._set_leads(self.config)
        try:
            yield
        finally:
            with self._lock:
                self._opened = None

    # what clients ask

    def act(self, action: Action) -> None:
        """See `device.control.server.Orders`."""
        opened = self._opened
        if opened is None:
            raise UserError("The box does not play now: `lefthand status` says what it waits for.")
        if isinstance(action, CountAgain) and self.config.clock.mode == "midi":
            raise UserError("The MIDI clock gives the beat: start it again at its source.")
        if not opened.controls.ask(action, time.monotonic()):
            raise UserError("The box has too much to do: try again.")

    def change(self, wanted: Wanted) -> None:
        """See `device.control.server.Orders`."""
        for section, keys in wanted.items():
            for key in keys:
                if is_file_only(section, key):
                    raise ConfigError(f"[{section}] {key} is set in {self._path} only: edit that file.")
        with self._changing:
            tables = read_tables(self._path)
            self._change_to(tables, added(read_changes(self._path), wanted, tables))

    def reset(self) -> None:
        """See `device.control.server.Orders`."""
        with self._changing:
            self._change_to(read_tables(self._path), [])

    def settings(self) -> dict[str, Any]:
        """See `device.control.server.Orders`."""
        tables, changes = read_tables(self._path), read_changes(self._path)

        def shown(change: Change) -> dict[str, Any]:
            there = in_file(tables, change.section, change.key)
            return {**dataclasses.asdict(change), "in_file": there}

        return {
            "file": str(self._path),
            "problem": self._problem,
            "values": overlaid(tables, changes) if self._config is None else dataclasses.asdict(self._config),
            "changed": [shown(change) for change in changes if change.holds(tables)],
            "overtaken": [shown(change) for change in changes if not change.holds(tables)],
        }

    def look(self, name: str) -> dict[str, Any]:
        """See `device.control.server.Orders`."""
        return self._tapes.shown() if name == "recordings" else self._looks.at(name)

    def record(self, on: bool) -> None:
        """See `device.control.server.Orders`."""
        self._tapes.record(on)

    def delete(self, number: str) -> None:
        """See `device.control.server.Orders`."""
        self._tapes.library.delete(number, self._tapes.current)

    def try_output(self, port: str) -> None:
        """See `device.control.server.Orders`."""
        opened, config = self._opened, self._config
        if opened is not None and port in ("", str(opened.output)):
            if not opened.senders:
                raise UserError("[play] listen = true plays nothing: there is no output to try.")
            self.act(PlayNote())
            return
        if not port and config is None:
            raise UserError("The settings cannot be used yet: choose the ports first, then try the output.")
        for name in [port] if port or config is None else _outputs_of(config):
            try_output(name, 1 if config is None else config.midi.channel, 0 if config is None else config.midi.program)

    def calibrate(self, input_: str | None) -> None:
        """See `device.control.server.Orders`."""
        if input_ is None:
            self._errands.end("calibration")
            return
        if self._config is None:
            raise UserError("The settings cannot be used yet: choose the ports first, then calibrate.")
        self._errands.calibrate(input_)
        # the process that looks at the ports has sound inputs open
        self._looks.close()

    def learn(self, control: str | None) -> None:
        """See `device.control.server.Orders`."""
        if control is None:
            self._errands.end("learning")
            return
        config = self._config
        keyboard = config.midi.input if config is not None and config.audio.is_midi else ""
        self._errands.learn(control, keyboard, lambda learnt: self._use_switch(control, learnt))

    def _use_switch(self, control: str, learnt: Learnt) -> None:
        """Store the switch that was pressed under the key `control` of [controls], and remove it from other keys.

        Raises UserError if the change is refused or cannot be stored.
        """
        mapped = dataclasses.asdict(self.config.controls)
        switch = learnt.control.rsplit(" latching", 1)[0]
        same: dict[str, Value] = {
            name: None for name, text in mapped.items() if text.rsplit(" latching", 1)[0] == switch
        }
        wanted: dict[str, dict[str, Value]] = {"controls": {**same, control: learnt.control}}
        if not learnt.on_keyboard:
            wanted["midi"] = {"control": learnt.port}
        self.change(wanted)

    def _change_to(self, tables: Tables, changes: list[Change]) -> None:
        """Make `changes` to the settings in `tables`: in the present session if it can take them, else in a new one.

        Raises UserError if the settings would not fit together, or if the changes cannot be stored.
        """
        new = config_of(overlaid(tables, changes), "The settings")
        if self._config is None or self._problem or _at_rest(self._config) != _at_rest(new):
            self._change_for_new_session(new, changes)
        else:
            self._change_now(new, changes)

    def _change_for_new_session(self, new: Config, changes: list[Change]) -> None:
        """Store `changes`, and begin a new session, which reads them from the disk."""
        try:
            write_changes(self._path, changes)
        except OSError as error:
            raise UserError(
                f"The change does not count: it cannot be stored ({error.strerror}). `lefthand doctor` says how "
                f"full the disk is."
            ) from None
        with self._lock:
            self._config = new
            self._set_leads(new)
        self._renew()

    def _change_now(self, new: Config, changes: list[Change]) -> None:
        """Pass what is different in `new` to the present session, or keep it for the next one, and store it."""
        with self._lock:
            old, self._config = self.config, new
            for asked in _live(old, new):
                if self._opened is None:
                    self._pending[type(asked)] = asked
                elif not self._opened.controls.ask(asked, time.monotonic()):
                    self._config = old
                    raise UserError("The box has too much to do: try again.")
            self._set_leads(new)
        try:
            write_changes(self._path, changes)
        except OSError as error:
            raise UserError(
                f"The change counts until the settings are read again: it cannot be stored ({error.strerror}). "
                f"`lefthand doctor` says how full the disk is."
            ) from None

    def _set_leads(self, config: Config) -> None:
        opened = self._opened
        if opened is None:
            return
        calibration = read_calibration()
        leads = [midi_lead_s(config, calibration)] if opened.output is not None else []
        leads += [synth_lead_s(config, calibration)] if opened.synth is not None else []
        for sender, lead_s in zip(opened.senders, leads, strict=True):
            sender.lead(lead_s)


def _outputs_of(config: Config) -> list[str]:
    """Return the names of the MIDI ports on which the left hand plays, the synthesiser's last."""
    return [*([config.midi.output] if config.plays_midi else []), *([SYNTH] if config.plays_synth else [])]


def _live(old: Config, new: Config) -> Iterator[Asked]:
    """Yield the changes that bring a running engine from the settings `old` to `new` without a new session."""
    if old.play.style != new.play.style:
        yield Restyle(new.play.style)
    if old.play.density != new.play.density:
        yield Density(new.play.density)
    if old.play.register != new.play.register:
        yield Register(new.play.register)
    if old.audio.confidence != new.audio.confidence:
        yield Confidence(new.audio.confidence)
    if old.clock != new.clock and "midi" not in (old.clock.mode, new.clock.mode):
        yield UseClock(clock_of(new), dataclasses.asdict(new.clock))


def _at_rest(config: Config) -> Config:
    """Return a copy of `config` in which the settings that a running session can change have their default values.

    If two results differ, the change needs a new session.
    """
    plain = Config()
    clock = config.clock if config.clock.mode == "midi" else plain.clock
    play = dataclasses.replace(
        config.play, style=plain.play.style, density=plain.play.density, register=plain.play.register
    )
    audio = dataclasses.replace(config.audio, confidence=plain.audio.confidence, latency_ms=None)
    midi = dataclasses.replace(config.midi, latency_ms=None)
    synth = dataclasses.replace(config.synth, latency_ms=None)
    return dataclasses.replace(config, clock=clock, play=play, audio=audio, midi=midi, synth=synth)
