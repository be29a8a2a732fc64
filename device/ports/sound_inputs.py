"""Lists the sound inputs of this machine and their sample rates, through PortAudio."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

from device.errors import missing_extra
from device.ports.drivers import left_behind, within_reason
from device.ports.port import API_NAMES, SoundInput
from device.system.quiet import quiet

RATES = (8_000, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000)
"""Sample rates in Hz that are tried on an input. These are the usual rates of sound cards."""


LOUDEST = 1e3
"""Highest peak that is taken for sound, 60 dB above full scale. PortAudio never writes into the block of ALSA's null
input, so what happens to be in memory there can be 740 dB."""


def is_level(peak: float) -> bool:
    """Return whether `peak` can be the peak of a sound. 1 is full scale."""
    return math.isfinite(peak) and peak <= LOUDEST


@contextlib.contextmanager
def portaudio() -> Iterator[Any]:
    """Yield a `pyaudio.PyAudio`, which ends with the context. It sees only devices that are present at the start.

    Raises UserError if pyaudio is missing.
    """
    try:
        import pyaudio
    except ImportError:
        raise missing_extra("pyaudio", "live") from None
    with quiet():
        system = pyaudio.PyAudio()
    try:
        yield system
    finally:
        if not left_behind():
            with quiet():
                within_reason(system.terminate)


def sound_inputs(system: Any) -> list[SoundInput]:
    """Return the inputs that the PyAudio instance `system` sees. An input that vanishes meanwhile is left out."""
    inputs = []
    for index in range(system.get_device_count()):
        try:
            info = system.get_device_info_by_index(index)
            api = str(system.get_host_api_info_by_index(info["hostApi"])["name"])
        except OSError:
            continue
        if info["maxInputChannels"] > 0:
            inputs.append(
                SoundInput(
                    name=str(info["name"]),
                    api=API_NAMES.get(api, api),
                    index=index,
                    channels=int(info["maxInputChannels"]),
                    default_rate=round(info["defaultSampleRate"]),
                )
            )
    return inputs


def rates_of(system: Any, source: SoundInput, channels: int = 1) -> list[int]:
    """Return the sample rates in Hz at which `source` delivers `channels` channels.

    The rates of RATES and the default rate of `source` are tried.
    """
    import pyaudio

    rates = []
    for rate in sorted({*RATES, source.default_rate}):
        with quiet(), contextlib.suppress(ValueError, OSError):
            if system.is_format_supported(
                rate, input_device=source.index, input_channels=channels, input_format=pyaudio.paFloat32
            ):
                rates.append(rate)
    return rates
