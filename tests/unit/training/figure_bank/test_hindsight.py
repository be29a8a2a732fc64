"""The net of past chords is trained on what the device computes, and gives the same answers there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from device.left_hand.chord_net import CHANNELS, DELAY, HEARD, ChordNet, shipped_arrays
from device.left_hand.hindsight_net import GUESSES, HEADS, READ, HindsightNet
from tests.unit.helpers.pieces import piece
from training.figure_bank.chords import first_params, logits_of, store
from training.figure_bank.half_beats import HalfBeats, half_beats_of
from training.figure_bank.hindsight import FIT_HEADS, FRAMES, Heard, batches, hindsight, stack, with_guesses

ENTRIES = READ


def music() -> HalfBeats:
    found = half_beats_of(piece(0))
    assert found is not None and len(found.heard) > ENTRIES
    return found


def test_the_guesses_are_the_answers_of_the_chord_net_in_hindsight() -> None:
    found, net = music(), ChordNet(shipped_arrays())
    guesses = with_guesses([found])[0].guesses
    assert guesses.shape == (len(found.heard), 24)
    for heard, place, guess in zip(found.heard[:20], found.place[:20], guesses[:20], strict=True):
        answer = net.at(heard[:HEARD].astype(np.float32), place.astype(np.float32))
        np.testing.assert_allclose(np.exp(answer.hindsight), guess.astype(np.float32), atol=5e-3)


def test_the_fitted_net_and_the_devices_net_give_the_same_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.left_hand.hindsight_net.AT_ONCE", READ)
    found = music()
    heard = with_guesses([found])[0]
    params = first_params(4, 1, len(CHANNELS) + GUESSES, FIT_HEADS)
    batch = stack([(heard, 0, ENTRIES)])
    logits = np.asarray(logits_of(params, batch["heard"], batch["place"]))[:, 0, :24]
    store(params, tmp_path / "net.npz", HEADS)
    with np.load(tmp_path / "net.npz") as data:
        net = HindsightNet(dict(data))
    past = []
    for i in range(ENTRIES):
        guess = np.log(heard.guesses[i].astype(np.float32) + 1e-9)
        past = net.at(found.heard[i].astype(np.float32), found.place[i].astype(np.float32), guess)
    assert [answer.ago for answer in past] == list(range(DELAY, ENTRIES))
    for answer in past:
        row = logits[answer.ago - 1]
        np.testing.assert_allclose(answer.triads, row - np.log(np.exp(row).sum()), atol=2e-2)


def test_a_stretch_is_read_from_its_end_and_asks_for_the_chords_of_the_piece() -> None:
    heard = Heard(music(), np.full((len(music().heard), 24), 0.25, np.float16))
    batch = stack([(heard, 4, ENTRIES)])
    size = ENTRIES - 1 - 4
    assert batch["triads"][:size, 0].tolist() == heard.piece.triad[4 : ENTRIES - 1][::-1].tolist()
    assert (batch["triads"][size:] == -1).all() and (batch["left"][size:] == -1).all()
    guesses = batch["heard"][:, 0, len(CHANNELS) :]
    # no guess is known before it can be: the chord net judges each half beat DELAY half beats later
    assert not guesses[: DELAY - 1].any() and (guesses[DELAY - 1 : size] == 0.25).all() and not guesses[size:].any()
    np.testing.assert_array_equal(batch["heard"][0, 0, : len(CHANNELS)], heard.piece.heard[ENTRIES - 1])


@pytest.mark.parametrize("seed", [1, 2])
def test_batches_are_drawn_by_the_seed(seed: int) -> None:
    heard = [Heard(music(), np.zeros((len(music().heard), 24), np.float16))]
    one, same, other = (next(batches(heard, 4, s)) for s in (seed, seed, seed + 5))
    assert one["heard"].shape == (FRAMES, 4, len(CHANNELS) + GUESSES, 12)
    np.testing.assert_array_equal(one["heard"], same["heard"])
    assert not np.array_equal(one["heard"], other["heard"])


def test_the_command_fits_a_net_that_the_device_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"UNITS": 2, "BATCH": 2}.items():
        monkeypatch.setattr(f"training.figure_bank.hindsight.{name}", value)
    monkeypatch.setattr("training.figure_bank.hindsight.read", lambda cache, split, seed: [music()])
    out = tmp_path / "net.npz"
    result = CliRunner().invoke(hindsight, ["--steps", "2", "--out", str(out)], catch_exceptions=False)
    assert result.exit_code == 0 and "right on validation" in result.output
    with np.load(out) as data:
        assert data["out"].shape == (12, 2, 2)
        HindsightNet(dict(data))
