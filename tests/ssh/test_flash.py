"""An undisturbed flash: the bundle plays, it can be rolled back, and the flash is quick."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ssh_box import RULES, Box, powered

from device.bundles.bundle import Bundle
from tests.pace import meanwhile

FLASH_S = 5.0
"""Limit in seconds for a flash without its trial."""
TRIAL_HOPS, HOP_S, PACE = 40, 0.016, 4


def id_of(bundle: Path) -> str:
    return Bundle.open(bundle).digest[:12]


def test_a_flashed_bundle_plays_and_the_one_before_comes_back(box: Box, first: Path, second: Path) -> None:
    assert box.slots.active() is None
    flashed = box.flash(first)
    assert flashed.returncode == 0, flashed.stderr
    assert re.search(r"signed by SHA256:\S+", flashed.stdout)
    assert re.search(r"plays: played \d+ hops, .* playing paused for \d\.\d\d s at the switch", flashed.stdout)
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


@pytest.fixture
def undisturbed() -> Iterator[None]:
    """Raise this process's priority if that is permitted, so that other load is not measured."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -19)
    yield
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, before)


def test_a_flash_takes_five_seconds_besides_its_trial(
    undisturbed: None, box: Box, tmp_path: Path, first: Path, second: Path
) -> None:
    box.flash(first)
    size = sum(path.stat().st_size for path in second.iterdir())
    for _ in range(4):
        began_s = time.monotonic()
        with meanwhile(tmp_path) as slower:
            flashed = box.flash(second)
            took_s = time.monotonic() - began_s - TRIAL_HOPS * HOP_S / PACE
        limit_s = FLASH_S * max(slower)
        gap = re.search(r"paused for (\d+\.\d+) s", flashed.stdout)
        assert gap is not None, flashed.stderr
        if took_s <= limit_s:
            break
    print(f"\nflash of {size / 1e6:.2f} MB over loopback: {took_s:.2f} s besides the trial, gap {gap[1]} s")
    assert took_s <= limit_s


@pytest.mark.parametrize("host", ["-oProxyCommand=touch /tmp/x", "", "a;b"])
def test_a_host_that_ssh_would_take_for_an_option_is_refused(box: Box, first: Path, host: str) -> None:
    refused = box.flash(first, host=host or " ")
    assert refused.returncode == 2 and "HOST" in refused.stderr or "is not a host" in refused.stderr


def test_the_settings_of_a_flash_say_what_they_may_be(box: Box, first: Path) -> None:
    (box.folder / "flash.toml").write_text(RULES.replace("hops = 40", "hops = 0"))
    refused = box.flash(first)
    assert refused.returncode != 0 and "hops = 0 cannot be used" in refused.stderr
    assert json.loads(box.deploy("slots", "--host", "box").stdout or "{}") == {}
