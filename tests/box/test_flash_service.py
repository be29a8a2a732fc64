"""Real flashes of a provisioned box: sudo, the root-owned helper, systemd, and playing that continues."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from page_in_box import add_page, ask, cookie_of
from root import REPOSITORY
from ssh import Ssh
from stage import KEYS, Player, Stage
from systemd_box import Box, until
from tape_sound import TAPE, again_and_again

from deploy.keys import ensure_key, signers_line
from tests.pace import in_time
from tests.ssh.bundles import AT_ONCE, SOUND, faulty, rewrite, variant

GAP_S = 2.0
BUNDLES = "/var/lib/lefthand/bundles"


@pytest.fixture(scope="module")
def stage(set_stage: Callable[..., Stage]) -> Stage:
    return set_stage(KEYS)


@pytest.fixture(scope="module")
def synth(stage: Stage) -> Player:
    """Start JACK, a keyboard that plays without end, and the left hand's instrument."""
    stage.jack()
    synth = stage.instrument()
    stage.start()
    stage.state("playing")
    return synth


@pytest.fixture(scope="module")
def way(stage: Stage, ssh: Callable[[Box], Ssh]) -> Ssh:
    """Access as a member of lefthand-flash who may do nothing else as root."""
    box = stage.box
    box.run("groupadd", "--force", "--system", "lefthand-flash")
    box.run("usermod", "--append", "--groups", "lefthand-flash", "pi")
    box.run("rm", "-f", "/etc/sudoers.d/010_pi-nopasswd")
    for name, inside, mode in (
        ("lefthand-slot", "/usr/local/sbin/lefthand-slot", 0o755),
        ("lefthand.sudoers", "/etc/sudoers.d/lefthand", 0o440),
    ):
        box.write(inside, (REPOSITORY / "deploy" / name).read_bytes(), mode)
    # a machine that is busy with other work is slower
    box.write("/etc/lefthand/flash.toml", "slowest = 50\nhops = 100\n")
    return ssh(box)


