"""`python -m training listen` writes a page on which left hands can be heard and compared with the true one.

The page shows a piano roll and a table of figures for each left hand. It takes three kinds of input: held-out pieces
of the corpora, your own recordings or MIDI files, and the folders that `lefthand run --record` writes.
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
from device.files.midi_file import events, notes_of
from device.files.mix import write_mix
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
"""The figures of the panel that the page shows."""
PLAIN_VELOCITY: dict[Hand, int] = {"left": 58, "right": 78}
"""MIDI velocity of each hand's notes for which the corpus gives none (0)."""
CORPORA = ("pop909", "lieder")


def excerpt(notes: Sequence[Note], begin_s: float, until_s: float) -> list[Note]:
    """The notes that begin from `begin_s` to `until_s`, in seconds from `begin_s`. No note ends after `until_s`."""
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
    """Notes of the corpus as notes of the device, with times in seconds."""
    onset = seconds_of(piece, notes["onset"].astype(np.float64), SCORE_TEMPO)
    offset = seconds_of(piece, notes["onset"].astype(np.float64) + notes["duration"], SCORE_TEMPO)
    return [
        Note(float(on), float(off), int(pitch), int(velocity) or PLAIN_VELOCITY[hand], 1.0, float(on), hand)
        for on, off, pitch, velocity in zip(onset, offset, notes["pitch"], notes["velocity"], strict=True)
    ]


def sounding(right: Sequence[Note], left: Sequence[Note], path: Path, title: str) -> str:
    """Write both hands as sound and as a piano roll to `path`, and return the HTML that shows them."""
    whole = path.with_suffix(".wav")
    write_mix(whole, None, right, left)
    # in blocks of a second, because libsndfile's Vorbis encoder overflows its stack on a long piece in one call
    with (
        soundfile.SoundFile(whole) as both,
        soundfile.SoundFile(
            path.with_suffix(".ogg"), "w", both.samplerate, both.channels, format="OGG", subtype="VORBIS"
        ) as file,
    ):
        for block in both.blocks(both.samplerate):
            file.write(block)
    whole.unlink()
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
    """An HTML table of panels, with one line for each hand."""
    head = "".join(f"<th>{name}</th>" for name in SHOWN)
    body = "".join(
        f"<tr><th>{escape(hand)}</th>" + "".join(f"<td>{row[name]:.2f}</td>" for name in SHOWN) + "</tr>"
        for hand, row in rows.items()
    )
    return f"<table><tr><th></th>{head}</tr>{body}</table>"


def held_out(piece: Piece, bundle: Bundle, ear: Ear | None, folder: Path, seconds: float) -> str:
    """The HTML of one held-out piece: the sound and roll of each left hand, and the panel of the whole piece.

    The hands are none (the right hand alone), the true one, ours by MIDI, and ours by ear if `ear` is given.
    """
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
    """The HTML of a file that `lefthand play` has played. A folder of `lefthand run --record` stands for its capture.

    Raises UserError if the folder holds no capture, or if `lefthand play` fails.
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
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache"), show_default=True)
@click.option("--pieces", default=3, show_default=True, help="Number of held-out pieces of each corpus.")
@click.option("--seconds", default=45.0, show_default=True, help="Seconds of each piece that can be heard.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("out/listen"), show_default=True)
def listen(inputs: tuple[Path, ...], folder: Path, cache: Path, pieces: int, seconds: float, out: Path) -> None:
    """Write a page to listen to left hands.

    The page holds held-out pieces and INPUTS of your own: .wav, .flac or .mid files, or folders of recorded runs.
    """
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
