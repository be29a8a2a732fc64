"""A parcel holds note banks small enough to travel, and what comes out of it sounds like what went in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from device.errors import UserError
from device.events import KEYS, LOWEST_KEY
from training.pianos.banks import NOTE_S, load_bank
from training.pianos.instruments import darkening
from training.pianos.renderer import RATE
from training.remote.parcel import darker, pack_bank, unpack, unpack_bank

VELOCITIES = (40, 120)
SOUNDS_S = 0.8


def tone(key: int, velocity: int) -> np.ndarray:
    """A decaying tone with three partials, darker and softer at low velocity, as float [samples]."""
    time_s = np.arange(int(SOUNDS_S * RATE)) / RATE
    hz = 440 * 2 ** ((key + LOWEST_KEY - 69) / 12)
    partials = [n for n in (1, 2, 3) if n * hz < 7000]
    plain = sum(np.sin(2 * np.pi * n * hz * time_s) / n for n in partials) * np.exp(-4 * time_s) * 0.4
    dark = darkening(key + LOWEST_KEY, velocity)
    heard = np.asarray(plain if dark is None else lfilter(*dark, plain))
    return heard * (velocity / 120) ** 2


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with one bank whose source has one layer."""
    folder = tmp_path_factory.mktemp("cache")
    (folder / "banks").mkdir()
    bank = np.zeros((KEYS, len(VELOCITIES), int(NOTE_S * RATE)), np.int16)
    level = np.zeros((KEYS, len(VELOCITIES)))
    for key in range(KEYS):
        for number, velocity in enumerate(VELOCITIES):
            sound = tone(key, velocity)
            bank[key, number, : len(sound)] = np.round(sound * 32767)
            level[key, number] = 10 * np.log10(np.mean(sound[: RATE // 4] ** 2))
    about = {
        "version": 1, "timbre": "tones", "acoustic": True, "heldout": False, "velocities": VELOCITIES,
        "one_layer": True, "level_db": level.tolist(), "sounding_s": np.full(level.shape, SOUNDS_S).tolist(),
    }  # fmt: skip
    np.save(folder / "banks" / "tones.npy", bank)
    (folder / "banks" / "tones.json").write_text(json.dumps(about))
    return folder


def test_a_bank_comes_back_from_a_small_file(cache: Path, tmp_path: Path) -> None:
    pack_bank(cache, "tones", tmp_path / "banks")
    assert (tmp_path / "banks" / "tones.mp3").stat().st_size < 0.02 * (cache / "banks" / "tones.npy").stat().st_size
    unpack_bank(tmp_path / "banks", "tones", tmp_path / "there")
    before, after = load_bank(cache, "tones"), load_bank(tmp_path / "there", "tones")
    assert np.array_equal(before.level_db, after.level_db) and np.array_equal(before.velocities, after.velocities)
    for key in range(4, KEYS - 12, 8):
        for number in range(len(VELOCITIES)):
            was, now = (bank.samples[key, number].astype(np.float64) for bank in (before, after))
            # a soft note may begin a few samples sooner, because it is cut at its own onset
            errors = [np.sum((was - np.roll(now, shift)) ** 2) for shift in range(48)]
            assert min(errors) < 0.02 * np.sum(was**2), (key, number)


def test_a_soft_note_is_made_from_a_loud_one() -> None:
    for pitch in (24, 48, 72):
        loud = lfilter(*dark, white) if (dark := darkening(pitch, 120)) else white
        wanted = lfilter(*soft, white) if (soft := darkening(pitch, 20)) else white
        np.testing.assert_allclose(darker(np.float32(loud), pitch, 120, 20), wanted, atol=1e-4)


white = np.random.default_rng(1).normal(0, 0.1, 4000)


def test_a_folder_without_a_parcel_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no parcel"):
        unpack(tmp_path, tmp_path / "cache", 0)
