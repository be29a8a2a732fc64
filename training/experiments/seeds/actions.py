"""Carries out the actions of `python -m training seeds`. Each function takes the request and yields its report.

A report comes in parts, because each fit takes minutes. Keras is imported only when an action needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from device.errors import UserError
from training.experiments.seeds.request import BACH, WRITERS, SeedsRequest


def run_action(asked: SeedsRequest) -> Iterator[str]:
    """Carry out the action that is asked for, and yield the parts of its report. Raises UserError if it cannot."""
    return ACTIONS[asked.action](asked)


def _measure(asked: SeedsRequest) -> Iterator[str]:
    """Play with each chosen family and measure it. For the action "fit", fit it first, unless it has been measured."""
    from training.experiments.seeds import rows

    for family in asked.chosen:
        name, figures = rows.measured_row(family, asked.changes, asked.action, asked.again, asked.most, asked.cache)
        if figures:
            yield f"{name}: {figures}"
    if mute := rows.silent(rows.root_of(asked.cache)):
        yield f"These rows should play, but their examples have no left-hand note: {', '.join(mute)}."


def _table(asked: SeedsRequest) -> Iterator[str]:
    from training.experiments.seeds import rows

    yield rows.tables(asked.cache)


def _listen(asked: SeedsRequest) -> Iterator[str]:
    from training.experiments.seeds import rows
    from training.experiments.seeds.page import write_page

    root = rows.root_of(asked.cache)
    names = [name for name in rows.all_measured(root) if name in asked.chosen]
    yield str(write_page(root, names, asked.out))


def _corpus(asked: SeedsRequest) -> Iterator[str]:
    from training.experiments.seeds import rows

    yield rows.corpus(asked.cache, asked.out)


def _rows(asked: SeedsRequest) -> Iterator[str]:
    from training.experiments.seed_table import write

    yield write(Path("docs"))


def _generate(asked: SeedsRequest) -> Iterator[str]:
    from training.experiments.seeds import rows

    if len(asked.families) != 1 or asked.families[0] not in WRITERS:
        raise UserError("--action generate takes one --family that writes songs: bach, or one that begins with mg-.")
    (family,) = asked.families
    path = asked.midi or asked.out / f"{family}.mid"
    if family == BACH:
        from training.experiments.bach.net import Sampling

        sampling = Sampling(asked.pick, asked.k, asked.p, asked.temperature)
        yield rows.generate_bach(asked.cache, sampling, asked.start, asked.length, asked.seed, path)
    else:
        yield rows.generate_song(asked.cache, family, asked.length, asked.seed, path)


ACTIONS: dict[str, Callable[[SeedsRequest], Iterator[str]]] = {
    "fit": _measure,
    "play": _measure,
    "table": _table,
    "listen": _listen,
    "corpus": _corpus,
    "generate": _generate,
    "rows": _rows,
}
"""Maps the name of each action to the function that carries it out."""
