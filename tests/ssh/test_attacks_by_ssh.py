"""Attacks by someone who may log in, or who has kept an old signed upload, but who has no key of the box."""

from __future__ import annotations

import hashlib
import json
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest
from bundles import rewrite, variant
from ssh_box import RULES, Box, until

from deploy.keys import sign
from deploy.pack import archived, pack
from device.bundles.bundle import Bundle
from device.bundles.manifest import MANIFEST
from device.bundles.signature import SIGNATURE

KEYS = {signal.SIGINT: b"\x03", signal.SIGQUIT: b"\x1c", signal.SIGTSTP: b"\x1a"}
"""The keys of a terminal that send these signals to the program in front."""
UPLOAD_S = 3


def receiving(box: Box, content: bytes, *options: str, file: Path | None = None) -> subprocess.Popen[bytes]:
    """Start the box's part of a flash of `content` by ssh, without the flasher. `file` is its stdin on the box."""
    words = f"{box.env['LEFTHAND_SLOT']} receive {hashlib.sha256(content).hexdigest()} {len(content)}"
    command = words if file is None else f"{words} < {shlex.quote(str(file))}"
    ssh = ["ssh", *options, *box.env["LEFTHAND_SSH"].split(), "box", "--", command]
    return subprocess.Popen(ssh, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def last(said: bytes) -> dict[str, object]:
    """Return the last step that the box reported."""
    lines = [line for line in said.decode().splitlines() if line.startswith("{")]
    found: dict[str, object] = json.loads(lines[-1])
    return found


def sent(box: Box, content: bytes) -> dict[str, object]:
    """Send an archive to its end and return the box's last step."""
    return last(receiving(box, content).communicate(content, timeout=120)[0])


def test_an_old_signed_upload_is_refused_after_a_rollback_to_the_shipped_bundle(
    box: Box, first: Path, second: Path
) -> None:
    replay = pack(Bundle.open(first), box.key).content
    assert box.flash(second).returncode == 0
    for _ in range(2):
        box.deploy("rollback", "--host", "box")
    assert box.slots.active() is None
    step = sent(box, replay)
    assert step["step"] == "refused", step
    assert "before the newest that has played here (2027-01-02T00:00:00Z)" in str(step["said"])
    assert box.slots.active() is None and box.plays()


def test_the_bundle_that_a_rollback_returned_to_may_be_sent_again(box: Box, first: Path, second: Path) -> None:
    assert box.flash(first).returncode == box.flash(second).returncode == 0
    assert box.deploy("rollback", "--host", "box").returncode == 0
    assert sent(box, pack(Bundle.open(first), box.key).content)["step"] == "done"


def test_a_bundle_that_failed_its_trial_keeps_no_other_out(box: Box, first: Path, second: Path, tmp_path: Path) -> None:
    assert box.flash(first).returncode == 0
    bad = variant(tmp_path / "bundle", "bad", "2027-03-01T00:00:00Z")
    rewrite(bad, lambda manifest: manifest["gate"].update(delay_frames=99))
    # no service ever starts with this bundle, and each one that tries takes a second of processor time
    (box.folder / "flash.toml").write_text(RULES.replace("start_s = 60", "start_s = 2"))
    failed = box.flash(bad)
    assert failed.returncode == 2 and "it did not begin to play within 2 s" in failed.stderr, failed.stderr
    (box.folder / "flash.toml").write_text(RULES)
    assert box.flash(second).returncode == 0


@pytest.mark.parametrize("created", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_a_bundle_of_another_age_is_refused_and_keeps_no_other_out(
    box: Box, first: Path, tmp_path: Path, created: str
) -> None:
    odd = variant(tmp_path / "bundle", "odd", created)
    files = {path.name: path.read_bytes() for path in sorted(odd.iterdir())}
    step = sent(box, archived({**files, SIGNATURE: sign(files[MANIFEST], box.key)}))
    assert step["step"] == "refused" and "was made at" in str(step["said"]), step
    assert box.flash(first).returncode == 0


@pytest.mark.parametrize("key", KEYS, ids=lambda number: signal.Signals(number).name)
def test_no_key_of_a_terminal_stops_a_trial(box: Box, first: Path, key: signal.Signals) -> None:
    content = pack(Bundle.open(first), box.key).content
    upload = box.folder / "upload"
    upload.write_bytes(content)
    process = receiving(box, content, "-tt", file=upload)
    assert process.stdin is not None and process.stdout is not None
    said = b""
    for line in process.stdout:
        said += line
        if b'"step": "switch"' in line:
            process.stdin.write(KEYS[key])
            process.stdin.flush()
            break
    said += process.stdout.read()
    assert process.wait(60) == 0, said
    assert last(said)["step"] == "done", said
    verdict = box.slots.verdict("a")
    assert box.slots.trial() is None and verdict is not None and verdict.good


def test_an_upload_that_trickles_does_not_keep_others_out(box: Box, first: Path) -> None:
    (box.folder / "flash.toml").write_text(f"{RULES}upload_s = {UPLOAD_S}\n")
    content = pack(Bundle.open(first), box.key).content
    trickle = receiving(box, content)
    assert trickle.stdin is not None and trickle.stdout is not None
    until(box.slots.in_use, "the upload to begin")
    begun_s = time.monotonic()
    at = 0
    while trickle.poll() is None and time.monotonic() < begun_s + 60:
        try:
            trickle.stdin.write(content[at : at + 1])
            trickle.stdin.flush()
        except BrokenPipeError:
            break
        at += 1
        time.sleep(0.2)
    step = last(trickle.stdout.read())
    trickle.wait(60)
    assert f"The upload did not end within {UPLOAD_S} s" in str(step["said"]), step
    assert box.flash(first).returncode == 0, "the next flash continues where this one ended"
