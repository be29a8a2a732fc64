"""`python -m training evaluate hearing` measures how well a bundle hears notes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from device.bundles.bundle import Bundle
from training.evaluate.options import BUNDLE
from training.hearing_figures.datasets import DATASETS
from training.hearing_figures.takes import QUIET, REAL, SETTINGS, Take
from training.options import CACHE, DATA

if TYPE_CHECKING:
    from training.hearing_figures.measure import Comparison
    from training.hearing_figures.peers import BasicPitch

SETS = (REAL, *SETTINGS, QUIET)
"""Names of the sets of sound on which hearing is measured.

They are real recordings, the settings of `training.hearing_figures.takes`, and sound without a piano. Data sets that
the user has downloaded, and one's own pairs of sound and MIDI, are measured only if they are named.
"""


@click.command()
@BUNDLE
@DATA
@CACHE
@click.option(
    "--on", "sets", multiple=True, type=click.Choice((*SETS, *DATASETS)), help="Default: all but the last three."
)
@click.option("--takes", default=24, show_default=True, help="Rendered right hands, or recordings of a data set.")
@click.option("--pairs", type=click.Path(path_type=Path), help="--on pairs: folder of NAME.wav or .flac and NAME.mid.")
@click.option("--piano-only", is_flag=True, help="--on musicnet: leave out recordings with other instruments.")
@click.option("--frames", "scores_frames", is_flag=True, help="Score single frames too, as on the data sets.")
@click.option(
    "--threshold",
    "thresholds",
    type=click.FloatRange(0, 1),
    multiple=True,
    default=(0.2, 0.3, 0.4, 0.5, 0.6),
    show_default=True,
    help="Probability from which a key counts as sounding in a frame.",
)
@click.option("--peers/--no-peers", default=True, show_default=True, help="Measure Basic Pitch on the same sound too.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the means there too.")
@click.option(
    "--robustness", "ways", is_flag=True, help="Print instead what detuning, rooms, talk and other pianos cost."
)
def hearing(**options: Any) -> None:
    """Measure onsets, offsets, frames, delay and cost of the transcriber.

    `--on musicnet` and `--on maestro` measure the test split of a data set that lies in DATA/musicnet or DATA/maestro
    in its published layout, and `--on pairs` that of one's own recordings. There, and with --frames, the average
    precision of all keys in all frames is printed too, as MusicNet's paper does, and precision and recall at each
    threshold.
    """
    asked = HearingRequest(**options)
    if asked.ways:
        _robustness(asked)
        return
    means = _means_of_sets(asked)
    if asked.json_path:
        asked.json_path.write_text(json.dumps(means, indent=1))


@dataclass(frozen=True, kw_only=True)
class HearingRequest:
    """The options of the command by the names of their parameters (`evaluate hearing --help` explains them).

    `folder` is that of the bundle, `sets` are the values of `--on`, and `ways` is the option `--robustness`.
    """

    folder: Path
    data: Path
    cache: Path
    sets: tuple[str, ...]
    takes: int
    pairs: Path | None
    piano_only: bool
    scores_frames: bool
    thresholds: tuple[float, ...]
    peers: bool
    json_path: Path | None
    ways: bool

    def takes_in(self, name: str, bundle: Bundle) -> Iterable[Take]:
        """Return the takes of the set `name`. Raises UserError if it is a data set that is not there."""
        from training.hearing_figures.datasets import dataset_takes, folder_of
        from training.hearing_figures.takes import takes_of

        if name in DATASETS:
            return dataset_takes(name, folder_of(name, self.data, self.pairs), "test", self.takes, self.piano_only)
        return takes_of(name, bundle, self.cache, self.data, self.takes)


def _means_of_sets(asked: HearingRequest) -> dict[str, dict[str, Any]]:
    """Measure each set that is asked for, print its figures, and return the means by the names of the sets."""
    from training.hearing_figures.datasets import folder_of
    from training.hearing_figures.peers import BasicPitch

    # a data set that is not there is told before the others are measured
    for name in asked.sets:
        if name in DATASETS:
            folder_of(name, asked.data, asked.pairs)
    bundle = Bundle.open(asked.folder)
    peer = BasicPitch() if asked.peers else None
    return {
        name: _false_notes(asked, bundle) if name == QUIET else _compared(asked, name, bundle, peer)
        for name in asked.sets or SETS
    }


def _false_notes(asked: HearingRequest, bundle: Bundle) -> dict[str, Any]:
    """Print and return how many notes a minute are heard in sound without a piano."""
    from training.hearing_figures.measure import false_notes
    from training.hearing_figures.takes import quiet_takes

    wrong = false_notes(bundle, quiet_takes(asked.data))
    click.echo(f"\nfalse notes a minute: {wrong}, together {np.mean(list(wrong.values())):.2f}")
    return {"lefthand": {k: round(v, 2) for k, v in wrong.items()}}


def _compared(asked: HearingRequest, name: str, bundle: Bundle, peer: BasicPitch | None) -> dict[str, Any]:
    """Print and return the figures of the set `name`: ours and those of `peer`, and those of frames if wanted."""
    from training.hearing_figures.frame_scores import frames_of_bundle
    from training.hearing_figures.measure import compare, report

    compared = compare(bundle, asked.takes_in(name, bundle), peer)
    click.echo(f"\n{report(_title(name, len(compared.false)), compared)}")
    means: dict[str, Any] = _means(compared)
    if asked.scores_frames or name in DATASETS:
        frames = frames_of_bundle(bundle, asked.takes_in(name, bundle), asked.thresholds)
        click.echo(frames.told())
        means["frames"] = frames.to_dict()
    return means


def _title(name: str, recordings: int) -> str:
    """Return the title of the figures of the set `name`, which has so many recordings."""
    if name in DATASETS:
        return f"{name}, test split, {recordings} recordings, all notes"
    return "real piano (MAPS ENSTDkCl), all notes" if name == REAL else f"right hands, held-out piano, {name}"


def _means(compared: Comparison) -> dict[str, dict[str, float]]:
    """Return the mean of each score of each system, by name. Ours also has its delay and what it takes for its own."""
    means = {
        system: {k: round(float(np.mean([getattr(s, k) for s in r.scores])), 4) for k in vars(r.scores[0])}
        for system, r in compared.results.items()
    }
    if compared.delays_s:
        means["lefthand"]["delay_ms_median"] = round(1000 * float(np.median(compared.delays_s)), 1)
    if compared.taken:
        means["lefthand"]["own_notes_a_minute"] = round(float(np.mean(compared.taken)), 2)
    return means


def _robustness(asked: HearingRequest) -> None:
    """Print what each disturbance of the sound costs."""
    from training.hearing_figures.robustness import HEADER, WAYS, measured, row

    click.echo(HEADER)
    clean = None
    for name, scores in measured(Bundle.open(asked.folder), asked.cache, tuple(WAYS), asked.takes):
        clean = scores if clean is None else clean
        click.echo(row(name, scores, clean))
