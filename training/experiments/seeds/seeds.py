"""`python -m training seeds` fits the seeds, plays with them and measures them.

A seed is an early net that makes music. Most accompany a melody (`training.experiments.seeds`). The `mg-` families
write songs for both hands (`training.experiments.music_generation`), and `bach` writes chorales
(`training.experiments.bach`).

    python -m training seeds --action fit                         # all seeds and their comparison rows
    python -m training seeds --action fit --family pitch-classes  # one seed; --family may be repeated
    python -m training seeds --action fit --family keys --units 128 --steps 1600    # a row of its own in the table
    python -m training seeds --action play                        # plays all fitted seeds again
    python -m training seeds --action table                       # prints all measured panels in Markdown
    python -m training seeds --action listen                      # writes a page with an example of each
    python -m training seeds --action corpus                      # prints and draws the corpus of `bach`
    python -m training seeds --action rows                        # writes the rows of all seeds into the docs
    python -m training seeds --action generate --family mg-final-heads --length 256 --midi song.mid
    python -m training seeds --action generate --family bach --pick top-p --p 0.9 --start 3 --midi chorale.mid

The `setup.py` of each package defines the configurations, and docs/experiments/ has the figures.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from training.experiments.seeds.actions import ACTIONS, run_action
from training.experiments.seeds.request import FAMILIES, SeedsRequest
from training.options import CACHE

PICKS = ("greedy", "top-k", "top-p", "temperature")


@click.command()
@click.option("-a", "--action", type=click.Choice(tuple(ACTIONS)), required=True, help="What is done.")
@click.option("--family", "families", type=click.Choice(FAMILIES), multiple=True, help="Default: all.")
@click.option("--again", is_flag=True, help="Fit again, even if a fit exists.")
@click.option("--steps", type=click.IntRange(1), help="Batches of the fit. Default: the configuration's own.")
@click.option("--units", type=click.IntRange(1), help="Width of the layers. Default: the configuration's own.")
@click.option("--layers", type=click.IntRange(1), help="Recurrent layers. Default: the configuration's own.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Peak learning rate, likewise.")
@click.option("--songs", "most", default=20, show_default=True, help="Number of held-out songs to accompany.")
@click.option("--pick", type=click.Choice(PICKS), default="temperature", show_default=True, help="bach: next event.")
@click.option("--k", type=click.IntRange(1), default=5, show_default=True, help="bach: events of top-k.")
@click.option("--p", type=click.FloatRange(0, 1), default=0.9, show_default=True, help="bach: share of top-p.")
@click.option("--temperature", type=float, default=1.0, show_default=True, help="bach: below 1 is less by chance.")
@click.option("--start", default=0, show_default=True, help="bach: chorale whose beginning is continued.")
@click.option("--length", type=click.IntRange(2), default=256, show_default=True, help="Sixteenths, or events of bach.")
@click.option("--seed", default=1, show_default=True, help="Seed of the random numbers of generate.")
@click.option("--midi", type=click.Path(path_type=Path), help="File of generate. Default: OUT/FAMILY.mid.")
@CACHE
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("out/seeds"),
    show_default=True,
    help="Folder of pages and songs.",
)
def seeds(**options: Any) -> None:
    """Fit early nets that make music, let them play or write songs, and print their figures.

    Such a net is called a seed. `--action` chooses what is done.
    """
    os.environ.setdefault("KERAS_BACKEND", "jax")
    for part in run_action(SeedsRequest(**options)):
        click.echo(part)
