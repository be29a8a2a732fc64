"""`python -m training seeds` fits the seeds, plays with them and measures them.

A seed is an early net that accompanies a melody (`training.experiments.seeds`). Each seed is one configuration.

    python -m training seeds --action fit                         # all seeds and their comparison rows
    python -m training seeds --action fit --family pitch-classes  # one seed; --family may be repeated
    python -m training seeds --action play                        # plays all fitted seeds again
    python -m training seeds --action table                       # prints all measured panels in Markdown
    python -m training seeds --action listen                      # writes a page with an example of each

`training/experiments/seeds/setup.py` defines the configurations, and docs/experiments.md has the figures.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from training.experiments.seeds.setup import CHORALES, SEEDS

ACTIONS = ("fit", "play", "table", "listen")
BESIDE = ("truth", "shipped", "tonic", "rolled")


@click.command()
@click.option("-a", "--action", type=click.Choice(ACTIONS), required=True)
@click.option(
    "--family", "families", type=click.Choice([*BESIDE, *SEEDS, *CHORALES]), multiple=True, help="Default: all."
)
@click.option("--again", is_flag=True, help="Fit again, even if a fit exists.")
@click.option("--songs", "most", default=20, show_default=True, help="Number of held-out songs to accompany.")
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache"), show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("out/seeds"), show_default=True)
def seeds(action: str, families: tuple[str, ...], again: bool, most: int, cache: Path, out: Path) -> None:
    """Fit the seeds, play them over held-out songs and print their panels."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    from training.experiments.seeds.figures import measured, table

    root = cache / "fits" / "seeds"
    chosen = families or (*BESIDE, *SEEDS, *CHORALES)
    if action == "table":
        click.echo(table(root))
    elif action == "listen":
        from training.experiments.seeds.page import write_page

        click.echo(f"{write_page(root, [name for name in measured(root) if name in chosen], out)}")
    else:
        for name in chosen:
            if action == "play" or again or name not in measured(root):
                _measure(name, action == "fit", most, cache)


def _measure(name: str, fits: bool, most: int, cache: Path) -> None:
    """Measure the row `name` of the table on up to `most` songs, and print its figures."""
    from training.experiments.seeds.figures import BESIDE as ABOUT
    from training.experiments.seeds.figures import beside, held_out, judge

    folder = cache / "fits" / "seeds" / name
    pieces = held_out(cache, most)
    about: dict[str, Any] = {"about": ABOUT.get(name, "")}
    if name in BESIDE:
        hands = beside(name, pieces)
    elif name in SEEDS:
        from training.experiments.seeds.fit import CONFIG, fit, load
        from training.experiments.seeds.play import play

        if fits:
            from training.experiments.seeds.data import songs

            fit(SEEDS[name], songs(cache, "train"), folder)
        net, thresholds = load(folder)
        hands = play(SEEDS[name], net, thresholds, [p.song for p in pieces])
        about = json.loads((folder / CONFIG).read_text())
    else:
        from training.experiments.seeds.chorales import fitted, play_chorales

        model, about = fitted(cache, fits)
        about = {**about, **CHORALES[name].to_dict()}
        hands = play_chorales(CHORALES[name], model, [p.song for p in pieces])
    figures = judge(pieces, hands, folder, about)
    click.echo(f"{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in figures.items()))
