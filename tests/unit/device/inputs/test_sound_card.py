"""A sound input whose sound system is simulated by the test."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from device.errors import UnavailableError, UserError
from device.hearing.resample import Hops
from device.inputs import sound_card
from device.inputs.rest import QUIET_HOPS, REST_HOPS, Rest
from device.inputs.sound_card import SoundSource
from device.inputs.source import Loss
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
        self.only_rate = 48_000

    def get_device_count(self) -> int:
        return 1

    def get_device_info_by_index(self, index: int) -> dict[str, Any]:
        return {"name": "mic", "hostApi": 0, "maxInputChannels": 2, "defaultSampleRate": 48_000.0}

    def get_host_api_info_by_index(self, index: int) -> dict[str, Any]:
        return {"name": "ALSA"}

    def is_format_supported(self, rate: float, **_: object) -> bool:
        if rate != self.only_rate:
            raise ValueError("Invalid sample rate")
        return True

    def open(self, **settings: Any) -> Card:
        if settings["rate"] != self.only_rate:
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


def source(
    card: Card,
    kept: list[NDArray[np.float32]] | None = None,
    idle: Callable[[], bool] = lambda: False,
    **settings: Any,
) -> SoundSource:
    keep = None if kept is None else kept.append
    return SoundSource(card, AudioSettings(input="mic", **settings), 16_000, 256, StreamTime(), keep, idle=idle)


def hop_waits(mic: SoundSource) -> bool:
    """Return whether the loop has been woken for a hop that it has not read yet."""
    return not mic._blocks._complete.empty()


def test_hops_come_as_their_blocks_do() -> None:
    card = Card()
    mic = source(card, block=480)
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
    mic = source(card, kept, block=480)
    sound = np.linspace(-0.5, 0.5, 48_000, dtype=np.float32)
    for start in range(0, len(sound), 480):
        card.deliver(sound[start : start + 480])
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


@pytest.mark.parametrize(("block", "each"), [(256, 1), (128, 1), (768, 1), (1536, 2)])
def test_each_hop_is_complete_at_the_end_of_a_block(block: int, each: int) -> None:
    card, kept = Card(), []
    mic = source(card, kept, block=block)
    sound = np.linspace(-0.5, 0.5, 48_000, dtype=np.float32)
    hops, came_at = [], []
    for end in range(block, 20 * 768, block):
        card.deliver(sound[end - block : end])
        if hop_waits(mic):
            hops.append(mic.read())
            came_at.append(end)
    assert {len(read) for read in hops[1:]} == {each}
    assert set(np.diff(came_at)) == {768 * each}
    # all that the last block gave is needed by the last hop: no hop waits for a part of a block that it does not need
    heard = np.concatenate(kept)
    assert hops[-1][-1][1] * 48_000 == pytest.approx(len(heard), abs=1e-6)
    # only the beginning of the stream is left out, and what is kept gives the same hops as a file
    assert np.array_equal(heard, sound[came_at[-1] - len(heard) : came_at[-1]])
    assert 0 <= came_at[-1] - len(heard) < block
    from_file = Hops(48_000, 16_000, 256).push(heard)
    assert [now_s for read in hops for _, now_s, _ in read] == [now_s for _, now_s in from_file]
    for hop, (other, _) in zip((hop for read in hops for hop, _, _ in read), from_file, strict=True):
        assert np.array_equal(hop, other)


def heard(card: Card, mic: SoundSource, sound: NDArray[np.float32], block: int) -> tuple[list[Any], list[int]]:
    """Play `sound`, and read as the loop does. Returns all hops, and for each waking how many hops the loop took."""
    hops, taken = [], []
    for end in range(block, len(sound) + 1, block):
        card.deliver(sound[end - block : end])
        count = 0
        while hop_waits(mic):
            hops += mic.read()
            count += 1
        taken += [count] if count else []
    return hops, taken


def noise_of_the_room(hops: int, seed: int) -> NDArray[np.float32]:
    return (3e-4 * np.random.default_rng(seed).standard_normal(hops * 768)).astype(np.float32)


@pytest.mark.parametrize("within", [0, 1, 2, 3])
def test_while_nobody_plays_the_loop_takes_four_hops_at_once_and_a_stroke_wakes_it_in_its_own_hop(within: int) -> None:
    sound = noise_of_the_room(200, 0)
    # a soft stroke, a few times as loud as the noise
    sound[(120 + within) * 768 : (121 + within) * 768] += 5e-3
    card = Card()
    hops, taken = heard(card, source(card, idle=lambda: True), sound, 256)
    stroke = next(number for number, (hop, _, _) in enumerate(hops) if np.abs(hop).max() > 3e-3)
    ends = np.cumsum(taken).tolist()
    assert set(taken[: QUIET_HOPS - 1]) == {1} and set(taken[QUIET_HOPS + 1 : ends.index(stroke + 1)]) == {REST_HOPS}
    # the stroke's hop ends its waking, and the loop is awake for a second after it
    assert taken[ends.index(stroke + 1) + 2 :][:60] == [1] * 60


@pytest.mark.parametrize(("channels", "loud"), [(1, 0), (2, 0), (2, 1), (4, 0), (4, 3)])
def test_while_nobody_plays_only_the_chosen_channel_wakes_the_loop(channels: int, loud: int) -> None:
    rest = Rest(lambda: True, channels)
    for _ in range(QUIET_HOPS):
        rest.look(1e-3)
    block = np.full((256, channels), 1e-3, np.float32)
    block[100:140, loud] = 0.1
    # the last channel is the one that is heard
    assert rest.wakings(block.tobytes(), completes=True) == (1 if loud == channels - 1 else 0)


def test_hops_that_waited_are_those_that_would_have_come_one_by_one() -> None:
    sound, runs = noise_of_the_room(250, 1), []
    for idle in (True, False):
        card = Card()
        runs.append(heard(card, source(card, idle=lambda idle=idle: idle), sound, 256))
    (rested, few), (awake, many) = runs
    assert len(few) < len(many) / 2 and set(many) == {1}
    assert all(np.array_equal(a, b) and s == t for (a, s, _), (b, t, _) in zip(rested, awake, strict=False))
    assert 0 <= len(awake) - len(rested) < REST_HOPS


def test_uneven_sound_keeps_the_loop_awake() -> None:
    sound, card = noise_of_the_room(150, 2), Card()
    sound[:: 768 * 20] += 0.01
    assert set(heard(card, source(card, idle=lambda: True), sound, 256)[1]) == {1}


def test_with_blocks_longer_than_a_hop_none_waits() -> None:
    card = Card()
    mic = source(card, idle=lambda: True, block=1536)
    assert set(heard(card, mic, np.zeros(1536 * 100, np.float32), 1536)[1]) == {1}


def test_only_the_wanted_channel_of_the_first_samples_is_left_out() -> None:
    card, kept = Card(), []
    mic = source(card, kept, channel=2, block=768)
    for start in (0, 768):
        second = np.arange(start, start + 768, dtype=np.float32) * 1e-4
        card.deliver(np.stack([-second, second], axis=1))
    assert len(mic.read()) == 1
    assert np.array_equal(kept[0], np.arange(1536 - len(kept[0]), 1536, dtype=np.float32) * np.float32(1e-4))


def test_at_a_rate_without_whole_hops_all_sound_is_heard() -> None:
    card, kept = Card(), []
    card.only_rate = 44_100
    mic = source(card, kept)
    sound = np.linspace(-0.5, 0.5, 4 * 256, dtype=np.float32)
    for start in range(0, len(sound), 256):
        card.deliver(sound[start : start + 256])
    assert len(mic.read()) == 1
    assert np.array_equal(np.concatenate(kept), sound)


def test_a_block_longer_than_a_hop_wakes_the_loop_once() -> None:
    card = Card()
    mic = source(card, block=4096)
    for _ in range(4):
        card.deliver(np.zeros(4096))
    assert [len(mic.read()) for _ in range(4)] == [5, 5, 5, 6]


def test_the_chosen_channel_is_heard() -> None:
    card, kept = Card(), []
    mic = source(card, kept, channel=2, block=480)
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
    found_room = round(2.0 * 48_000 / 256) + 1
    assert mic.xruns == 1000 - found_room
    while hop_waits(mic):
        mic.read()
    assert mic.losses() == []
    # the loss lies before the next block that finds room, and not where it was counted
    for _ in range(6):
        card.deliver(np.zeros(256))
    while hop_waits(mic):
        mic.read()
    (loss,) = mic.losses()
    assert loss.missing == (1000 - found_room) * 256
    assert 0 <= found_room * 256 - loss.sample < 256
    assert mic.losses() == []


@pytest.mark.parametrize("reported", [990, 1000], ids=["in a dropped block", "with the block that finds room"])
def test_a_loss_of_unknown_length_among_dropped_blocks_makes_the_whole_length_unknown(reported: int) -> None:
    card = Card()
    mic = source(card)

    def lost(reported: int | None) -> list[Loss]:
        """Overflow the queue, and let a few blocks find room. The sound system reports a loss with one block."""
        for number in range(1006):
            if number == 1000:
                while hop_waits(mic):
                    mic.read()
            card.deliver(np.zeros(256), OVERFLOW if number == reported else 0)
        while hop_waits(mic):
            mic.read()
        return mic.losses()

    assert [loss.missing for loss in lost(reported)] == [None]
    # the next loss has a length again
    ((missing,),) = [[loss.missing for loss in lost(None)]]
    assert missing is not None and missing > 256


def test_a_loss_is_given_when_its_block_is_read_and_not_when_it_came() -> None:
    card = Card()
    mic = source(card, block=768)
    for number in range(6):
        card.deliver(np.zeros(768), OVERFLOW if number == 4 else 0)
    given = []
    while hop_waits(mic):
        before = mic._input_samples
        mic.read()
        given += [(before, mic._input_samples, loss) for loss in mic.losses()]
    assert mic.xruns == 1
    ((before, after, loss),) = given
    assert before <= loss.sample < after and loss.sample == before and loss.missing is None


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
