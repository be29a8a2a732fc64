"""Makes a page that plays the device's left hand and the pianist's in random order and asks which one is the pianist's.

The page offers the answers as a file to download. The key (the right answers) lies in another file beside the page.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import comb
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np

from device.errors import UserError
from device.events import Note
from device.files.midi.file import notes_of
from training.accompanist.data import seconds_of
from training.playing_figures.held_out import BY_KEYS, PLAIN_VELOCITY, HeldOut, excerpt, write_ogg
from training.playing_figures.measure import SCORE_TEMPO

PAGE, KEY, ANSWERS = "blind.html", "blind-key.json", "blind-answers.json"
"""Names of the page, of its key, and of the file that the page offers for download."""
BLIND_S = 20.0
"""Seconds of an excerpt: five to ten bars, so that a figure can be heard to go on or to change."""
FEWEST_NOTES = 8
"""Least number of notes in each left hand of an excerpt. The test has no question about an excerpt with fewer."""

Side: TypeAlias = Literal["a", "b"]
SIDES: tuple[Side, ...] = get_args(Side)


@dataclass(frozen=True)
class Pair:
    """One question: the right hand, our left hand and the pianist's, all in seconds of the excerpt."""

    piece: str
    right: list[Note]
    ours: list[Note]
    true: list[Note]


def excerpt_begin(bars_s: Sequence[float], ours: Sequence[Note], true: Sequence[Note], seed: int) -> float | None:
    """Return the time in seconds at which an excerpt of `BLIND_S` begins, drawn by `seed`; None if none fits.

    An excerpt begins on a bar line. Both left hands have begun by then, since the device listens first and its silence
    would show which hand is its own. Both have at least `FEWEST_NOTES` notes in the excerpt.
    """
    if not ours or not true:
        return None
    begun = max(min(note.onset_s for note in ours), min(note.onset_s for note in true))
    fit = [
        at
        for at in bars_s
        if at >= begun
        and all(sum(at <= note.onset_s < at + BLIND_S for note in hand) >= FEWEST_NOTES for hand in (ours, true))
    ]
    return float(np.random.default_rng(seed).choice(fit)) if fit else None


def order_of(pairs: int, seed: int) -> list[Side]:
    """Return for each pair the side, "a" or "b", on which the pianist's hand is. The sides are drawn by `seed`."""
    return [SIDES[int(side)] for side in np.random.default_rng([seed, pairs]).integers(0, 2, pairs)]


def sound_name(number: int, side: Side) -> str:
    """Return the file name of one hand of the question `number`, counted from 1. The name does not show who plays."""
    return f"blind-{number}-{side}.ogg"


def write_key(folder: Path, pianist: Sequence[Side], pieces: Sequence[str], seed: int) -> str:
    """Write the key (the right answers) beside the sounds in `folder`, and return the test's number.

    The number is a hash of the sounds, so that it fits one test only and does not show the answers.
    """
    digest = hashlib.sha256()
    for number in range(1, len(pianist) + 1):
        for side in SIDES:
            digest.update((folder / sound_name(number, side)).read_bytes())
    test = digest.hexdigest()[:16]
    key = {
        "test": test,
        "seed": seed,
        "pianist": {str(i): side for i, side in enumerate(pianist, 1)},
        "pieces": {str(i): piece for i, piece in enumerate(pieces, 1)},
    }
    (folder / KEY).write_text(json.dumps(key, indent=1), encoding="utf-8")
    return test


def blind_page(test: str, pairs: int) -> str:
    """Return the HTML page of the test number `test` with `pairs` questions.

    The page does not contain the right answers.
    """
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Which is the pianist?</title>'
        f"<style>{_STYLE}</style></head><body><h1>Which is the pianist?</h1>"
        "<p>Each question plays the same right hand twice. Once a pianist's left hand accompanies it, and once the box "
        "does. Listen to both and say which one is the pianist's. Guess if you cannot tell.</p>"
        "<noscript><p>This page needs JavaScript to write your answers into a file.</p></noscript>"
        f'<form id="questions" data-test="{test}">{"".join(map(_question, range(1, pairs + 1)))}'
        '<p><button type="submit">Download my answers</button> <output id="told"></output></p></form>'
        f"<script>{_SCRIPT}</script></body></html>"
    )


