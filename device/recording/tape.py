"""Records a session, which lasts from the opening to the closing of the ports.

If a recording fails, a service plays on.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from device.engine import Engine, TimedAction
from device.errors import UserError
from device.events import Event
from device.inputs.control_queue import Asked
from device.inputs.source import Loss, Source
from device.recording.actions_csv import state_at_start
from device.recording.capture import Capture, CaptureSettings
from device.recording.recorder import Recording
from device.settings.config import Config

log = logging.getLogger("lefthand")


class Tape:
    """Makes one recording in the folder of `capture`, from `begin` to `end`. `hop_s` is the length of a hop in seconds.

    If the recording fails and `service` is True, the error only goes to the log. Otherwise `begin` or `end` raises
    UserError.
    """

    def __init__(self, config: Config, capture: Capture, hop_s: float, service: bool) -> None:
        self._config, self._capture, self._hop_s, self._service = config, capture, hop_s, service
        self._recording: Recording | None = None

    def begin(self, rate: int | None, engine: Engine) -> None:
        """Make the folder and start the recording. `rate` is the sample rate in Hz of the sound; None for a keyboard.

        The settings, and the steering, the tuning and the memory of phrases that `engine` has now, are stored with it.
        Raises UserError if the recording cannot start, unless this is a service.
        """
        capture, how = self._capture, how_of(self._config)
        steered = engine.steered
        if steered is not None:
            # the owner's switches may have changed it since the settings were read
            how = dataclasses.replace(how, steering=dataclasses.asdict(steered.steering))
        if engine.hearing is not None:
            how = dataclasses.replace(how, tuning=engine.hearing.tuning, adapts=engine.hearing.adapts)
        try:
            memory = None if engine.memory is None else engine.memory.packed()
            self._recording = Recording(capture.folder, how, rate, self._hop_s, capture.most_bytes, memory)
            if actions := state_at_start(steered):
                self._recording.acted(actions)
        except UserError as error:
            self._tell(error)

    @property
    def over(self) -> bool:
        """Return whether nothing is recorded: there is no room on the disk, or it has failed."""
        return self._recording is None or self._recording.over

    def sound(self, block: NDArray[np.float32]) -> None:
        """Record a block of sound, float32[n]. Does nothing if no recording runs."""
        if self._recording is not None:
            self._recording.sound(block)

    def lost(self, losses: Sequence[Loss]) -> None:
        """Record the losses in the sound that was recorded last. Does nothing if no recording runs."""
        if self._recording is not None:
            self._recording.lost(losses)

    def acted(self, asked: Sequence[tuple[Asked, float]], now_s: float) -> None:
        """Record what the owner asked for; does nothing if no recording runs. Call it after `Engine.act`.

        `asked` holds actions and pulses of a MIDI clock, each with the time that `Engine.act` got, in stream seconds.
        `now_s` is the end of the next hop.
        """
        if self._recording is not None:
            self._recording.acted([TimedAction(now_s, at_s, action) for action, at_s in asked])

    def collect(self, events: Sequence[Event], now_s: float) -> None:
        """Record events of the engine; does nothing if no recording runs. Call it after each hop.

        `now_s` is the time of the hop in seconds from the start of the input.
        """
        if self._recording is not None:
            self._recording.collect(events, now_s)

    def end(self, engine: Engine, source: Source, now_s: float, whole: bool) -> None:
        """End the recording; does nothing if no recording runs. Call it when the left hand is silent.

        If `whole` is True, the engine still decides the notes that it has heard only in part, and they are recorded.
        Otherwise the recording is cut here. `now_s` is the time of the last hop in seconds. Raises UserError if the
        recording has failed, unless this is a service.
        """
        recording, self._recording = self._recording, None
        if recording is None:
            return
        try:
            if whole:
                recording.finish(engine, source, now_s)
            else:
                recording.close()
        except UserError as error:
            self._tell(error)
        if recording.over:
            log.info("captured %.1f s in %s, which ended early", recording.kept_s, recording.folder)
        else:
            log.info("captured %.1f s in %s", source.input_s, recording.folder)

    def _tell(self, error: UserError) -> None:
        if not self._service:
            raise error
        log.error("%s", error)


def how_of(config: Config) -> CaptureSettings:
    """Return the settings that `lefthand play` needs to repeat a run with `config`."""
    return CaptureSettings(
        clock=config.clock.mode,
        tempo=config.clock.tempo,
        meter=config.clock.meter,
        count_in=config.clock.count_in,
        max_drift=config.clock.max_drift,
        upbeat=config.clock.upbeat,
        bundle=os.path.realpath(config.play.bundle) if config.play.bundle else "",
        hears_itself=config.audio.hears_itself,
        steering=dataclasses.asdict(config.play.steering),
        split=config.play.split,
        confidence=config.audio.confidence,
    )