@pytest.fixture(scope="module")
def key(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ensure_key(tmp_path_factory.mktemp("key") / "flash_key")
    stage.box.write("/etc/lefthand/allowed_signers", signers_line(key))
    return key


def flash(way: Ssh, bundle: Path, key: Path) -> subprocess.CompletedProcess[str]:
    command = ["-m", "deploy", "flash", "--host", way.host, "--bundle", str(bundle), "--key", str(key)]
    env = {**os.environ, "LEFTHAND_SSH": f"-F {way.config}"}
    return subprocess.run(
        [sys.executable, *command], cwd=REPOSITORY, env=env, capture_output=True, text=True, timeout=200, check=False
    )


def test_a_good_bundle_plays_on_after_a_short_gap(
    stage: Stage, synth: Player, way: Ssh, key: Path, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    flashed = flash(way, variant(tmp_path / "good", "good"), key)
    assert flashed.returncode == 0, flashed.stdout + flashed.stderr
    said = re.search(r"plays: played \d+ hops, .*; playing paused for (\d+\.\d+) s", flashed.stdout)
    assert said is not None, flashed.stdout
    figure(f"flash: playing pauses for {said[1]} s at the switch")
    assert stage.state("playing")["bundle"]["path"] == f"{BUNDLES}/a"
    assert synth.held()
    in_time("pause at the switch", float(said[1]), GAP_S)


PROBE = """
import os, socket, sys
def tried(name, attempt):
    try:
        attempt()
        print(name)
    except (OSError, ValueError):
        pass
tried("signals the service", lambda: os.kill(int(sys.argv[1]), 0))
tried("sees the service", lambda: open("/proc/" + sys.argv[1] + "/status"))
tried("writes the slots", lambda: open("/var/lib/lefthand/bundles/x", "w"))
tried("writes the software", lambda: open("/opt/lefthand/x", "w"))
tried("writes into the system", lambda: open("/var/lib/x", "w"))
tried("writes into the run directory", lambda: open("/run/lefthand/x", "w"))
tried("", lambda: open("/var/tmp/stays", "w"))
tried("reads a home", lambda: os.listdir("/home/pi"))
tried("reads passwords", lambda: open("/etc/shadow"))
tried("has a socket", lambda: socket.socket(socket.AF_UNIX))
tried("has a network", lambda: socket.socket(socket.AF_INET))
tried("becomes root", lambda: os.setuid(0))
tried("has real time", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)))
print("nobody's account" if 61184 <= os.getuid() <= 65519 else os.getuid())
print("reads the bundle" if os.listdir("/var/lib/lefthand/bundles") else "")
"""


def test_a_model_that_takes_over_its_self_test_can_do_no_harm(
    stage: Stage, synth: Player, way: Ssh, key: Path, tmp_path: Path
) -> None:
    """Run a hostile program in the self-test's sandbox, then let a flash use the sandbox for a model that crashes."""
    program = "exec(__import__('sys').argv.pop(1))"
    pid = stage.box.main_pid()
    asks = (
        "import sys; from device.flash import sandbox as s; print('\\0'.join(s.in_sandbox(*sys.argv[1:], limit_s=20)))"
    )
    command = stage.box.run("/opt/lefthand/current/bin/python", "-I", "-c", asks, "/usr/bin/python3", "-c", program)
    said = stage.box.run(*command.strip().split("\0"), PROBE, str(pid))
    assert said.split("\n")[1:] == ["nobody's account", "reads the bundle", ""], said
    assert not stage.box.path("/var/tmp/stays").exists(), "its own /var/tmp ends with it"
    crashing = variant(tmp_path / "bundle", "crash", "2027-01-15T00:00:00Z")
    faulty(crashing, "crash", AT_ONCE)
    flashed = flash(way, crashing, key)
    # one runtime dies of the model, the other refuses to run it
    refused = "self-test crashed (SIG" in flashed.stderr or "cannot run the model" in flashed.stderr
    assert flashed.returncode == 2 and refused, flashed.stdout + flashed.stderr
    journal = stage.box.run("journalctl", "--output=cat", "--no-pager", "--grep=device.flash.preflight", check=False)
    assert "device.flash.preflight" in journal, "systemd started it"
    assert stage.box.main_pid() == pid and synth.held()


def test_a_bundle_that_is_bad_in_its_trial_is_flipped_back_and_the_box_plays(
    stage: Stage, synth: Player, way: Ssh, key: Path, tmp_path: Path
) -> None:
    before = stage.box.run("readlink", f"{BUNDLES}/current").strip()
    bad = variant(tmp_path / "bundle", "bad", "2027-02-01T00:00:00Z")
    # no self-test checks this: only the service builds its left hand from it
    rewrite(bad, lambda manifest: manifest["accompanist"].update(gap_steps=0))
    flashed = flash(way, bad, key)
    assert flashed.returncode == 2, flashed.stdout
    assert "failed its trial and was flipped back" in flashed.stderr and "plays again" in flashed.stderr
    assert stage.box.run("readlink", f"{BUNDLES}/current").strip() == before
    stage.state("playing")
    assert synth.held()


@pytest.fixture
def sound(stage: Stage, synth: Player) -> Iterator[None]:
    """Let the service listen to an endless right hand. After the test it gets its keyboard back."""
    stage.box.write(TAPE, again_and_again(REPOSITORY / "demo" / "right-hand.flac"))
    tape = stage.tape(TAPE)
    stage.configure(KEYS.replace('input = "midi"', 'input = "tape"'))
    stage.start()
    stage.state("playing")
    tape.say("")
    yield
    tape.close()
    stage.configure(KEYS)
    stage.start()
    stage.state("playing")


def test_a_bundle_that_gives_no_numbers_on_sound_alone_is_flipped_back_and_the_box_hears(
    stage: Stage, sound: None, way: Ssh, key: Path, tmp_path: Path
) -> None:
    until("the box hears", lambda: stage.status().get("heard"))
    before = stage.status()["bundle"]
    bad = variant(tmp_path / "bundle", "deaf", "2027-03-01T00:00:00Z")
    faulty(bad, "nan_on_sound", SOUND)
    flashed = flash(way, bad, key)
    assert flashed.returncode == 2, flashed.stdout
    assert "its models give values that are not numbers" in flashed.stderr, flashed.stderr
    assert "failed its trial and was flipped back" in flashed.stderr and "plays again" in flashed.stderr
    assert stage.state("playing")["bundle"] == before
    until("the box hears again", lambda: stage.status().get("heard"))
    assert "not_a_number" not in stage.state("playing")["faults"]


def test_the_page_goes_back_to_the_models_before_and_says_how_it_went(
    stage: Stage, synth: Player, way: Ssh, key: Path, tmp_path: Path
) -> None:
    """The page asks, and gets what `make rollback` gets: one bundle back, and a sentence where there is none."""
    add_page(stage)
    cookie = cookie_of(stage)
    # the test of the deaf bundle has left a bad one in the other slot
    flashed = flash(way, variant(tmp_path / "bundle", "newest", "2027-04-01T00:00:00Z"), key)
    assert flashed.returncode == 0, flashed.stdout + flashed.stderr
    before = stage.state("playing")["bundle"]["path"]
    assert ask(stage, "rollback", {"rollback": True})[0] == 401
    assert ask(stage, "rollback", {"rollback": "/tmp/models"}, cookie)[0] == 400

    def over() -> str:
        said = json.loads(ask(stage, "rollback", cookie=cookie)[1])
        return str(said["text"]) if said["over"] else ""

    def back() -> str:
        assert json.loads(ask(stage, "rollback", {"rollback": True}, cookie)[1]) == {"ok": True}
        return until("the rollback has ended", over, 200.0)

    assert "plays again" in back()
    after = stage.state("playing")["bundle"]["path"]
    assert {before, after} == {f"{BUNDLES}/a", f"{BUNDLES}/b"}
    synth.held()
    stage.box.run("runuser", "-u", "lefthand", "--", "rm", f"{BUNDLES}/current")
    assert "nothing to roll back to" in back()
    facts = stage.box.run("stat", "-c", "%U %a", "/run/lefthand-rollback", "/run/lefthand-rollback/steps").splitlines()
    assert facts == ["root 755", "root 644"]


def test_who_may_flash_may_do_nothing_else_as_root(way: Ssh) -> None:
    helper = "/usr/local/sbin/lefthand-slot"
    for words in (
        *("true", helper, f"{helper} --help", "systemctl stop lefthand", "-s", "-i", "-e /etc/lefthand.toml"),
        *(f"{helper} list --json x", f"{helper} rollback x", f"{helper} verify /tmp", f"{helper}x list"),
        *(f"-u lefthand {helper} list", f"-u '#0' -g shadow {helper} list", f"-u '#-1' {helper} list"),
        *(f"PYTHONPATH=/tmp {helper} list", f"LD_PRELOAD=/tmp/x {helper} list", f"-E {helper} list"),
        *(f"--preserve-env=PYTHONPATH {helper} list", f"-D /tmp {helper} list", f"-R /tmp {helper} list"),
        *(f"sh -c '{helper} list'", f"env {helper} list", "/tmp/lefthand-slot list", "lefthand slot list"),
    ):
        refused = way.run(
            f"printf id > /tmp/lefthand-slot; chmod +x /tmp/lefthand-slot; PYTHONPATH=/tmp sudo -n {words}"
        )
        assert refused.returncode != 0 and "sudo:" in refused.stderr, (words, refused.stdout, refused.stderr)
    # the command itself refuses what sudo cannot tell from a digest and a size
    for words in ("../../x 5", "--help", f"{'0' * 64} 5 6", "$(id) 5"):
        odd = way.run(f"sudo -n {helper} receive {words}")
        assert (odd.returncode == 0) == (words == "--help") and "uid=" not in odd.stdout + odd.stderr, odd
    listed = way.run("PYTHONPATH=/tmp LD_PRELOAD=/tmp/x sudo -n /usr/local/sbin/lefthand-slot list --json")
    assert listed.returncode == 0, listed.stderr


def test_what_was_flashed_belongs_to_the_service(stage: Stage) -> None:
    owners = stage.box.run("find", BUNDLES, "-printf", "%u\\n").split()
    assert set(owners) == {"lefthand"}
