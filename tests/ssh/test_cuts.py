"""The box plays on after cut connections, killed flashers and boxes, a full disk, and two flashes at once."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from proxy import proxy
from ssh_box import PATIENCE_S, REPOSITORY, RULES, Box, powered, until

from deploy.pack import pack
from device.bundles.bundle import Bundle

STEPS = ("received", "signature", "self-test", "filled", "switch", "restart")
"""The steps that a flash reports, in order. The report of its end comes after them."""
SHORT, LONG = 40, 2000
"""Hops of a trial. The long one lasts 8 seconds, so that a test which was stopped for a moment still meets it."""
RETRIES = 100
"""More connections than a flasher tries."""


@contextlib.contextmanager
def flashing(box: Box, bundle: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a flash in its own process group."""
    command = box.command("flash", "--host", "box", "--bundle", str(bundle), "--key", str(box.key))
    process = subprocess.Popen(
        command,
        env=box.env,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        kill(process)
        process.communicate()


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a flasher and its ssh at once."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def set_trial(box: Box, hops: int) -> None:
    """Let the next trials of the box last `hops` hops."""
    (box.folder / "flash.toml").write_text(RULES.replace(f"hops = {SHORT}", f"hops = {hops}"))


def step(process: subprocess.Popen[str], name: str) -> None:
    """Wait until a flash has reported a step."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(name):
            return
    raise AssertionError(f"the flash ended before {name}: {process.stderr.read() if process.stderr else ''}")


def test_a_connection_cut_at_every_tenth_of_the_upload(box: Box, first: Path) -> None:
    size = len(pack(Bundle.open(first), box.key).content)
    with proxy(box.port) as way:
        box.connect_to(way.port)
        way.budgets = [size // 10 + 3000] * 10
        flashed = box.flash(first)
        assert flashed.returncode == 0, flashed.stderr
        assert way.cuts >= 8
    there = [int(n) for n in re.findall(r"have +(\d+) bytes are here already", flashed.stdout)]
    assert there == sorted(there) and len(set(there)) >= 7, there
    print(f"\nan upload that was cut {way.cuts} times went on from {there} of {size} bytes")
    assert box.slots.active() == "a" and box.plays()


def test_an_upload_that_was_given_up_goes_on_in_the_next_flash(box: Box, first: Path, second: Path) -> None:
    with proxy(box.port) as way:
        box.connect_to(way.port)
        # whatever the flasher tries before it is killed is cut too
        way.budgets = [400_000, *[1] * RETRIES]
        with flashing(box, first) as process:
            until(lambda: way.cuts, "the cut")
            kill(process)
        box.settled()
        assert box.slots.active() is None
        box.connect_to(box.port)
        flashed = box.flash(first)
    assert re.search(r"have +\d{5,6} bytes are here already", flashed.stdout), flashed.stderr
    assert flashed.returncode == 0
    # the remains of another flash are removed
    assert box.flash(second).returncode == 0 and not list(box.slots.root.glob("incoming-*"))


def test_a_connection_that_is_cut_after_the_upload_is_asked_for_the_end(box: Box, first: Path) -> None:
    set_trial(box, LONG)
    with flashing(box, first) as process:
        step(process, "switch")
        for pid in sessions(box):
            os.kill(pid, signal.SIGKILL)
        out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "the box continues alone" in out and "plays: played" in out


def sessions(box: Box) -> list[int]:
    """Return sshd's processes of single connections."""
    found = []
    for pid in box.processes():
        title = Path(f"/proc/{pid}/cmdline").read_bytes()
        if title.startswith(b"sshd: ") and b"listener" not in title:
            found.append(pid)
    return found


def test_a_flasher_killed_after_every_single_step(box: Box, first: Path, second: Path) -> None:
    assert box.flash(first).returncode == 0
    for number, name in enumerate(("", *STEPS)):
        bundle = (second, second)[number % 2]
        with flashing(box, bundle) as process:
            if name:
                step(process, name)
            else:
                time.sleep(0.2)
            kill(process)
        box.settled()
        assert box.slots.trial() is None
        assert box.current().digest in (Bundle.open(first).digest, Bundle.open(second).digest)
    # the upload was complete, so the box finished alone
    assert box.current().digest == Bundle.open(second).digest
    assert box.flash(second).returncode == 0


def test_power_cut_at_every_single_step(tmp_path: Path, first: Path, second: Path) -> None:
    box = Box(tmp_path / "box")
    try:
        box.start()
        assert box.flash(first).returncode == 0
        set_trial(box, LONG)
        for name in STEPS:
            with flashing(box, second) as process:
                step(process, name)
                box.cut_power()
                kill(process)
            box.start()
            assert box.plays() and box.slots.trial() is None
            # a bundle cut in its trial or before has not shown that it plays
            assert box.current().digest == Bundle.open(first).digest, name
        set_trial(box, SHORT)
        assert box.flash(second).returncode == 0
        assert box.current().digest == Bundle.open(second).digest
    finally:
        box.cut_power()


def test_a_helper_killed_in_the_trial_leaves_a_box_that_plays_and_can_be_flashed(
    box: Box, first: Path, second: Path
) -> None:
    assert box.flash(first).returncode == 0
    set_trial(box, LONG)
    with flashing(box, second) as process:
        # the switch comes before the restart: a helper killed in between leaves a service that plays on as before
        step(process, "restart")
        for pid in box.processes():
            if b"helper.py" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2 and "flash again" in errors
    until(box.plays, "the box to play")
    set_trial(box, SHORT)
    flashed = box.flash(second)
    # the flash undoes the trial, unless the service has restarted in between and done so itself
    assert flashed.returncode == 0, flashed.stderr
    assert box.slots.trial() is None and box.current().digest == Bundle.open(second).digest


def test_two_flashes_at_once(box: Box, first: Path, second: Path) -> None:
    with flashing(box, first) as process:
        step(process, "received")
        refused = box.flash(second)
        process.communicate(timeout=60)
        assert process.returncode == 0
    if refused.returncode:
        assert "Another flash or rollback is running on this box: try again" in refused.stderr
        assert box.current().digest == Bundle.open(first).digest
    else:
        # it waited for the end of the first flash
        assert box.current().digest == Bundle.open(second).digest
    assert box.plays()


def test_a_second_flash_is_refused_with_a_sentence(box: Box, first: Path) -> None:
    with box.slots.locked():
        refused = box.flash(first)
    assert refused.returncode == 2
    assert refused.stderr.strip().endswith(
        "box: Another flash or rollback is running on this box: try again when it has finished."
    )
    assert box.plays()


@pytest.mark.skipif(os.geteuid() != 0, reason="a disk of its own needs root")
@pytest.mark.parametrize("megabytes", [1, 9, 10])
def test_a_full_disk(tmp_path: Path, first: Path, megabytes: int) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(disk)], check=True)
    try:
        with powered(tmp_path / "box", disk) as box:
            if megabytes == 10:
                # the disk has room at the check and is full at the write
                (disk / "ballast").write_bytes(bytes(300_000))
                (tmp_path / "box" / "waits").touch()
            refused = box.flash(first)
            if refused.returncode == 0:
                assert megabytes == 10 and box.plays()
                return
            assert refused.returncode == 2
            assert re.search(
                r"There is no room for the bundle: .* MB left, .* MB are needed: make room", refused.stderr
            )
            assert box.plays() and box.slots.active() is None
            assert not list(disk.glob("incoming-*/archive.tar"))
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_the_end_is_told_in_json_for_programs(box: Box, first: Path) -> None:
    box.flash(first)
    ssh = ["ssh", *box.env["LEFTHAND_SSH"].split(), "box", "--", box.env["LEFTHAND_SLOT"], "list", "--json"]
    told = json.loads(subprocess.run(ssh, capture_output=True, text=True, timeout=PATIENCE_S, check=True).stdout)
    assert told["trial"] is None and told["busy"] is False
    assert [slot["current"] for slot in told["slots"]] == [True, False, False]
