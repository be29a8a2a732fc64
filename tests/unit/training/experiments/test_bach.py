"""The Bach net: its tokens, its corpus in figures, its sampling, and the piece that it writes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

os.environ.setdefault("KERAS_BACKEND", "jax")

from device.errors import UserError
from device.events import Note
from device.files.midi.file import read_midi
from training.__main__ import main
from training.experiments.bach import figures, net
from training.experiments.bach.corpus import Chorale4, Vocabulary, choose, count_tokens, described, token_of
from training.experiments.bach.generate import START, generated, write_midi
from training.experiments.bach.net import Bach, Sampling, build, fit_bach, padded


def notes_in(path: Path) -> list[Note]:
    return [note for part in read_midi(path).parts for note in part.notes]


def chorale(quarters: int, metres: str = "4/4", shift: int = 0) -> Chorale4:
    """A melody of quarters over two held chords that change every two quarters."""
    rows = [(3, at, 1.0, 72 + shift + at % 3) for at in range(quarters)]
    rows += [(0, at, 2.0, (48, 43)[at // 2 % 2] + shift) for at in range(0, quarters, 2)]
    return Chorale4(np.array(rows, np.float64), metres)


FOUND = [chorale(n, shift=n % 2) for n in (20, 22, 24, 24, 26, 28)] + [chorale(24, "3/4")]


def test_a_token_is_a_note_a_chord_from_its_bass_or_a_rest() -> None:
    assert token_of(()) == "rest" and token_of((60,)) == "C4" and token_of((70,)) == "B-4"
    assert token_of((48, 64, 67, 72)) == "0.4.7" and token_of((52, 60, 67)) == "4.7.0"
    gap = Chorale4(np.array([(0, 0.0, 1.0, 60), (0, 2.0, 1.0, 62)]), "4/4")
    assert gap.moments() == [(60,), (), (62,)]
    assert chorale(4).moments() == [(48, 72), (48, 73), (43, 74), (43, 72)]


def test_rare_tokens_are_unknown_and_a_token_has_its_commonest_voicing() -> None:
    vocabulary = Vocabulary.of(FOUND, 5)
    assert vocabulary.tokens[:2] == ["padding", "other"] and len(vocabulary.tokens) == 5
    numbers = vocabulary.numbers(FOUND[0])
    assert set(numbers.tolist()) <= {1, 2, 3, 4} and (numbers == 1).any()
    for token, pitches in vocabulary.pitches.items():
        assert token_of(pitches) == token
    np.testing.assert_array_equal(padded([numbers[:3]], 5), [[*numbers[:3], 0, 0]])


def test_the_corpus_says_what_follows_for_sequence_and_embedding() -> None:
    tokens = count_tokens(FOUND)
    choice = choose(FOUND, 300)
    assert all(own.metres == "4/4" for own in choice.kept) and choice.embedding == 5
    assert choice.sequence == max(len(own.moments()) for own in choice.kept)
    told = described(FOUND, choice, tokens)
    assert "metres: 4/4 6, 3/4 1" in told and f"sequences of {choice.sequence} events" in told
    with pytest.raises(UserError, match="No chorale is in 4/4"):
        choose([chorale(8, "3/4")], 10)


@pytest.mark.parametrize(
    ("pick", "allowed"), [("greedy", {1}), ("top-k", {1, 2}), ("top-p", {1, 2}), ("temperature", {0, 1, 2, 3})]
)
def test_shares_are_those_of_the_sampling(pick: str, allowed: set[int]) -> None:
    logits = np.log([0.05, 0.55, 0.3, 0.1])
    shares = Sampling(pick, k=2, p=0.8).shares(logits)
    assert set(np.flatnonzero(shares)) == allowed and shares.sum() == pytest.approx(1)
    cold = Sampling("temperature", temperature=0.1).shares(logits)
    assert cold[1] > 0.99 and (pick != "temperature" or shares[1] == pytest.approx(0.55))


def test_a_wrong_sampling_is_refused() -> None:
    for wrong in ({"k": 0}, {"p": 0.0}, {"temperature": 0.0}, {"pick": "best"}):
        with pytest.raises(UserError):
            Sampling(**wrong)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="more than the 512"):
        build(600)


def test_the_net_has_the_sizes_of_the_document() -> None:
    layers = [
        (type(layer).__name__, getattr(layer, "units", getattr(layer, "rate", None))) for layer in build(9).layers
    ]
    assert [own for own in layers if own[0] in ("LSTM", "Dropout", "Dense")] == [
        ("LSTM", 6),
        ("Dropout", 0.2),
        ("LSTM", 12),
        ("Dropout", 0.3),
        ("LSTM", 6),
        ("Dropout", 0.3),
        ("Dense", 512),
    ]


def test_it_learns_writes_and_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "fits" / "seeds" / "bach"
    monkeypatch.setattr(figures, "read_chorales", lambda cache: FOUND)
    fitted = fit_bach(FOUND, folder, epochs=2)
    assert {"config.json", "history.csv", "bach.weights.h5", "tensorboard"} <= {p.name for p in folder.iterdir()}
    first = (folder / "history.csv").read_text().splitlines()
    assert float(first[-1].split(",")[1]) < float(first[1].split(",")[1])
    again = Bach.load(folder)
    kept = figures.kept_chorales(tmp_path)
    pieces = [generated(n, kept, 0, START + 4, Sampling("greedy"), 1) for n in (fitted, again)]
    assert pieces[0] == pieces[1] and len(pieces[0]) == START + 4
    assert not {"padding"} & set(pieces[0]) and "other" not in pieces[0][START:]
    drawn = [generated(again, kept, 0, START + 4, Sampling("temperature"), seed) for seed in (1, 2)]
    assert drawn[0] != drawn[1]
    with pytest.raises(UserError, match="--start 99"):
        generated(again, kept, 99, 20, Sampling(), 1)
    with pytest.raises(UserError, match="not above the 16"):
        generated(again, kept, 0, 16, Sampling(), 1)
    with pytest.raises(UserError, match="There is no fit"):
        Bach.load(tmp_path / "none")
    # a net that is loaded again is compiled again
    monkeypatch.setattr(Bach, "load", lambda _: again)
    monkeypatch.setattr(figures, "PIECES", 1)
    monkeypatch.setattr(figures, "LENGTH", START + 3)
    rows = figures.measure(tmp_path, fits=False)
    assert list(rows) == ["truth", *net.PICKS] and rows["greedy"]["events"] == 3
    assert "| `greedy` |" in figures.table(tmp_path)
    path = tmp_path / "piece.mid"
    ran = CliRunner().invoke(
        main,
        ["seeds", "-a", "generate", "--family", "bach", "--pick", "top-k", "--k", "3", "--length", "20"]
        + ["--midi", str(path), "--cache", str(tmp_path)],
    )
    assert ran.exit_code == 0, ran.output
    assert notes_in(path)


def test_a_token_that_comes_again_is_held(tmp_path: Path) -> None:
    notes = write_midi(["C4", "C4", "rest", "0.4.7"], {"C4": (60,), "0.4.7": (48, 52, 55)}, tmp_path / "a.mid")
    read = notes_in(tmp_path / "a.mid")
    assert notes == len(read) == 4
    by_pitch = {note.pitch: note for note in read}
    eighth = 30 / 84
    assert by_pitch[60].offset_s == pytest.approx(2 * eighth, abs=1e-3)
    assert by_pitch[48].onset_s == pytest.approx(3 * eighth, abs=1e-3)


def test_figures_of_repeats() -> None:
    told = figures.figures(["x"] * START + ["a", "a", "a", "b"])
    assert told == {"events": 4, "different": 2, "repeated": pytest.approx(2 / 3), "longest_repeat": 2}