def _question(number: int) -> str:
    sounds = "".join(
        f'<p><label for="sound-{number}-{side}">{side.upper()}</label> <audio id="sound-{number}-{side}" controls '
        f'preload="none" src="{sound_name(number, side)}"></audio></p>'
        for side in SIDES
    )
    choices = "".join(
        f'<label><input type="radio" name="{number}" value="{side}" required> {side.upper()} is the pianist</label> '
        for side in SIDES
    )
    return f"<fieldset><legend>Question {number}</legend>{sounds}<p>{choices}</p></fieldset>"


_STYLE = (
    "body{font:16px sans-serif;max-width:44em;margin:2em auto;padding:0 1em}fieldset{margin:1em 0}"
    "label{margin-right:1em}audio{vertical-align:middle}"
)
_SCRIPT = f"""
const form = document.getElementById("questions");
form.addEventListener("submit", (event) => {{
  event.preventDefault();
  const saved = {{test: form.dataset.test, answers: Object.fromEntries(new FormData(form))}};
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(saved, null, 1)], {{type: "application/json"}}));
  link.download = "{ANSWERS}";
  link.click();
  document.getElementById("told").textContent = "Your answers are in the file {ANSWERS}.";
}});
"""


def pair_of(held: HeldOut, seed: int) -> Pair | None:
    """Return one question of the blind test, or None if the piece has no excerpt in which both left hands play.

    A score has no velocities. In a piece from a score our left hand gets the same velocity as the true one, so that the
    loudness does not show which is which.
    """
    ours = notes_of(held.ours[BY_KEYS].sends)
    if held.piece.beat_s is None:
        ours = [replace(note, velocity=PLAIN_VELOCITY["left"]) for note in ours]
    bars_s = seconds_of(held.piece, np.asarray(held.piece.downbeats, np.float64), SCORE_TEMPO).tolist()
    begin_s = excerpt_begin(bars_s, ours, held.true, seed)
    if begin_s is None:
        return None
    right, ours, true = (excerpt(notes, begin_s, begin_s + BLIND_S) for notes in (held.right, ours, held.true))
    return Pair(held.name, right, ours, true)


def write_blind_test(pairs: Sequence[Pair], folder: Path, seed: int) -> Path:
    """Write the page, its sounds and its key into `folder`, and return the path of the page."""
    pianist = order_of(len(pairs), seed)
    for number, (pair, side) in enumerate(zip(pairs, pianist, strict=True), 1):
        for name in SIDES:
            write_ogg(pair.right, pair.true if name == side else pair.ours, folder / sound_name(number, name))
    test = write_key(folder, pianist, [pair.piece for pair in pairs], seed)
    (folder / PAGE).write_text(blind_page(test, len(pairs)), encoding="utf-8")
    return folder / PAGE


def score(key_path: Path, answers_path: Path) -> tuple[int, int]:
    """Return the number of right answers and the number of questions.

    Raises UserError if a file cannot be read, holds no answers, or belongs to another test.
    """
    key, given = _read(key_path), _read(answers_path)
    if key.get("test") != given.get("test"):
        raise UserError(f"{answers_path} answers another test than that of {key_path}: name the answers to this test.")
    pianist, answers = key.get("pianist"), given.get("answers")
    if not isinstance(pianist, Mapping) or not isinstance(answers, Mapping):
        raise UserError(f"{answers_path} or {key_path} holds no answers: download the answers from the page again.")
    return sum(answers.get(number) == side for number, side in pianist.items()), len(pianist)


def by_chance(right: int, questions: int) -> float:
    """Return the probability of at least `right` right answers to `questions` questions by guessing, 0 to 1."""
    return sum(comb(questions, n) for n in range(right, questions + 1)) / 2**questions


def _read(path: Path) -> Mapping[str, object]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as answers or key of a blind test: {error}") from None
    if not isinstance(found, dict):
        raise UserError(f"{path} is no answers or key of a blind test: download the answers from the page again.")
    return found
