"""`python -m training evaluate`: every figure that the documents state."""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np

from device.bundle import Bundle, default_bundle


@click.group()
def evaluate() -> None:
    """Measure a bundle: its exported .tflite files, streamed step by step."""


@evaluate.command()
@click.option(
    "--bundle", "folder", type=click.Path(path_type=Path), default=default_bundle, help="Default: as shipped."
)
@click.option("--data", type=click.Path(path_type=Path), default=Path("../shared/data"), show_default=True)
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache"), show_default=True)
@click.option(
    "--on", "sets", multiple=True, type=click.Choice(["maps", "clean", "room", "noise"]), help="Default: all."
)
@click.option("--takes", default=24, show_default=True, help="Rendered right hands per set.")
@click.option("--peers/--no-peers", default=True, show_default=True, help="Basic Pitch on the same sound.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the means there too.")
def hearing(
    folder: Path, data: Path, cache: Path, sets: tuple[str, ...], takes: int, peers: bool, json_path: Path | None
) -> None:
    """Onsets, offsets, frames, delay and cost of the transcriber."""
    from training.evaluate_hearing import compare, maps_takes, report, right_hand_takes
    from training.peers import BasicPitch

    bundle = Bundle.open(folder)
    peer = BasicPitch() if peers else None
    means: dict[str, dict[str, dict[str, float]]] = {}
    for name in sets or ("maps", "clean", "room", "noise"):
        chosen = maps_takes(data / "maps-enstdkcl") if name == "maps" else right_hand_takes(cache, takes, name)
        title = "real piano (MAPS ENSTDkCl), all notes" if name == "maps" else f"right hands, held-out piano, {name}"
        results, delays = compare(bundle, chosen, peer)
        click.echo(f"\n{report(title, results, delays)}")
        means[name] = {
            system: {k: round(float(np.mean([getattr(s, k) for s in r.scores])), 4) for k in vars(r.scores[0])}
            for system, r in results.items()
        }
        means[name]["lefthand"] |= {"delay_ms_median": round(1000 * float(np.median(delays)), 1)}
    if json_path:
        json_path.write_text(json.dumps(means, indent=1))


@evaluate.command()
@click.option(
    "--bundle", "folder", type=click.Path(path_type=Path), default=default_bundle, help="Default: as shipped."
)
@click.option("--cache", type=click.Path(path_type=Path), default=Path(".cache"), show_default=True)
@click.option("--split", type=click.Choice(["valid", "test"]), default="test", show_default=True)
@click.option("--songs", type=int, help="Only the first N songs.")
@click.option(
    "--latency-ms", default=0.0, show_default=True, help="How late a note is known: 0 for MIDI, 60 for sound."
)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the means there too.")
def playing(
    folder: Path, cache: Path, split: str, songs: int | None, latency_ms: float, json_path: Path | None
) -> None:
    """The left hand on POP909 songs, beside the true hand, the same rolled, a held tonic and a causal chord rule."""
    from training.evaluate_playing import evaluate_playing

    bundle = Bundle.open(folder)
    gap = float(bundle.manifest.accompanist["gap_steps"])
    table = evaluate_playing(bundle.accompanist(), cache, split, songs, gap, latency_ms / 1000)
    if json_path:
        json_path.write_text(json.dumps(table, indent=1))
