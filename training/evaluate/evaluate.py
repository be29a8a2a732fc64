"""`python -m training evaluate` measures every figure that the documents state."""

from __future__ import annotations

import click

from training.evaluate.clock import clock
from training.evaluate.hearing import hearing
from training.evaluate.left_hand import found_chords, touch
from training.evaluate.playing import playing


@click.group()
def evaluate() -> None:
    """Measure the exported .tflite files of a bundle, step by step."""


for command in (hearing, playing, found_chords, touch, clock):
    evaluate.add_command(command)
