"""An undisturbed flash: the bundle plays, it can be rolled back, and the flash takes one connection."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from ssh_box import RULES, Box, powered

from device.bundles.bundle import Bundle
from tests.pace import in_time

FLASH_S = 5.0
"""Limit in seconds for a flash without its trial, which `make timed` asserts."""
TRIAL_HOPS, HOP_S, PACE = 40, 0.016, 4


def connections(box: Box) -> int:
    """Return how often somebody has logged in at the box by ssh."""
    return (box.folder / "sshd.log").read_text().count("Accepted publickey")


def id_of(bundle: Path) -> str:
    return Bundle.open(bundle).digest[:12]


def test_a_flashed_bundle_plays_and_the_one_before_comes_back(box: Box, first: Path, second: Path) -> None:
    assert box.slots.active() is None
    flashed = box.flash(first)
    assert flashed.returncode == 0, flashed.stderr
    assert re.search(r"signed by SHA256:\S+", flashed.stdout)
    assert re.search(r"plays: played \d+ hops, .* playing paused for \d+\.\d\d s at the switch", flashed.stdout)
    assert box.slots.active() == "a" and box.current().digest[:12] == id_of(first) and box.plays()

    assert box.flash(second).returncode == 0
    assert box.slots.active() == "b" and box.current().digest[:12] == id_of(second) and box.plays()

    back = box.deploy("rollback", "--host", "box")
    assert back.returncode == 0 and f"Slot a ({id_of(first)}) plays again" in back.stdout, back.stderr
    assert box.slots.active() == "a" and box.plays()
    # the next flash fills the other slot, never the one that plays
    assert box.flash(second).returncode == 0
    assert box.slots.active() == "b"


def test_the_slots_are_listed(box: Box, first: Path) -> None:
    box.flash(first)
    listed = box.deploy("slots", "--host", "box").stdout
    assert re.search(rf"▶ a +{id_of(first)}  default first, 2027-01-01T00:00:00Z  good: played", listed), listed
    assert re.search(r"b +empty", listed)
    assert re.search(r"  shipped +[0-9a-f]{12}  default ", listed)


def test_a_rollback_from_the_shipped_bundle_is_refused(box: Box) -> None:
    refused = box.deploy("rollback", "--host", "box")
    assert refused.returncode == 2
    assert (
        refused.stderr == "deploy: box: The shipped bundle plays: there is nothing to roll back to; flash a bundle.\n"
    )
    assert box.plays()


def test_a_box_whose_ports_are_not_there_takes_a_bundle_too(tmp_path: Path, first: Path) -> None:
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "waits").touch()
    with powered(tmp_path / "box") as box:
        flashed = box.flash(first)
        assert flashed.returncode == 0, flashed.stderr
        assert 'plays: up for 1 s, waiting for the sound input "piano"' in flashed.stdout


def test_several_boxes_are_flashed_at_once_and_one_that_is_off_is_named(box: Box, tmp_path: Path, first: Path) -> None:
    with powered(tmp_path / "other") as other:
        config = (box.folder / "ssh_config").read_text().replace("Host box *", "Host one")
        config += (other.folder / "ssh_config").read_text().replace("Host box *", "Host two")
        config += config[: config.index("Host one")] + "Host off\n HostName 127.0.0.1\n Port 1\n BatchMode yes\n"
        (box.folder / "ssh_config").write_text(config)
        other_signers = (box.folder / "allowed_signers").read_text()
        (other.folder / "allowed_signers").write_text(other_signers)
        flashed = box.flash(first, host="one two off")
        assert flashed.returncode == 2
        assert "one: Slot a" in flashed.stdout and "two: Slot a" in flashed.stdout
        assert "off: the connection was cut" in flashed.stderr
        assert box.plays() and other.plays() and other.slots.active() == "a"


def test_what_another_key_signed_can_be_let_in(box: Box, first: Path) -> None:
    from deploy.keys import signers_line

    key = box.new_key("colleague")
    assert box.flash(first, key=key).returncode == 2
    with (box.folder / "allowed_signers").open("a") as file:
        file.write(signers_line(key))
    assert box.flash(first, key=key).returncode == 0


def test_a_flash_needs_one_connection(box: Box, first: Path, second: Path) -> None:
    box.flash(first)
    before = connections(box)
    began_s = time.monotonic()
    flashed = box.flash(second)
    in_time("flash without its trial", time.monotonic() - began_s - TRIAL_HOPS * HOP_S / PACE, FLASH_S)
    # each connection takes about a second on a Pi
    assert connections(box) - before == 1, (box.folder / "sshd.log").read_text()
    assert re.search(r"paused for \d+\.\d+ s", flashed.stdout), flashed.stderr


@pytest.mark.parametrize("host", ["-oProxyCommand=touch /tmp/x", "", "a;b"])
def test_a_host_that_ssh_would_take_for_an_option_is_refused(box: Box, first: Path, host: str) -> None:
    refused = box.flash(first, host=host or " ")
    assert refused.returncode == 2 and "HOST" in refused.stderr or "is not a host" in refused.stderr


def test_the_settings_of_a_flash_say_what_they_may_be(box: Box, first: Path) -> None:
    (box.folder / "flash.toml").write_text(RULES.replace("hops = 40", "hops = 0"))
    refused = box.flash(first)
    assert refused.returncode != 0 and "hops = 0 cannot be used" in refused.stderr
    assert json.loads(box.deploy("slots", "--host", "box").stdout or "{}") == {}
