"""`python -m training listen`: a page to listen to left hands, beside the true one, with their rolls and their panel.

Three kinds of piece: held-out ones of the corpora, recordings or MIDI files of one's own, and what
`lefthand run --record` kept.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from urllib.parse import quote

import click
import numpy as np
import soundfile

from device.bundles.bundle import Bundle, default_bundle
from device.errors import UserError
from device.events import Hand, Note, Send
from device.files import mix
from device.files.midi_file import events, notes_of
from device.files.performance import Performance
from device.files.piano_roll import DPI, draw
from device.recording.capture import KEYS, SOUND
from training.accompanist.data import seconds_of
from training.corpora.pieces import HandLabel, Notes, Piece, load_pieces
from training.hearing_figures.report import page
from training.playing_figures.by_ear import Ear
from training.playing_figures.measure import (
    BY_MIDI,
    SCORE_TEMPO,
    play,
    right_hand_of,
    song_rolls,
)
from training.playing_figures.panel import STEPS_PER_QUARTER, panel

SHOWN = ("pcs", "pcs_other", "clash", "coupling", "ur", "changes", "density", "agreement")
PLAIN_VELOCITY: dict[Hand, int] = {"left": 58, "right": 78}
"""Tempo in beats a minute where the corpus gives none."""
CORPORA = ("pop909", "lieder")


def excerpt(notes: Sequence[Note], begin_s: float, until_s: float) -> list[Note]:
    """The notes that begin within these times, counted from `begin_s`, and none longer than `until_s`."""
    return [
        replace(
            note,
            onset_s=note.onset_s - begin_s,
            offset_s=min(note.offset_s or until_s, until_s) - begin_s,
            decided_s=note.onset_s - begin_s,
        )
        for note in notes
        if begin_s <= note.onset_s < until_s
    ]


def in_seconds(piece: Piece, notes: Notes, hand: Hand) -> list[Note]:
    """Notes of the corpus as the device has them."""
    onset = seconds_of(piece, notes["onset"].astype(np.float64), SCORE_TEMPO)
    offset = seconds_of(piece, notes["onset"].astype(np.float64) + notes["duration"], SCORE_TEMPO)
    return [
        Note(float(on), float(off), int(pitch), int(velocity) or PLAIN_VELOCITY[hand], 1.0, float(on), hand)
        for on, off, pitch, velocity in zip(onset, offset, notes["pitch"], notes["velocity"], strict=True)
    ]


def sounding(right: Sequence[Note], left: Sequence[Note], path: Path, title: str) -> str:
    """Both hands as sound and as a roll, written beside the page; the HTML that shows them."""
    both, rate = mix.mix(None, right, left)
    # by blocks: libsndfile's Vorbis encoder overflows its stack on a long piece at once
    with soundfile.SoundFile(
        path.with_suffix(".ogg"), "w", rate, both.shape[1], format="OGG", subtype="VORBIS"
    ) as file:
        for first in range(0, len(both), rate):
            file.write(both[first : first + rate])
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
    """A panel, a line a hand."""
    head = "".join(f"<th>{name}</th>" for name in SHOWN)
    body = "".join(
        f"<tr><th>{escape(hand)}</th>" + "".join(f"<td>{row[name]:.2f}</td>" for name in SHOWN) + "</tr>"
        for hand, row in rows.items()
    )
    return f"<table><tr><th></th>{head}</tr>{body}</table>"


def held_out(piece: Piece, bundle: Bundle, ear: Ear | None, folder: Path, seconds: float) -> str:
    """Right hand alone, the true left hand, ours by MIDI and ours by ear: sound, roll, and the whole piece's panel."""
    net, gap = bundle.accompanist(), float(bundle.manifest.accompanist["gap_steps"])
    right, true = right_hand_of(piece), piece.of(HandLabel.LEFT)
    begin_s = float(seconds_of(piece, right["onset"][:1].astype(np.float64), SCORE_TEMPO)[0])
    until_s = begin_s + seconds
    melody = excerpt(in_seconds(piece, right, "right"), begin_s, until_s)
    hands: dict[str, list[Note]] = {
        "right hand alone": [],
        "true left hand": excerpt(in_seconds(piece, true, "left"), begin_s, until_s),
    }
    rows: dict[str, dict[str, float]] = {}
    for name, listen in (("ours by MIDI", BY_MIDI), ("ours by ear", ear)):
        if listen is None:
            continue
        played = play(piece, right, net, listen, gap)
        hands[name] = excerpt(notes_of(played.sends), begin_s, until_s)
        roll, ours, truth, positions, bar = song_rolls(piece, played.notes)
        rows.setdefault("true left hand", panel(roll, truth, truth, positions, bar, STEPS_PER_QUARTER))
        rows[name] = panel(roll, ours, truth, positions, bar, STEPS_PER_QUARTER)
    parts = [table(rows)]
    for name, left in hands.items():
        path = folder / f"{piece.corpus}-{piece.name}-{name.replace(' ', '-')}"
        parts.append(f"<h3>{name}</h3>{sounding(melody, left, path, f'{piece.name}: {name}')}")
    return "".join(parts)


def own(source: Path, number: int, folder: Path, bundle: Path) -> str:
    """A file of the user's, or the capture in a folder of `lefthand run --record`, as `lefthand play` plays it."""
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
    "--bundle", "folder", type=click.Path(path_type=Path), default=default_bundle, help="Default: as shipped."
)
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache"), show_default=True)
@click.option("--pieces", default=3, show_default=True, help="Held-out pieces of each corpus, evenly apart.")
@click.option("--seconds", default=45.0, show_default=True, help="Of each that sound.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("out/listen"), show_default=True)
def listen(inputs: tuple[Path, ...], folder: Path, cache: Path, pieces: int, seconds: float, out: Path) -> None:
    """A page to listen to: held-out pieces, and INPUTS of one's own (.wav, .flac, .mid, or a recorded run's folder)."""
    bundle = Bundle.open(folder)
    out.mkdir(parents=True, exist_ok=True)
    parts = [(str(source), own(source, i, out, folder)) for i, source in enumerate(inputs)]
    ear = Ear(bundle, cache) if (cache / "banks").is_dir() else None
    for corpus in CORPORA:
        found = [p for p in load_pieces(cache, corpus, "test") if p.primary and len(p.of(HandLabel.LEFT))]
        for i in np.unique(np.linspace(0, len(found) - 1, min(pieces, len(found))).astype(int)):
            parts.append((f"{corpus} {found[i].name}", held_out(found[i], bundle, ear, out, seconds)))
    if not parts:
        raise UserError(f"There are no held-out pieces in {cache}: run `python -m training prepare`, or name INPUTS.")
    index = out / "index.html"
    index.write_text(page("Left hands to listen to", parts), encoding="utf-8")
    click.echo(f"{index}")
