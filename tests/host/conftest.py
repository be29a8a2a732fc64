"""A JACK server with a tape and instruments around a box that runs for real; every process is ended after its test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rig import HERE, RATE, REPOSITORY, Instrument, Process, jack_server

pytest.importorskip("pyaudio")
pytest.importorskip("rtmidi")
pytest.importorskip("jack")
import soundfile  # noqa: E402
import soxr  # noqa: E402

DEMO = REPOSITORY / "demo" / "right-hand.flac"
SECONDS = 16
"""Of the demo recording: its count-in and six bars."""

Begin = Callable[..., Process]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.host)


@pytest.fixture(scope="session")
def right_hand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The beginning of the demo recording, as a float WAV at the server's rate."""
    sound, rate = soundfile.read(DEMO, dtype="float32")
    path = tmp_path_factory.mktemp("tape") / "right-hand.wav"
    soundfile.write(path, soxr.resample(sound[: SECONDS * rate], rate, RATE), RATE, subtype="FLOAT")
    return path


@pytest.fixture(scope="session")
def jack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of programs that use the server."""
    with jack_server(tmp_path_factory.mktemp("jack")) as env:
        yield env


@pytest.fixture(scope="module")
def begin(jack: dict[str, str]) -> Iterator[Begin]:
    """Starts a process beside the server, a `Process` or what else is asked for, and ends it after the tests."""
    begun: list[Process] = []

    def start(*command: str, stream: str = "stdout") -> Process:
        begun.append(Process([sys.executable, *command], jack, stream))
        return begun[-1]

    yield start
    for process in begun:
        process.close()


@pytest.fixture(scope="module")
def instrument(jack: dict[str, str]) -> Iterator[Callable[..., Instrument]]:
    """Starts an instrument, and ends it after the tests."""
    begun: list[Instrument] = []

    def start(name: str, *options: str) -> Instrument:
        begun.append(Instrument(name, jack, *options))
        return begun[-1]

    yield start
    for process in begun:
        process.close()


@pytest.fixture(scope="module")
def box(begin: Begin) -> Callable[..., Process]:
    """Starts `lefthand`, which is heard on stderr unless `stream` says otherwise."""

    def start(*arguments: str, stream: str = "stderr") -> Process:
        return begin("-m", "device.cli", *arguments, stream=stream)

    return start
