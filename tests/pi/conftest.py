"""The virtual Pi, one for each Debian that the environment names: LEFTHAND_TEST_PI=bookworm,trixie."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator

import pytest
from vm import HERE, VirtualPi, booted, image, why_not

from tests.tiers import ASKED_FOR_PI

HOURS_S = 4 * 3600

Power = Callable[[bool], VirtualPi]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(HOURS_S))


@pytest.fixture(scope="module", params=[name for name in os.environ.get(ASKED_FOR_PI, "").split(",") if name])
def power(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Power]:
    """Starts the virtual Pi; one that runs is shut down first. The disk is kept. True: with the Internet."""
    if reason := why_not():
        pytest.fail(reason)
    bare = image(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    disk = folder / "disk.img"
    subprocess.run(["cp", "--sparse=always", str(bare / "disk.img"), str(disk)], check=True)
    running = []

    def on(online: bool) -> VirtualPi:
        for context, pi in running:
            pi.halt()
            context.__exit__(None, None, None)
        context = booted(bare, disk, folder, online)
        running[:] = [(context, context.__enter__())]
        return running[0][1]

    yield on
    for context, _ in running:
        context.__exit__(None, None, None)
