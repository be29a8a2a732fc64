"""`python -m training listen` writes a page on which left hands can be heard and compared with the true one.

The page shows piano rolls and a table of figures for each left hand. It takes three kinds of input: held-out pieces
of the corpora, your own recordings or MIDI files, and the folders that `lefthand run --record` writes. From the
held-out pieces it also makes a blind test: see `training.playing_figures.blind_test`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

import click
import numpy as np

from device.bundles.bundle import Bundle, default_bundle
from device.errors import UserError
from device.events import Note, Send
from device.files.midi.file import events, notes_of
from device.files.performance import Performance
from device.files.results.piano_roll import DPI, draw
from device.recording.capture import KEYS, SOUND
from training.accompanist.data import seconds_of
from training.corpora.pieces import HandLabel, load_pieces
from training.hearing_figures.report import page
from training.options import CACHE
from training.playing_figures.blind_test import KEY, PAGE, Pair, by_chance, pair_of, score, write_blind_test
from training.playing_figures.by_ear import Ear
from training.playing_figures.held_out import BY_KEYS, HeldOut, excerpt, held_out, write_ogg
from training.playing_figures.measure import SCORE_TEMPO, song_rolls
from training.playing_figures.panel import STEPS_PER_QUARTER, panel
from training.playing_figures.roll_picture import STYLE, NamedHand, side_by_side

SHOWN = ("pcs", "pcs_other", "clash", "coupling", "ur", "changes", "density", "agreement")
"""Names of the figures that the page shows for each left hand."""
CORPORA = ("pop909", "lieder")


def sounding(right: Sequence[Note], left: Sequence[Note], path: Path, title: str) -> str:
    """Write both hands as sound and as a piano roll to `path`, and return the HTML that shows them."""
    write_ogg(right, left, path.with_suffix(".ogg"))
    sends: list[Send] = [
        send
        for note in left
        for send in (
            Send(note.onset_s, note.onset_s, "note_on", note.pitch, note.velocity),
            Send(note.offset_s or note.onset_s, note.onset_s, "note_off", note.pitch, 0),
        )
    ]
    performance = Performance("midi", max([n.offset_s or 0.0 for n in [*right, *left]], default=1.0), 0.016)
    performance.collect(events(right))
    sends.sort(key=lambda send: (send.due_s, send.kind == "note_on"))
    performance.collect(sends)
    draw(performance, title).savefig(path.with_suffix(".png"), dpi=DPI, facecolor="white")
    name = quote(path.stem)
    return f'<p><audio controls preload="none" src="{name}.ogg"></audio></p><img alt="" src="{name}.png">'


def table(rows: dict[str, dict[str, float]]) -> str:
    """Return an HTML table with one line for each left hand and one column for each of `SHOWN`.

    `rows` maps the name of a hand to its figures (see `panel`).
    """
    head = "".join(f"<th>{name}</th>" for name in SHOWN)
    body = "".join(
        f"<tr><th>{escape(hand)}</th>" + "".join(f"<td>{row[name]:.2f}</td>" for name in SHOWN) + "</tr>"
        for hand, row in rows.items()
    )
    return f"<table><tr><th></th>{head}</tr>{body}</table>"


def shown(held: HeldOut, folder: Path, seconds: float) -> str:
    """Return the HTML of one held-out piece, and write its sounds and pictures into `folder`.

    It has the panel of the whole piece, and two piano rolls side by side: the true left hand, and ours when the right
    hand comes as MIDI. For each left hand it has the sound and the roll of the first `seconds` seconds. The left hands
    are none, the true one, and ours.
    """
    piece = held.piece
    begin_s = min((note.onset_s for note in held.right), default=0.0)
    until_s = begin_s + seconds
    hands: dict[str, list[Note]] = {
        "right hand alone": [],
        "true left hand": excerpt(held.true, begin_s, until_s),
    }
    rows: dict[str, dict[str, float]] = {}
    pictures = []
    for name, played in held.ours.items():
        hands[name] = excerpt(notes_of(played.sends), begin_s, until_s)
        right, ours, truth, positions, bar = song_rolls(piece, played.notes)
        rows.setdefault("true left hand", panel(right, truth, truth, positions, bar, STEPS_PER_QUARTER))
        rows[name] = panel(right, ours, truth, positions, bar, STEPS_PER_QUARTER)
        if name == BY_KEYS:
            both = [NamedHand(name, ours), NamedHand("true left hand", truth)]
            lines = [int(step) for step in np.flatnonzero(positions == 0)]
            pictures.append(
                side_by_side(
                    right,
                    both,
                    lines,
                    lambda steps: seconds_of(piece, steps / STEPS_PER_QUARTER, SCORE_TEMPO) - begin_s,
                    seconds,
                )
            )
    parts = [table(rows), *pictures]
    for name, left in hands.items():
        path = folder / f"{piece.corpus}-{piece.name}-{name.replace(' ', '-')}"
        sound = sounding(excerpt(held.right, begin_s, until_s), left, path, f"{piece.name}: {name}")
        parts.append(f"<h3>{name}</h3>{sound}")
    return "".join(parts)


def own(source: Path, number: int, folder: Path, bundle: Path) -> str:
    """Let `lefthand play` play to the recording or MIDI file `source`, and return the HTML that shows the result.

    The sound, the picture and the MIDI file are written into `folder`. If `source` is a folder of `lefthand run
    --record`, its recorded input is used. Raises UserError if the folder holds no recorded input, or if `lefthand play`
    fails.
    """
    if source.is_dir():
        captured = [source / name for name in (SOUND, KEYS) if (source / name).is_file()]
        if not captured:
            raise UserError(f"{source} holds neither {SOUND} nor {KEYS}: name a folder of `lefthand run --record`.")
        source = captured[0]
    stem = folder / f"own-{number}-{source.stem}"
    words = ["--audio", f"{stem}.wav", "--plot", f"{stem}.png", "--midi", f"{stem}.mid", "--bundle", str(bundle)]
    ran = subprocess.run(
        [sys.executable, "-m", "device.cli", "play", str(source), *words], capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise UserError(f"{source} cannot be played: {ran.stderr.strip().splitlines()[-1]}")
    name = quote(stem.name)
    return f'<p><audio controls preload="none" src="{name}.wav"></audio></p><img alt="" src="{name}.png">'


@click.command()
@click.argument("inputs", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--bundle", "folder", type=click.Path(path_type=Path), default=default_bundle, help="Default: the shipped one."
)
@CACHE
@click.option("--pieces", default=3, show_default=True, help="Number of held-out pieces of each corpus.")
@click.option("--seconds", default=45.0, show_default=True, help="Seconds of each piece that can be heard.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("out/listen"), show_default=True, help="Folder of the pages."
)
@click.option("--seed", default=0, show_default=True, help="Seed of the excerpts and of the order in the blind test.")
@click.option(
    "--answers", type=click.Path(path_type=Path, exists=True), help="Only count the right answers of this file."
)
def listen(
    inputs: tuple[Path, ...],
    folder: Path,
    cache: Path,
    pieces: int,
    seconds: float,
    out: Path,
    seed: int,
    answers: Path | None,
) -> None:
    """Write a page to listen to left hands, and a blind test.

    The page holds held-out pieces and INPUTS of your own: .wav, .flac or .mid files, or folders of recorded runs. The
    blind test asks which of two left hands is the pianist's; --answers counts the right answers of its file.
    """
    if answers is not None:
        right, questions = score(out / KEY, answers)
        chance = by_chance(right, questions)
        click.echo(f"{right} of {questions} right. Guessing gives as many or more with a probability of {chance:.2f}.")
        return
    bundle = Bundle.open(folder)
    out.mkdir(parents=True, exist_ok=True)
    parts = [(str(source), own(source, i, out, folder)) for i, source in enumerate(inputs)]
    ear = Ear(bundle, cache) if (cache / "banks").is_dir() else None
    pairs: list[Pair] = []
    for corpus in CORPORA:
        found = [p for p in load_pieces(cache, corpus, "test") if p.primary and len(p.of(HandLabel.LEFT))]
        for i in np.unique(np.linspace(0, len(found) - 1, min(pieces, len(found))).astype(int)):
            held = held_out(found[i], bundle, ear)
            parts.append((held.name, shown(held, out, seconds)))
            pairs += [] if (pair := pair_of(held, seed + len(pairs))) is None else [pair]
    if not parts:
        raise UserError(f"There are no held-out pieces in {cache}: run `python -m training prepare`, or name INPUTS.")
    if pairs:
        click.echo(f"{write_blind_test(pairs, out, seed)}")
        parts.insert(0, ("Blind test", f'<p><a href="{PAGE}">Can you tell the pianist from the box?</a></p>'))
    index = out / "index.html"
    index.write_text(page("Left hands to listen to", parts, STYLE), encoding="utf-8")
    click.echo(f"{index}")
