"""What a session records, so that nothing that goes wrong with it stops the playing of a service."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.engine import Engine
from device.errors import UserError
from device.events import Event
from device.inputs.source import Source
from device.recording.capture import Capture, CaptureSettings
from device.recording.recorder import Recording
from device.settings.config import Config

log = logging.getLogger("lefthand")


class Take:
    """A recording into `capture` from now on; `rate` and `hop_s` as for `Recording`.

    Of a `service` a recording that fails is only told in the log; elsewhere UserError is raised.
    """

    def __init__(self, config: Config, capture: Capture, rate: int | None, hop_s: float, service: bool) -> None:
        self._service = service
        self._recording: Recording | None = None
        try:
            self._recording = Recording(capture.folder, how_of(config), rate, hop_s, capture.most_bytes)
        except UserError as error:
            self._tell(error)

    def sound(self, block: NDArray[np.float32]) -> None:
        """Keep a block, float32[n]."""
        if self._recording is not None:
            self._recording.sound(block)

    def collect(self, events: Sequence[Event]) -> None:
        """Keep what the engine told."""
        if self._recording is not None:
            self._recording.collect(events)

    def end(self, engine: Engine, source: Source, now_s: float, whole: bool) -> None:
        """After silence. `whole`: the engine comes to its end, for the recording; else it is cut."""
        if self._recording is None:
            return
        try:
            if whole:
                self._recording.finish(engine, source, now_s)
            else:
                self._recording.close()
        except UserError as error:
            self._tell(error)
        log.info("captured %.1f s in %s", source.input_s, self._recording.folder)

    def _tell(self, error: UserError) -> None:
        if not self._service:
            raise error
        log.error("%s", error)


def how_of(config: Config) -> CaptureSettings:
    """What `lefthand play` has to know to do the same again."""
    return CaptureSettings(
        clock=config.clock.mode,
        tempo=config.clock.tempo,
        meter=config.clock.meter,
        count_in=config.clock.count_in,
        bundle=str(Path(config.play.bundle).resolve()) if config.play.bundle else "",
        hears_itself=config.audio.hears_itself,
        steering=dataclasses.asdict(config.play.steering),
        split=config.play.split,
        confidence=config.audio.confidence,
    )
