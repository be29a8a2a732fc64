"""Runs `lefthand play INPUT`, which plays the left hand to a file: its options, and what it prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from device.clock.upbeat import MOST_UPBEAT
from device.commands.file_path import FilePath
from device.commands.options import FiniteRange, KeyOfPiano, WholeRange
from device.commands.play_from_file import counts, from_file
from device.commands.play_request import Request
from device.files.input_present import check_present, check_single
from device.files.results.outputs import Outputs
from device.files.results.writer import OUTPUT_KINDS
from device.make_clock import FILE_MODES
from device.printable import printable
from device.settings.choices import (
    HIGHEST_REGISTER,
    LEAST_CONFIDENCE,
    LEAST_DENSITY,
    LOWEST_REGISTER,
    MOST_CONFIDENCE,
    MOST_DENSITY,
    MOST_SEED,
    STYLES,
)

_IN = _OUT = FilePath()


@click.command(short_help="Play the left hand to a recording or a .mid.", context_settings={"allow_extra_args": True})
@click.argument("input_", metavar="INPUT", type=_IN)
@click.option("--midi", type=_OUT, metavar="OUT.mid", help="Write the left hand to a MIDI file.")
@click.option("--notes", type=_OUT, metavar="NOTES.csv", help="Write every note heard to a table.")
@click.option("--audio", type=_OUT, metavar="MIX.wav", help="Write both hands as sound.")
@click.option("--plot", type=_OUT, metavar="ROLL.png", help="Write a piano roll.")
@click.option("--report", type=_OUT, metavar="REPORT.json", help="Write beats, chords, messages and timings.")
@click.option(
    "--clock",
    type=click.Choice(FILE_MODES),
    help="The beat: from the player, from --tempo, or from a .mid's own tempo map. "
    "[follow for sound, and for a .mid whose notes do not fit its tempo map; else file]",
)
@click.option(
    "--tempo", type=float, metavar="BPM", help="Beats per minute of a fixed clock, or a hint for the follow clock."
)
@click.option(
    "--count-in",
    type=int,
    metavar="N",
    help="N even notes are the count-in; 0: there is none. [follow: four on one key, if there are any]",
)
@click.option(
    "--upbeat",
    type=FiniteRange(0, MOST_UPBEAT),
    metavar="BEATS",
    help="The music begins so many beats before its first bar. [as the count-in, the notes or the file show]",
)
@click.option("--meter", metavar="M", help="The metre, such as 3/4. [that of the .mid, if it has one; else 4/4]")
@click.option("--style", type=click.Choice(STYLES, case_sensitive=False), help="How the left hand plays. [auto]")
@click.option("--variation", type=WholeRange(1, 2), metavar="N", help="Variation 1 or 2 of the style. [1]")
@click.option("--key", metavar="KEY", help='The key of the music, such as "F major", F or Fm. [found in the music]')
@click.option("--seed", type=WholeRange(0, MOST_SEED), metavar="N", help="Seed of what is drawn at random. [0]")
@click.option(
    "--density",
    type=FiniteRange(LEAST_DENSITY, MOST_DENSITY),
    metavar="FACTOR",
    help="How many notes the left hand plays. [1]",
)
@click.option(
    "--register",
    type=WholeRange(LOWEST_REGISTER, HIGHEST_REGISTER),
    metavar="N",
    help="Semitones by which the left hand plays higher. [0]",
)
@click.option(
    "--split",
    type=KeyOfPiano(),
    metavar="KEY",
    help="Notes below this key, such as G3 or 55, belong to the player's own left hand. [55 for sound, 0 for .mid]",
)
@click.option(
    "--confidence",
    type=FiniteRange(LEAST_CONFIDENCE, MOST_CONFIDENCE),
    metavar="X",
    help="Least confidence of a note: a high value hears fewer false notes, a low one misses fewer. [0.5]",
)
@click.option(
    "--tuning",
    type=FiniteRange(-100, 100),
    metavar="CENTS",
    help="Cents by which the piano of a sound is tuned above A4 = 440 Hz. [measured]",
)
@click.option("--bundle", type=_IN, metavar="DIR", help="The bundle of models. [the one shipped with lefthand]")
@click.option(
    "--listen", is_flag=True, help="Only listen, and play nothing. Only the outputs that you name are written."
)
@click.option(
    "--sent",
    type=_IN,
    metavar="SENT.mid",
    help="Messages that the box sent while INPUT was recorded. Implies --listen.",
)
@click.option(
    "--channel",
    type=WholeRange(1),
    metavar="N",
    help="Hear channel N of a sound alone. [the mean of the channels; the better one where they cancel]",
)
@click.option(
    "--track",
    metavar="K",
    help="The right hand's tracks in a .mid with several: a number or a name, several with commas, or all.",
)
@click.option("--force", is_flag=True, help="Without named outputs: replace the files that an earlier run wrote.")
@click.option("--real-time", is_flag=True, help="Play at the speed of the recording, not as fast as possible.")
@click.option("--progress/--no-progress", default=None, help="Show a progress bar. [on a terminal]")
def play(input_: Path, force: bool, **options: Any) -> None:
    """Play the left hand to INPUT, a right hand as sound or .mid, as fast as possible.

    If no output is named, the left hand (INPUT.left-hand.mid), both hands as sound (INPUT.both-hands.wav) and a piano
    roll (INPUT.roll.png) are written beside INPUT.
    """
    check_single(input_, click.get_current_context().args)
    named = Outputs(**{kind: options.pop(kind) for kind in OUTPUT_KINDS})
    request = Request.asked(input_, **options)
    check_present(input_)
    outputs, left_out = named, list[str]()
    unnamed = not named.paths and not request.listen
    if unnamed:
        outputs, left_out = Outputs.beside(input_, force).possible(renders=True)
    performance = from_file(request.as_captured(), outputs)
    late = [] if request.real_time is None else request.real_time.warnings
    for warning in [*performance.warnings, *late, *left_out]:
        click.echo(printable(f"lefthand: {warning}"), err=True)
    click.echo(f"{performance.input_s:.1f} s: {counts(performance)}. {performance.beat}".rstrip())
    if unnamed:
        written = [str(path) for path in outputs.paths if path not in performance.left_out]
        click.echo(printable(f"Written: {', '.join(written)}."))
    elif not outputs.paths:
        click.echo("Nothing is written: --notes NOTES.csv keeps the notes.")
