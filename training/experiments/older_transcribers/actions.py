"""Carries out the actions of `python -m training notes`. Each function takes the request and returns its report."""

from __future__ import annotations

from collections.abc import Callable

from device.errors import UserError
from training.experiments.older_transcribers.cache import (
    SCENES,
    load_recordings,
    load_statistics,
    process_dataset,
    process_fit,
    process_test,
    test_takes,
)
from training.experiments.older_transcribers.request import STEPS, NotesRequest
from training.experiments.older_transcribers.setup import GIVEN, fit_folder


def run_action(asked: NotesRequest) -> str:
    """Carry out the action that is asked for. Return its report, which may be empty.

    Raises UserError if the family of the request does not have this action.
    """
    if asked.family in GIVEN and asked.action not in LESSONS:
        return _measured_family(asked)
    return ACTIONS[asked.action](asked)


def _lesson(asked: NotesRequest) -> str:
    from training.experiments.classroom.lesson import lesson

    return lesson(asked.action, asked.classes, asked.seed, asked.out)


def _measured_family(asked: NotesRequest) -> str:
    if asked.action != "test":
        raise UserError(f"--family {asked.family} is not fitted: its only action is test.")
    from training.experiments.older_transcribers.figures import figures_of_given

    return figures_of_given(
        asked.family,
        cache=asked.cache,
        data=asked.data,
        sets=asked.test_sets,
        count=asked.takes,
        names=asked.only_note_names,
        thresholds=asked.thresholds,
        pairs=asked.pairs,
    )


def _report(asked: NotesRequest) -> str:
    from training.experiments.older_transcribers.report import write_report

    takes = test_takes(asked.root, asked.data, asked.test_sets[0], asked.takes, asked.pairs)[: asked.takes]
    return write_report(asked.root, takes, asked.trackers, asked.out)


def _doubt(asked: NotesRequest) -> str:
    from training.experiments.older_transcribers.doubt import measure_doubt

    return "\n\n".join(
        measure_doubt(asked.setup, asked.root, which, asked.takes, asked.members, asked.out)
        for which in asked.test_sets
    )


def _step(asked: NotesRequest) -> str:
    from training.experiments.older_transcribers.steps import run_step

    return run_step(asked.action, asked.setup, asked.corpus_folder, asked.root, asked.corpus_of_fit)


def _process_train(asked: NotesRequest) -> str:
    spectrum, corpus = asked.setup.spectrum, asked.corpus_of_fit
    if corpus == SCENES:
        process_fit(asked.root, asked.data, spectrum, asked.scenes, asked.dev_scenes, asked.seed)
    else:
        process_dataset(asked.root, spectrum, corpus, asked.corpus_folder, tests=False, most=asked.scenes)
    return ""


def _process_test(asked: NotesRequest) -> str:
    process_test(asked.root, asked.data, asked.setup.spectrum, asked.test_sets, asked.takes, asked.pairs)
    return ""


def _fit(asked: NotesRequest) -> str:
    from training.experiments.older_transcribers.fit import fit

    setup, root = asked.setup, asked.root
    train = load_recordings(root, setup.spectrum, "train")
    dev = load_recordings(root, setup.spectrum, "dev") if asked.action == "train-val" else None
    folder = fit_folder(root, asked.fit_name, dev=dev is not None)
    fit(setup, train, dev, load_statistics(root, setup.spectrum), folder)
    return str(folder)


def _test(asked: NotesRequest) -> str:
    from training.experiments.older_transcribers.figures import figures_of_fit

    folder = fit_folder(asked.root, asked.fit_name, dev=asked.test_dev)
    return figures_of_fit(folder, asked.root, asked.test_sets, asked.thresholds, asked.allowed_errors)


def _search(asked: NotesRequest) -> str:
    from training.experiments.older_transcribers.search import search, told

    study = search(
        setup=asked.setup,
        cache=asked.root,
        data=asked.data,
        scenes=asked.scenes,
        dev_scenes=asked.dev_scenes,
        trials=asked.trials,
        storage=asked.storage,
        pruner=asked.pruner,
    )
    return told(study)


LESSONS = ("classes", "umap")
"""Actions of the class-room experiment (`training.experiments.classroom`)."""
ACTIONS: dict[str, Callable[[NotesRequest], str]] = {
    "train": _fit,
    "train-val": _fit,
    "test": _test,
    "process-train": _process_train,
    "process-test": _process_test,
    "search": _search,
    "report": _report,
    "doubt": _doubt,
    **dict.fromkeys(STEPS, _step),
    **dict.fromkeys(LESSONS, _lesson),
}
"""Maps the name of each action to the function that carries it out."""
