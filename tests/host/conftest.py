"""A JACK server with a tape and instruments around a real box. Every process is ended after its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jackserver import RATE, jack_server
from rig import REPOSITORY, Ensemble, Instrument, Process, Service
from scenes import Start

DEMO = REPOSITORY / "demo" / "right-hand.flac"
SECONDS = 16
"""Seconds of the demo recording that are played: its count-in and six bars."""


@pytest.fixture(scope="session")
def right_hand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The beginning of the demo recording, as a float WAV at the server's rate."""
    # this file is imported even if the tier is left out because a module is missing
    import soundfile
    import soxr

    sound, rate = soundfile.read(DEMO, dtype="float32")
    path = tmp_path_factory.mktemp("tape") / "right-hand.wav"
    soundfile.write(path, soxr.resample(sound[: SECONDS * rate], rate, RATE), RATE, subtype="FLOAT")
    return path


@pytest.fixture(scope="session")
def jack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of programs that use the server."""
    with jack_server(tmp_path_factory.mktemp("jack")) as server:
        yield server.env


@pytest.fixture
def ensemble(jack: dict[str, str]) -> Iterator[Ensemble]:
    """Start processes beside the server. They are ended after the test, whether it passes or fails."""
    with Ensemble(jack) as begun:
        yield begun


@pytest.fixture
def begin(ensemble: Ensemble) -> Callable[..., Process]:
    """Starts a script."""
    return ensemble.begin


@pytest.fixture
def instrument(ensemble: Ensemble) -> Callable[..., Instrument]:
    """Starts an instrument."""
    return ensemble.instrument


@pytest.fixture
def box(ensemble: Ensemble) -> Callable[..., Process]:
    """Starts `lefthand` and reads its stderr, or the given `stream`."""
    return ensemble.box


@pytest.fixture
def service(ensemble: Ensemble, tmp_path: Path) -> Start:
    """Starts the box as a service."""

    def start(settings: str, *options: str, env: dict[str, str] | None = None) -> Service:
        return ensemble.service(settings, tmp_path, *options, env=env)

    return start
