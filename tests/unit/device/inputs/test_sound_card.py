"""A sound input whose sound system is simulated by the test."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from device.errors import UnavailableError, UserError
from device.inputs import sound_card
from device.inputs.sound_card import SoundSource
from device.settings.sections import AudioSettings
from device.stream_time import StreamTime

pytest.importorskip("pyaudio")

OVERFLOW = 2
"""PortAudio's paInputOverflow."""


class Card:
    """The part of PyAudio that SoundSource uses: one input, `mic`, of two channels."""

    def __init__(self) -> None:
        self.deliver: Callable[..., object] = lambda *_: None
        self.opened: dict[str, Any] = {}
        self.closed = False

    def get_device_count(self) -> int:
        return 1

    def get_device_info_by_index(self, index: int) -> dict[str, Any]:
        return {"name": "mic", "hostApi": 0, "maxInputChannels": 2, "defaultSampleRate": 48_000.0}

    def get_host_api_info_by_index(self, index: int) -> dict[str, Any]:
        return {"name": "ALSA"}

    def is_format_supported(self, rate: float, **_: object) -> bool:
        if rate != 48_000:
            raise ValueError("Invalid sample rate")
        return True

    def open(self, **settings: Any) -> Card:
        if settings["rate"] != 48_000:
            raise OSError("Invalid sample rate")
        self.opened = settings
        callback = settings["stream_callback"]
        self.deliver = lambda samples, status=0: callback(samples.astype(np.float32).tobytes(), 0, {}, status)
        return self

    def start_stream(self) -> None: ...

    def is_active(self) -> bool:
        return not self.closed

    def close(self) -> None:
        self.closed = True


def source(card: Card, kept: list[NDArray[np.float32]] | None = None, **settings: Any) -> SoundSource:
    keep = None if kept is None else kept.append
    return SoundSource(card, AudioSettings(input="mic", **settings), 16_000, 256, StreamTime(), keep)


def test_hops_come_as_their_blocks_do() -> None:
    card = Card()
    mic = source(card)
    hops = []
    for _ in range(20):
        card.deliver(np.zeros(480))
        hops += mic.read()
    assert len(hops) in (11, 12)
    assert mic.input_s == 0.2
    assert all(hop is not None and len(hop) == 256 and midi == [] for hop, _, midi in hops)


def test_the_loop_is_woken_once_a_hop_and_not_once_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_card, "WAIT_S", 0.01)
    card, kept = Card(), []
    mic = source(card, kept)
    sound = np.linspace(-0.5, 0.5, 48_000, dtype=np.float32)
    for start in range(0, len(sound), 256):
        card.deliver(sound[start : start + 256])
    hops, reads = [], 0
    while len(hops) < 62:
        read = mic.read()
        assert len(read) == 1
        hops += read
        reads += 1
    assert reads == 62
    # no sample is lost or taken twice, and the rest is read when the input pauses
    mic.read()
    assert np.array_equal(np.concatenate(kept), sound)
    assert mic.input_s == 1.0


def test_a_block_longer_than_a_hop_wakes_the_loop_once() -> None:
    card = Card()
    mic = source(card, block=4096)
    for _ in range(4):
        card.deliver(np.zeros(4096))
    assert [len(mic.read()) for _ in range(4)] == [5, 5, 5, 6]


def test_the_chosen_channel_is_heard() -> None:
    card, kept = Card(), []
    mic = source(card, kept, channel=2)
    card.deliver(np.array([[0.1, 0.5], [0.2, 0.6]]))
    mic.read()
    assert card.opened["channels"] == 2
    assert np.allclose(kept[0], [0.5, 0.6])


def test_xruns_are_counted_and_told_of_less_and_less(caplog: pytest.LogCaptureFixture) -> None:
    card = Card()
    mic = source(card)
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            card.deliver(np.zeros(256), OVERFLOW)
            mic.read()
    assert mic.xruns == 100
    assert len(caplog.records) == 7


def test_blocks_that_find_no_room_are_xruns() -> None:
    card = Card()
    mic = source(card)
    for _ in range(1000):
        card.deliver(np.zeros(256))
    assert mic.xruns == 1000 - (round(2.0 * 48_000 / 256) + 1)


def test_an_input_that_falls_silent_for_good_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_card, "WAIT_S", 0.01)
    monkeypatch.setattr(sound_card, "DEAF_S", 0.025)
    mic = source(Card())
    assert mic.read() == mic.read() == []
    with pytest.raises(UserError, match=r'"mic \[ALSA\]" gives no more sound'):
        mic.read()


def test_a_rate_that_the_card_has_not_is_answered_with_those_it_has() -> None:
    with pytest.raises(UserError, match=r"does not run at 44100 Hz: set \[audio\] rate to 48000\."):
        source(Card(), rate=44_100)


def test_a_channel_that_the_card_has_not_is_refused() -> None:
    with pytest.raises(UserError, match="has 2 channels: set .audio. channel to 1 to 2"):
        source(Card(), channel=3)


class OldCard(Card):
    """Runs at 44.1 kHz alone."""

    def is_format_supported(self, rate: float, **_: object) -> bool:
        if rate != 44_100:
            raise ValueError("Invalid sample rate")
        return True

    def open(self, **settings: Any) -> Card:
        if settings["rate"] != 44_100:
            raise OSError("Invalid sample rate")
        self.opened = settings
        return self


def test_a_card_without_48_khz_is_heard_at_the_rate_that_it_has(caplog: pytest.LogCaptureFixture) -> None:
    card = OldCard()
    with caplog.at_level(logging.INFO):
        mic = source(card)
    assert mic.rate == card.opened["rate"] == 44_100
    assert '"mic [ALSA]" does not run at 48000 Hz, and is heard at 44100 Hz' in caplog.text


def test_a_card_in_use_is_waited_for() -> None:
    class Busy(Card):
        def open(self, **settings: Any) -> Card:
            raise OSError(-9985, "Device unavailable")

    with pytest.raises(UnavailableError) as busy:
        source(Busy())
    assert busy.value.waiting.startswith('waiting for audio input "mic": "mic [ALSA]" cannot be opened')
