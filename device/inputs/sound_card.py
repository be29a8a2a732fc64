"""Reads a sound input live: takes blocks from PyAudio and gives hops to the engine.

PyAudio's callback is used instead of its blocking read, for two reasons. The callback takes each block out of the
sound system at once, even while the engine is busy. PortAudio's blocking read on JACK (libportaudio 19.6) writes
beyond its buffer.

The callback wakes the loop only when a hop is complete. Several blocks make a hop, and each waking costs as much as a
tenth of a hop. The first samples of the stream are left out, so that a block ends with the last sample that a hop
needs. Otherwise each hop would wait for the rest of a block: 2.9 ms with blocks of 256 samples at 48 kHz.

A block as long as a hop would wake the callback a third as often. But with it, tests/host/test_lost_blocks.py hears
false strokes on JACK. From its source, PortAudio (19.6) seems to pass on a report of lost sound only if a block is
complete in the same period.

While nobody plays, the callback wakes the loop only once for several hops, see `device.inputs.rest`.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.errors import UnavailableError, UserError
from device.hearing.features import Samples
from device.hearing.resample import Hops
from device.inputs.block_queue import BlockQueue
from device.inputs.rest import Rest
from device.inputs.source import Feed, Loss
from device.ports.drivers import within_reason
from device.ports.port import SOUND, choose
from device.ports.sound_inputs import is_level, rates_of, sound_inputs
from device.printable import count_of
from device.settings.sections import DEFAULT_RATE, AudioSettings
from device.status.faults import Faults
from device.stream_time import StreamTime
from device.system.foreign_thread import keep_state, release_state
from device.system.realtime import ask_for_fifo

QUEUE_S = 2.0
"""Seconds that blocks wait for the engine at most. Blocks beyond this are lost."""
WAIT_S = 0.1
"""Seconds that one `read` waits for a block."""
DEAF_S = 1.0
"""Seconds. An input that gives no block for this long counts as gone."""
RELEASE_S = 0.05
"""Seconds that `close` waits at most for the callback to give back the state of its thread: several blocks."""
SAMPLE_BYTES = 4
"""Bytes of a float32 sample of one channel."""
CLIPS = 0.9999
"""Share of full scale from which a block counts as clipped. Below 1, because converters stop just below full scale."""
SILENT = 1e-6
"""Lowest reported level, as a share of full scale: -120 dBFS, below the noise of every converter."""

log = logging.getLogger("lefthand")


class SoundSource:
    """Reads the sound input that `settings` names, after `start`. `system` is the PyAudio instance.

    `model_rate` (Hz) and `hop` (samples) are those of the models. `stream_time` receives the arrival time of each
    block. `keep`, if given, receives each block (float32[n], full scale at 1). `faults` counts clipped and non-finite
    blocks. `idle` returns whether the engine has nothing to do: then hops may wait while the input is quiet.

    Raises UnavailableError if the input cannot be chosen or opened, and UserError if its rate cannot be used.
    """

    def __init__(
        self,
        system: Any,
        settings: AudioSettings,
        model_rate: int,
        hop: int,
        stream_time: StreamTime,
        keep: Callable[[NDArray[np.float32]], None] | None = None,
        faults: Faults | None = None,
        idle: Callable[[], bool] = lambda: False,
    ) -> None:
        self.port = choose(settings.input, sound_inputs(system), SOUND)
        self._settings = settings
        self._faults = Faults() if faults is None else faults
        self._time = stream_time
        self._keep = keep
        self._losses: list[Loss] = []
        self._waited_s = 0.0
        self._xruns_to_tell = 1
        self._peak = 0.0
        self._input_samples = 0
        self._closing, self._released = False, threading.Event()
        self._released.set()
        """Set while Python's state of the callback's thread is not kept."""
        self._first = True
        self._check_channel()
        self.rate, self._stream = self._open(system, settings.rate)
        try:
            self._hops = Hops(self.rate, model_rate, hop)
        except UserError:
            self.close()
            raise
        self._left_out = _surplus(self._hops, settings.block)
        """Number of samples of the stream that are still to be left out."""
        # a block that is longer than a hop is itself a pause
        short = settings.block <= self._hops.needed(1) - self._hops.needed(0)
        self._rest = Rest(idle if short else lambda: False, settings.channel)
        self._frame_bytes = SAMPLE_BYTES * settings.channel
        most_blocks = round(QUEUE_S * self.rate / settings.block) + 1
        self._blocks = BlockQueue(self._hops, most_blocks, self._frame_bytes, self._left_out, self._rest)

    @property
    def xruns(self) -> int:
        """Number of losses: see `BlockQueue.xruns`."""
        return self._blocks.xruns

    def start(self) -> None:
        """Start the stream. Raises UnavailableError if the input refuses."""
        try:
            self._stream.start_stream()
        except OSError as error:
            raise UnavailableError(
                f'"{self.port}" cannot be started ({error}): close the program that uses it.',
                SOUND,
                self._settings.input,
            ) from None

    def read(self) -> list[Feed]:
        """Wait for the block that completes the next hop, and return the hops that it completes, with their times.

        The list is empty if no hop is complete within WAIT_S. Raises UnavailableError if the input has stopped.
        """
        if not self._blocks.wait(WAIT_S) and not self._blocks:
            self._wait_longer()
            return []
        self._waited_s = 0.0
        blocks, lost_s = [], 0.0
        missing = self._hops.needed_now
        while self._blocks and missing > 0:
            data, arrived_s, lost, dropped = self._blocks.take()
            if lost:
                self._losses.append(Loss(self._input_samples, dropped))
            blocks.append(self._kept(data) if self._left_out else data)
            count = len(blocks[-1]) // self._frame_bytes
            missing -= count
            self._input_samples += count
            lost_s += self._time.arrived(self.input_s, arrived_s)
        if not blocks:
            # the last wait ended just as the block came, so the last call took it
            return []
        # one array for all blocks: each call of numpy costs much after a sleep
        sound = np.frombuffer(b"".join(blocks), np.float32)
        if self._settings.channel > 1:
            sound = sound.reshape(-1, self._settings.channel)[:, -1]
        self._look_at(sound)
        if self._keep is not None:
            self._keep(sound)
        if lost_s:
            self._losses.append(Loss(self._input_samples, round(lost_s * self.rate), found_late=True))
        self._log_losses(lost_s)
        return _feeds(self._hops.push(sound))

    def _kept(self, block: bytes) -> bytes:
        """Return the part of a block that is heard, at the very beginning of the stream."""
        cut = min(self._left_out, len(block) // self._frame_bytes)
        self._left_out -= cut
        return block[cut * self._frame_bytes :]

    def _wait_longer(self) -> None:
        """Count another wait without a block. Raises UnavailableError if the input has stopped."""
        self._waited_s += WAIT_S
        if self._waited_s >= DEAF_S or not self._runs():
            raise UnavailableError(
                f'"{self.port}" gives no more sound: connect it again and start again.',
                SOUND,
                self._settings.input,
                "it gives no more sound",
            )

    @property
    def input_s(self) -> float:
        """Return the seconds of sound that were read so far."""
        return self._input_samples / self.rate

    def losses(self) -> list[Loss]:
        """Return the losses in the blocks that `read` took in since the last call."""
        losses, self._losses = self._losses, []
        return losses

    def finish(self) -> list[Feed]:
        """Close the stream, and return the last hops, made of the samples that were not returned yet."""
        self.close()
        return _feeds(self._hops.flush())

    def silence(self) -> list[Feed]:
        """Return the hops that one hop of silence completes after `finish`, with their times."""
        return _feeds(self._hops.push(np.zeros(self._hops.hop, np.float32)))

    def close(self) -> None:
        """Close the stream."""

        def end() -> None:
            with contextlib.suppress(OSError):
                self._stream.close()

        self._closing = True
        self._released.wait(RELEASE_S)
        within_reason(end)

    def level_db(self) -> float | None:
        """Return the highest peak of the sound since the last call, in dBFS, at least -120."""
        peak, self._peak = self._peak, 0.0
        return 20 * math.log10(max(peak, SILENT))

    def _look_at(self, block: NDArray[np.float32]) -> None:
        if not len(block):
            return
        levels = np.abs(block)
        peak = float(levels[levels.argmax()])
        if not is_level(peak):
            self._faults.count("blocks that are no numbers")
            return
        if peak >= CLIPS:
            self._faults.count("clipped blocks")
        self._peak = max(self._peak, peak)
        self._rest.look(peak)

    def _runs(self) -> bool:
        try:
            return bool(self._stream.is_active())
        except OSError:
            return False

    def _check_channel(self) -> None:
        if self._settings.channel > self.port.channels:
            sentence = f'"{self.port}" has {count_of(self.port.channels, "channel")}: set [audio] channel to 1 to '
            raise UnavailableError(f"{sentence}{self.port.channels}.", SOUND, self._settings.input)

    def _open(self, system: Any, rate: int) -> tuple[int, Any]:
        """Open a stream, which does not run yet. Return its rate in Hz and the stream.

        If the card refuses `rate` and `rate` is only the default, the nearest rate that the card offers is used. Raises
        UnavailableError if the input cannot be opened or does not run at a rate that the settings demand.
        """
        import pyaudio

        wanted = self._settings
        try:
            return rate, system.open(
                rate=rate,
                channels=wanted.channel,
                format=pyaudio.paFloat32,
                input=True,
                input_device_index=self.port.index,
                frames_per_buffer=wanted.block,
                stream_callback=self._callback,
                start=False,
            )
        except (OSError, ValueError) as error:
            refused = error
        offered = rates_of(system, self.port, wanted.channel)
        if rate in offered or not offered:
            raise UnavailableError(
                f'"{self.port}" cannot be opened ({refused}): close the program that uses it.',
                SOUND,
                self._settings.input,
            ) from None
        if rate != DEFAULT_RATE:
            raise UnavailableError(
                f'"{self.port}" does not run at {rate} Hz: set [audio] rate to {_or(offered)}.',
                SOUND,
                self._settings.input,
            ) from None
        nearest = min(offered, key=lambda hertz: abs(hertz - DEFAULT_RATE))
        log.info('"%s" does not run at %d Hz, and is heard at %d Hz', self.port, DEFAULT_RATE, nearest)
        return self._open(system, nearest)

    def _log_losses(self, lost_s: float) -> None:
        if lost_s:
            log.warning("%.0f ms of sound were lost after %.1f s", lost_s * 1e3, self.input_s)
        if self.xruns >= self._xruns_to_tell:
            log.warning("xrun: the input was not read in time (%d so far)", self.xruns)
            self._xruns_to_tell = 2 * self.xruns

    def _callback(self, data: bytes, frames: int, times: object, status: int) -> tuple[None, int]:
        """Queue the block `data`. PortAudio calls this in its own thread. Returns the pair that asks it to go on."""
        if self._first:
            self._first = False
            self._released.clear()
            keep_state()
            ask_for_fifo()
        if self._closing and not self._released.is_set():
            release_state()
            self._released.set()
        self._blocks.put(data, bool(status))
        return None, 0


def _feeds(hops: list[tuple[Samples, float]]) -> list[Feed]:
    return [(hop, now_s, []) for hop, now_s in hops]


def _surplus(hops: Hops, block: int) -> int:
    """Return how many samples to leave out at the start, so that each hop is complete at the end of a block.

    0 if that is not possible, because a hop is not several blocks, nor a block several hops.
    """
    hop = hops.needed(1) - hops.needed(0)
    if hops.source_rate * hops.hop % hops.model_rate or (hop % block and block % hop):
        return 0
    return -hops.needed(0) % block


def _or(rates: list[int]) -> str:
    return " or ".join(map(str, rates))
