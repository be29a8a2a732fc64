"""PortAudio: the sound inputs of this machine and their sample rates."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from device.errors import missing_extra
from device.ports.drivers import left_behind, quiet, within_reason
from device.ports.port import API_NAMES, SoundInput

RATES = (8_000, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000)
"""Sample rates in Hz that an input is asked about."""


@contextlib.contextmanager
def portaudio() -> Iterator[Any]:
    """A `pyaudio.PyAudio`, which sees the devices that are there as it begins; ends with the context."""
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
    """The inputs that the PyAudio instance `system` sees; one that goes away while it is looked at is none."""
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
    """The sample rates in Hz of RATES, and its own, that `source` delivers with `channels` channels."""
    import pyaudio

    rates = []
    for rate in sorted({*RATES, source.default_rate}):
        with quiet(), contextlib.suppress(ValueError, OSError):
            if system.is_format_supported(
                rate, input_device=source.index, input_channels=channels, input_format=pyaudio.paFloat32
            ):
                rates.append(rate)
    return rates
