"""`lefthand page --code` names only addresses at which the page can be opened."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from device.cli import main
from device.page import box_page
from device.system import paths


def printed(*words: str) -> str:
    result = CliRunner().invoke(main, ["page", "--code", *words])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(autouse=True)
def workstation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the code in `tmp_path`, on a machine that has an address in a network and no service of the page."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setattr("device.commands.page.PAGE_STATE", tmp_path / "no service")
    monkeypatch.setattr(paths, "PAGE_STATE", tmp_path / "no service")
    monkeypatch.setattr(box_page, "addresses", lambda: ["192.168.1.5"])


@pytest.mark.parametrize("address", [(), ("--address", "127.0.0.1"), ("--address", "localhost")])
def test_a_page_that_only_this_machine_can_open_has_no_address_in_the_network(address: tuple[str, ...]) -> None:
    text = printed(*address, "--port", "8081")
    assert "http://localhost:8081" in text
    assert "192.168.1.5" not in text and f"{socket.gethostname()}.local" not in text
    assert printed() == printed()  # the code is kept


def test_a_page_for_the_network_is_named_by_its_addresses() -> None:
    text = printed("--address", "0.0.0.0", "--port", "8081")
    assert "http://192.168.1.5:8081" in text and "Its code is" in text
