"""`python -m training evaluate playing` compares the left hand with the true one, with cheats and with machines."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from device.bundles.bundle import Bundle
from device.settings.choices import STYLES, Steering, Style
from training.corpora.pieces import Piece
from training.evaluate.options import BUNDLE, SPLIT_HELP, VALID_OR_TEST
from training.options import CACHE
from training.playing_figures.by_ear import PLACES, Place
from training.playing_figures.compared_hands import ROWS
from training.playing_figures.measure import Listen, Performed


@click.command()
@BUNDLE
@CACHE
@click.option(
    "--corpus",
    "corpora",
    multiple=True,
    type=click.Choice(["lieder", "pop909"]),
    default=("lieder", "pop909"),
    show_default=True,
    help="Corpus to play. May be repeated.",
)
@click.option("--split", type=VALID_OR_TEST, default="valid", show_default=True, help=SPLIT_HELP)
@click.option("--songs", type=int, help="Only N pieces of each corpus, spread over it (with --panel: the first N).")
@click.option("--rows", multiple=True, type=click.Choice(list(ROWS)), help="Left hands to compare. Default: all.")
@click.option(
    "--net/--no-net", default=False, show_default=True, help="Train a net over both piano rolls to judge too."
)
@click.option("--seed", default=0, show_default=True, help="Seed of the listener's parts and of the net.")
@click.option(
    "--panel", is_flag=True, help="Print the older panel instead, which counts what sounds in each sixteenth."
)
@click.option("--styles", is_flag=True, help="Print the share of bars with each named style's own figure instead.")
@click.option(
    "--latency-ms", default=0.0, show_default=True, help="Delay of a note's detection: 0 for MIDI, 60 for sound."
)
@click.option(
    "--by-ear", type=click.Choice(PLACES), help="Transcribe the right hand from the held-out piano, clean or in a room."
)
@click.option("--style", type=click.Choice(STYLES), default="auto", show_default=True, help="How the left hand plays.")
@click.option("--density", type=click.FloatRange(0.25, 2.0), default=1.0, show_default=True, help="How much it plays.")
@click.option(
    "--register", type=click.IntRange(-12, 12), default=0, show_default=True, help="Shift of its register in semitones."
)
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="Change a constant of the hand.")
@click.option(
    "--recovery/--no-recovery", default=True, show_default=True, help="With --panel: measure a jump of six semitones."
)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures there too, by corpus.")
def playing(**options: Any) -> None:
    """Compare the left hand on whole pieces with the true one, with cheats and with machines.

    docs/figures/playing.md explains the columns of the two tables.
    """
    asked = PlayingRequest(**options)
    tables = _tables(asked)
    if asked.json_path:
        asked.json_path.write_text(json.dumps(tables, indent=1))


@dataclass(frozen=True, kw_only=True)
class PlayingRequest:
    """The options of the command by the names of their parameters (`evaluate playing --help` explains them).

    `folder` is that of the bundle, and `changes` are the values of `--set`.
    """

    folder: Path
    cache: Path
    corpora: tuple[str, ...]
    split: str
    songs: int | None
    rows: tuple[str, ...]
    net: bool
    seed: int
    panel: bool
    styles: bool
    latency_ms: float
    by_ear: Place | None
    style: Style
    density: float
    register: int
    changes: tuple[str, ...]
    recovery: bool
    json_path: Path | None

    @property
    def steering(self) -> Steering:
        """How the left hand plays."""
        return Steering(self.style, self.density, self.register)

    def listen(self, bundle: Bundle) -> Listen:
        """Return how the right hand is heard: from its keys, or from its sound."""
        from training.accompanist.data import HearingErrors
        from training.playing_figures.by_ear import Ear
        from training.playing_figures.measure import from_keys

        if self.by_ear is None:
            return from_keys(HearingErrors(latency_s=self.latency_ms / 1000))
        return Ear(bundle, self.cache, self.by_ear)


def _tables(asked: PlayingRequest) -> dict[str, Any]:
    """Play to the pieces of each corpus, print its figures, and return them by corpus."""
    from training.playing_figures.constants import HAND, changed

    bundle = Bundle.open(asked.folder)
    with changed(asked.changes, HAND):
        measures = _Measures(asked, bundle)
        return {corpus: measures.of(corpus) for corpus in asked.corpora}


class _Measures:
    """Measures the accompanist of `bundle` on a corpus, in the way that is asked for."""

    def __init__(self, asked: PlayingRequest, bundle: Bundle) -> None:
        self._asked = asked
        self._accompanist, self._listen = bundle.accompanist(), asked.listen(bundle)
        self._gap_steps = float(bundle.manifest.accompanist["gap_steps"])

    def of(self, corpus: str) -> Any:
        """Print the figures of a corpus and return them."""
        if self._asked.panel:
            return self._panel(corpus)
        return self._shares_of_styles(corpus) if self._asked.styles else self._comparison(corpus)

    def _panel(self, corpus: str) -> Any:
        from training.playing_figures.measure import evaluate_playing

        asked = self._asked
        return evaluate_playing(
            self._accompanist,
            asked.cache,
            corpus=corpus,
            split=asked.split,
            songs=asked.songs,
            gap_steps=self._gap_steps,
            listen=self._listen,
            steering=asked.steering,
            recovery=asked.recovery,
        )

    def _shares_of_styles(self, corpus: str) -> Any:
        from training.playing_figures.comparison import pieces_of, shares_of_styles, show_styles

        pieces = pieces_of(self._asked.cache, corpus, self._asked.split, self._asked.songs)
        shares = shares_of_styles(pieces, self._played)
        show_styles(corpus, pieces, shares)
        return shares

    def _comparison(self, corpus: str) -> Any:
        from training.playing_figures.comparison import compare, pieces_of, show

        asked = self._asked
        pieces = pieces_of(asked.cache, corpus, asked.split, asked.songs)
        table = compare(pieces, asked.rows or list(ROWS), self._played, asked.style, asked.net, asked.seed)
        show(corpus, pieces, table)
        return table

    def _played(self, piece: Piece, named: Style) -> Performed:
        """Play to a piece in a style."""
        from training.playing_figures.measure import play, right_hand_of

        hand = replace(self._asked.steering, style=named)
        return play(piece, right_hand_of(piece), self._accompanist, self._listen, self._gap_steps, hand)
