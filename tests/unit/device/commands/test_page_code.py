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


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("127.0.0.5", "127.0.0.5"),
        ("192.168.1.7", "192.168.1.7"),
        ("::1", "[::1]"),
        ("fd00:0::7", "[fd00::7]"),
        ("a-name.lan", "a-name.lan"),
    ],
)
def test_a_page_at_one_address_is_named_by_that_address(address: str, host: str) -> None:
    text = printed("--address", address, "--port", "8081")
    assert f"http://{host}:8081" in text
    assert "192.168.1.5" not in text and f"{socket.gethostname()}.local" not in text


@pytest.mark.parametrize("asked", ["--code", "--new-code"])
def test_a_page_without_a_code_has_none_to_print(asked: str) -> None:
    result = CliRunner().invoke(main, ["page", asked, "--no-code"])
    assert result.exit_code == 2 and f"leave out --no-code or {asked}." in result.output
    assert "http://" not in result.output


@pytest.mark.parametrize("address", ["no such name", "a..b", "203.0.113.9"])
def test_an_address_of_another_machine_is_refused_with_the_right_remedy(address: str) -> None:
    result = CliRunner().invoke(main, ["page", "--address", address, "--port", "8081"])
    assert result.exit_code == 2 and "choose another --address." in result.output, result.output


@pytest.mark.parametrize("address", [(), ("--address", "127.0.0.1"), ("--address", "localhost")])
def test_a_page_that_only_this_machine_can_open_has_no_address_in_the_network(address: tuple[str, ...]) -> None:
    text = printed(*address, "--port", "8081")
    assert "http://localhost:8081" in text
    assert "192.168.1.5" not in text and f"{socket.gethostname()}.local" not in text
    assert printed() == printed()  # the code is kept


@pytest.mark.parametrize("address", ["0.0.0.0", "::", ""])
def test_a_page_for_the_network_is_named_by_its_addresses(address: str) -> None:
    text = printed("--address", address, "--port", "8081")
    assert "http://192.168.1.5:8081" in text and "Its code is" in text
