"""Test machines ("boxes") with systemd as PID 1. Each is booted for one test or module and removed after it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from root import bare_root, software
from ssh import Ssh
from stage import Stage
from systemd_box import Box, booted, why_not

HERE = Path(__file__).parent
BUILD_S = 900
"""Timeout in seconds. The first box on a machine has to download Debian's packages."""

Boot = Callable[..., Box]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(BUILD_S))


@pytest.fixture(scope="session")
def roots() -> tuple[Path, Path]:
    """Return the root that holds only Debian, and the software for /opt/lefthand."""
    if reason := why_not():
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return bare_root(), software()


@pytest.fixture(scope="module")
def boot(roots: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Boot]:
    """Boot a box with our software, or `bare` like a Pi before provisioning. It ends after the module."""
    with contextlib.ExitStack() as stack:

        def start(bare: bool = False) -> Box:
            root, installed = roots
            return stack.enter_context(booted(root, None if bare else installed, tmp_path_factory.mktemp("box")))

        yield start


@pytest.fixture(scope="module")
def set_stage(boot: Boot) -> Iterator[Callable[..., Stage]]:
    """Boot a box with our units, JACK and settings. It ends after the module."""
    begun: list[Stage] = []

    def start(*arguments: str) -> Stage:
        begun.append(Stage(boot(), *arguments))
        return begun[-1]

    yield start
    for stage in begun:
        stage.close()


@pytest.fixture(scope="module")
def stage(set_stage: Callable[..., Stage]) -> Stage:
    """A box that runs JACK and none of our units. A module that needs another box overrides this fixture."""
    stage = set_stage()
    stage.jack()
    return stage


FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Keep a line with a measured figure and print it at the end of the run."""
    return request.config.stash.setdefault(FIGURES, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if figures := config.stash.get(FIGURES, []):
        terminalreporter.section("figures of the box")
        for line in figures:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Box], Ssh]:
    """Let this machine's ssh log in to a box's sshd as the user `pi`, with a key made for the test."""
    return lambda box: Ssh(box, tmp_path_factory.mktemp("ssh"))
