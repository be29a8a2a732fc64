"""Measures one row of the tables of `python -m training seeds`, and runs its other actions.

A row is a seed that accompanies, a left hand to compare with, a way to play the chorales' net, a net that writes songs
(`mg-`), or the Bach net.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from training.experiments.bach import figures as bach
from training.experiments.music_generation import figures as diary
from training.experiments.music_generation.setup import ENTRIES
from training.experiments.seeds.figures import BESIDE, beside, held_out, judge, measured, silent, table
from training.experiments.seeds.setup import CHORALES, SEEDS, Seed

__all__ = ["silent"]


def root_of(cache: Path) -> Path:
    """Return the folder that holds one folder for each fit and its figures."""
    return cache / "fits" / "seeds"


def all_measured(root: Path) -> list[str]:
    """Return the names of all measured rows that have an example to hear, in the order of the tables."""
    return [*measured(root), *diary.measured(root)]


def tables(cache: Path) -> str:
    """Return all tables that have rows, in Markdown, divided by empty lines. Raises UserError if there is none."""
    root, found = root_of(cache), []
    if measured(root) or not diary.measured(root):
        found.append(table(root))
    if diary.measured(root):
        found.append(diary.table(root))
    if (bach.bach_folder(cache) / bach.PANEL).is_file():
        found.append(bach.table(cache))
    return "\n\n".join(found)


def measured_row(
    family: str, changes: dict[str, Any], action: str, again: bool, most: int, cache: Path
) -> tuple[str, str]:
    """Measure a row, with `changes` of its size, and return its name and its figures as text.

    If `action` is "fit", the net is fitted first. Then a row that was measured before is left as it is, and the text is
    empty, unless `again` is true. `most` limits the number of songs. Raises UserError if a fit is needed and missing.
    """
    root, row = root_of(cache), _configured(family, changes)
    name = row if isinstance(row, str) else row.name
    there = (root / name / "panel.json").is_file()
    if there and action == "fit" and not again:
        return name, ""
    figures = _measure(row, name, action == "fit", most, cache)
    return name, ", ".join(f"{key} {value:.3f}" for key, value in figures.items())


def _configured(family: str, changes: dict[str, Any]) -> Any:
    if family in SEEDS:
        return SEEDS[family].changed(**changes)
    return ENTRIES[family].changed(**changes) if family in ENTRIES else family


def _measure(row: Any, name: str, fits: bool, most: int, cache: Path) -> dict[str, float]:
    from training.experiments.seeds.data import songs

    folder = root_of(cache) / name
    if row == bach.FAMILY:
        rows = bach.measure(cache, fits)
        return {f"{pick} {key}": value for pick, own in rows.items() for key, value in own.items()}
    if row == diary.TRUTH:
        return diary.measure_truth(folder, songs(cache, "valid"))
    if name.split("@")[0] in ENTRIES:
        return diary.measure(row, folder, songs(cache, "train") if fits else None, songs(cache, "valid"))
    pieces = held_out(cache, most)
    about: dict[str, Any] = {"about": BESIDE.get(name, "")}
    if name in BESIDE:
        hands = beside(name, pieces)
    elif isinstance(row, Seed):
        from training.experiments.seeds.fit import CONFIG, fit, load
        from training.experiments.seeds.play import play

        if fits:
            fit(row, songs(cache, "train"), folder, songs(cache, "valid"))
        net, thresholds = load(folder)
        hands = play(row, net, thresholds, [p.song for p in pieces])
        about = json.loads((folder / CONFIG).read_text())
    else:
        from training.experiments.seeds.chorales import fitted, play_chorales

        model, about = fitted(cache, fits)
        about = {**about, **CHORALES[name].to_dict()}
        hands = play_chorales(CHORALES[name], model, [p.song for p in pieces])
    return judge(pieces, hands, folder, about)


def corpus(cache: Path, out: Path) -> str:
    """Return the figures of the Bach corpus as text. Write their picture, corpus.png, into the folder `out`."""
    from matplotlib.figure import Figure

    from training.experiments.bach.corpus import choose, count_tokens, described, drawn, read_chorales

    found = read_chorales(cache)
    tokens = count_tokens(found)
    choice = choose(found, len(tokens))
    figure = Figure(figsize=(13, 4), layout="constrained")
    drawn(found, choice, tokens)(figure)
    out.mkdir(parents=True, exist_ok=True)
    figure.savefig(out / "corpus.png", dpi=90)
    return f"{described(found, choice, tokens)}\n{out / 'corpus.png'}"


def generate_bach(cache: Path, sampling: Any, start: int, length: int, seed: int, path: Path) -> str:
    """Continue chorale number `start` of the fit up to `length` events, and write it as MIDI to `path`.

    Returns a text with all tokens, the path and the number of notes.
    """
    from training.experiments.bach.generate import generated, write_midi
    from training.experiments.bach.net import Bach

    net = Bach.load(bach.bach_folder(cache))
    tokens = generated(net, bach.kept_chorales(cache), start, length, sampling, seed)
    notes = write_midi(tokens, net.vocabulary.pitches, path)
    return f"{' '.join(tokens)}\n{path}: {notes} notes"


def generate_song(cache: Path, name: str, length: int, seed: int, path: Path) -> str:
    """Let the net `name` of the diary (`music_generation`) write a song of `length` sixteenths as MIDI to `path`.

    The song begins from silence. Returns a line of text about the song. Raises UserError if the net was not fitted.
    """
    from training.experiments.music_generation.fit import decoder_beside, load
    from training.experiments.music_generation.generate import generate, keys_of

    folder = root_of(cache) / name
    net = load(folder)[0]
    if net.entry.body == "decoder":
        from training.experiments.seeds.data import songs

        keys = diary.decoded(net, songs(cache, "valid")[0], length)
    else:
        told = generate(net, length, seed=seed)
        keys = keys_of(told, decoder_beside(folder) if net.entry.width == 12 else None)[0]
    diary.write_song(keys, path)
    figures = ", ".join(f"{key} {value:.2f}" for key, value in diary.song_figures(keys).items())
    return f"{path}: {figures}"
