"""Attacks on the shipped service, made as another account or another program of the machine would make them."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from root import REPOSITORY
from stage import CONFIG, KEYS, SERVICE, Stage
from systemd_box import PATIENCE_S, until

from deploy.keys import ensure_key, sign, signers_line
from device.bundles.bundle import Bundle
from device.bundles.manifest import MANIFEST
from device.bundles.signature import SIGNATURE
from tests.ssh.bundles import AT_ONCE, faulty, variant

WATCHDOG_S = 3.0
"""The watchdog's limit in the unit. A process that systemd is told to end is gone long before."""
BUNDLES = "/var/lib/lefthand/bundles"
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202e]")


@pytest.fixture(scope="module")
def stage(set_stage: Callable[..., Stage]) -> Stage:
    stage = set_stage(KEYS)
    stage.jack()
    return stage


def test_a_port_whose_name_holds_lines_for_systemd_cannot_restart_the_service(stage: Stage) -> None:
    stage.player("piano\nWATCHDOG=trigger\n\x1b[31mforged")
    stage.start()
    status = stage.state("waiting")
    assert "forged" in status["message"], "the sentence lists the ports that are there"
    pid = stage.box.main_pid()
    time.sleep(WATCHDOG_S)
    assert stage.box.main_pid() == pid and stage.box.show("NRestarts") == "0", stage.box.messages()
    until("systemctl says it too", lambda: stage.box.show("StatusText") == status["message"])
    for said in (status["message"], *stage.box.messages()):
        assert not CONTROL.search(said), repr(said)


# the folder of the status file


@pytest.fixture(scope="module")
def mallory(stage: Stage) -> Callable[[str], str]:
    """Run a shell command as another account of the machine."""
    stage.box.run("useradd", "--create-home", "mallory")
    return lambda command: stage.box.run("runuser", "-u", "mallory", "--", "sh", "-euc", command)


@pytest.fixture
def idle(stage: Stage) -> Iterator[None]:
    """Stop the service for a test. Its run directory goes with it."""
    stage.box.run("systemctl", "stop", SERVICE)
    yield
    stage.start()


def by_hand(stage: Stage, account: str, *words: str, limit_s: int = 20) -> tuple[int, str]:
    """Run `lefthand WORDS` as an account that logged in without a session. Return its exit status and its output."""
    command = ["runuser", "-u", account, "--", "timeout", str(limit_s), "lefthand", *words]
    ran = subprocess.run(stage.box.command(*command), capture_output=True, text=True, check=False, timeout=60)
    return ran.returncode, ran.stdout + ran.stderr


STAYS_UP = 124
"""Exit status of `timeout`: with settings that cannot be used the box stays up and waits for others."""


@pytest.mark.parametrize("account", ["pi", "root"])
def test_a_start_writes_through_no_link_of_another_account(
    stage: Stage, idle: None, mallory: Callable[[str], str], account: str
) -> None:
    precious = "/root/precious" if account == "root" else "/home/pi/precious"
    stage.box.write(precious, "kept")
    stage.box.run("chown", account, precious)
    stage.box.write("/tmp/wrong.toml", "[midi]\nno_such_key = 1\n")
    mallory(f"rm -rf /tmp/lefthand; mkdir -m 777 /tmp/lefthand; ln -s {precious} /tmp/lefthand/.status.json.new")
    mallory(f"ln -s {precious} /tmp/lefthand/status.json")
    code, said = by_hand(stage, account, "run", "--wait", "--config", "/tmp/wrong.toml", limit_s=8)
    assert code == STAYS_UP and "no_such_key" in said, said
    assert stage.box.path(precious).read_text() == "kept"


def test_root_writes_through_no_link_of_the_service_s_account(stage: Stage, idle: None) -> None:
    box = stage.box
    box.write("/root/precious", "kept")
    box.write("/tmp/wrong.toml", "[midi]\nno_such_key = 1\n")
    box.run("install", "-d", "-o", "lefthand", "-g", "lefthand", "/run/lefthand")
    box.run("runuser", "-u", "lefthand", "--", "ln", "-s", "/root/precious", "/run/lefthand/.status.json.new")
    code, said = by_hand(stage, "root", "run", "--wait", "--config", "/tmp/wrong.toml", limit_s=8)
    assert code == STAYS_UP, said
    assert box.path("/root/precious").read_text() == "kept"
    box.run("rm", "-rf", "/run/lefthand")


@pytest.mark.parametrize("trap", ["mkfifo status.json", "head -c 200000000 /dev/zero | tr '\\0' '[' > status.json"])
def test_another_account_cannot_hold_up_a_reader(
    stage: Stage, idle: None, mallory: Callable[[str], str], trap: str
) -> None:
    mallory(f"rm -rf /tmp/lefthand; mkdir -m 777 /tmp/lefthand; cd /tmp/lefthand; {trap}")
    code, said = by_hand(stage, "pi", "status")
    assert code == 2 and "No box runs here" in said, (code, said)


# models that nobody signed


SIGNERS = "/etc/lefthand/allowed_signers"
RUNTIME = "tflite|litert"
"""Part of the file name of each library that runs models, in the memory map of a process."""


@pytest.fixture(scope="module")
def key(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key that the box trusts."""
    key = ensure_key(tmp_path_factory.mktemp("key") / "flash_key")
    stage.box.write(SIGNERS, signers_line(key))
    return key


@pytest.fixture
def planted(stage: Stage, key: Path) -> Iterator[Callable[..., None]]:
    """Put a bundle into a slot without a flash, as a program that has become the service's account could."""
    box = stage.box

    def plant(bundle: Path, slot: str = "a", by: Path | None = None, good: bool = False) -> None:
        """Fill `slot` with `bundle`, signed with the key `by` if given, and let it be current or the `good` other."""
        for file in bundle.iterdir():
            box.write(f"{BUNDLES}/{slot}/{file.name}", file.read_bytes())
        if by is not None:
            box.write(f"{BUNDLES}/{slot}/{SIGNATURE}", sign((bundle / MANIFEST).read_bytes(), by))
        if good:
            verdict = {"id": Bundle.open(bundle).digest[:12], "good": True, "why": "played", "at": ""}
            box.write(f"{BUNDLES}/verdicts.json", json.dumps({slot: verdict}))
        else:
            box.run("ln", "-sfn", slot, f"{BUNDLES}/current")
        box.run("chown", "-R", "-h", "lefthand:lefthand", BUNDLES)

    box.run("systemctl", "stop", SERVICE)
    box.run("rm", "-rf", BUNDLES)
    yield plant
    box.run("rm", "-rf", BUNDLES)
    stage.start()


def crashing(folder: Path) -> Path:
    """Return a bundle whose transcriber ends the process at its second step."""
    bundle = variant(folder, "crash")
    faulty(bundle, "crash", AT_ONCE)
    return bundle


def test_a_bundle_that_nobody_signed_is_not_played(stage: Stage, planted: Callable[..., None], tmp_path: Path) -> None:
    planted(crashing(tmp_path / "bundle"))
    stage.start()
    status = stage.state("waiting")
    assert stage.box.show("NRestarts") == "0", stage.box.messages()
    assert status["bundle"]["path"].endswith("/device/bundles/default"), status["bundle"]
    assert any("is not signed" in said and "Another bundle plays instead" in said for said in stage.box.messages())


def test_a_bundle_that_the_service_s_account_names_in_its_changes_is_not_played(
    stage: Stage, planted: Callable[..., None], tmp_path: Path
) -> None:
    planted(variant(tmp_path / "bundle", "unsigned"), "b", good=True)
    changes = "/var/lib/lefthand/changes.json"
    named = {"section": "play", "key": "bundle", "value": f"{BUNDLES}/b"}
    stage.box.write(changes, json.dumps({"schema": 1, "files": {CONFIG: [named]}}))
    stage.box.run("chown", "lefthand:lefthand", changes)
    try:
        stage.start()
        status = stage.state("waiting")
        assert status["bundle"]["path"].endswith("/device/bundles/default"), status["bundle"]
        assert any("changes.json is damaged" in said for said in stage.box.messages())
    finally:
        stage.box.run("rm", "-f", changes, f"{changes}.bad")


def test_a_bundle_that_a_stranger_signed_gives_way_to_the_good_one_in_the_other_slot(
    stage: Stage, planted: Callable[..., None], key: Path, tmp_path: Path
) -> None:
    planted(crashing(tmp_path / "bad"), "a", by=ensure_key(tmp_path / "stranger"))
    planted(variant(tmp_path / "good", "good"), "b", by=key, good=True)
    stage.start()
    status = stage.state("waiting")
    assert status["bundle"]["path"] == f"{BUNDLES}/b", stage.box.messages()
    assert any(f"is signed by none of the keys in {SIGNERS}" in said for said in stage.box.messages())


def test_a_bundle_whose_key_is_trusted_no_more_is_not_played(
    stage: Stage, planted: Callable[..., None], key: Path, tmp_path: Path
) -> None:
    planted(variant(tmp_path / "good", "good"), by=key)
    stage.start()
    assert stage.state("waiting")["bundle"]["path"] == f"{BUNDLES}/a"
    stage.box.run("mv", SIGNERS, f"{SIGNERS}.away")
    try:
        stage.start()
        assert stage.state("waiting")["bundle"]["path"].endswith("/device/bundles/default")
        assert any(f"{SIGNERS} is missing" in said for said in stage.box.messages())
    finally:
        stage.box.run("mv", f"{SIGNERS}.away", SIGNERS)


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
def test_root_s_doctor_survives_a_model_that_crashes_and_names_it(
    stage: Stage, planted: Callable[..., None], key: Path, tmp_path: Path, signed: bool
) -> None:
    planted(crashing(tmp_path / "bundle"), by=key if signed else None)
    code, said = by_hand(stage, "root", "doctor")
    assert code == 1 and "NOT bundle" in said and "Traceback" not in said, said
    assert ("cannot run the model" if signed else "is not signed") in said, said


@pytest.mark.parametrize("command", ["doctor", "run --wait"])
def test_root_runs_no_model(
    stage: Stage, planted: Callable[..., None], key: Path, tmp_path: Path, command: str
) -> None:
    planted(variant(tmp_path / "good", "good"), by=key)
    look = f"grep -lE '{RUNTIME}' /proc/[0-9]*/maps 2>/dev/null | cut -d/ -f3 | xargs -r ps -o user= -p"
    users: set[str] = set()

    def seen() -> bool:
        """Run the command and add the users of the processes that ran a model. A look may come too late for one."""
        begun = subprocess.Popen(
            stage.box.command("timeout", "60", "lefthand", *command.split()),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while begun.poll() is None and not (users and command.startswith("run")):
            users.update(stage.box.run("sh", "-c", look, check=False).split())
        begun.terminate()
        begun.wait(PATIENCE_S)
        return bool(users)

    until("a model is run", seen)
    assert users == {"lefthand"}


def test_root_runs_no_models_that_a_recording_names(stage: Stage, planted: Callable[..., None], tmp_path: Path) -> None:
    planted(variant(tmp_path / "bundle", "unsigned"), "b")
    how = {"clock": "fixed", "tempo": 100.0, "meter": "4/4", "count_in": None, "hears_itself": True}
    folder = "/var/lib/lefthand/recordings/001"
    stage.box.write(f"{folder}/capture.json", json.dumps({**how, "bundle": f"{BUNDLES}/b"}))
    stage.box.write(f"{folder}/capture.wav", (REPOSITORY / "demo" / "right-hand.flac").read_bytes())
    stage.box.run("chown", "-R", "lefthand:lefthand", "/var/lib/lefthand/recordings")
    try:
        code, said = by_hand(stage, "root", "play", f"{folder}/capture.wav", "--midi", "/tmp/left.mid")
        assert code == 2 and "Root runs no models" in said, said
    finally:
        stage.box.run("rm", "-r", "/var/lib/lefthand/recordings")


# what one account leaves for others


def test_another_account_cannot_hold_the_lock_of_the_slots(stage: Stage, mallory: Callable[[str], str]) -> None:
    code, said = by_hand(stage, "lefthand", "slot", "rollback")
    assert code == 2 and "there is nothing to roll back to" in said, said
    held = mallory(f"flock --nonblock {BUNDLES}/lock true && echo held || echo refused")
    assert held.strip() == "refused"
    # a member of the group asks through lefthand-slot, which is the service's account by then
    code, said = by_hand(stage, "mallory", "slot", "list")
    assert code == 0 and "shipped" in said, said


def test_packages_in_the_account_s_own_folder_are_not_loaded(stage: Stage, idle: None) -> None:
    box, home = stage.box, "/var/lib/lefthand"
    # JACK runs as the account, so usermod would refuse
    box.run("sed", "-i", f"s|^\\(lefthand:.*:\\)[^:]*:\\([^:]*\\)$|\\1{home}:\\2|", "/etc/passwd")
    assert box.run("getent", "passwd", "lefthand").split(":")[5] == home
    version = box.run("python3", "-c", "import sys; print('python%d.%d' % sys.version_info[:2])").strip()
    planted = f"{home}/.local/lib/{version}/site-packages/usercustomize.py"
    box.write(planted, f"open('{home}/loaded', 'w').close()\n")
    # the box runs other programs of its own too, and this is their working folder
    for module in ("device/__init__", "json", "click"):
        box.write(f"{home}/{module}.py", f"open('{home}/loaded', 'w').close()\n")
    box.run("chown", "-R", "lefthand:lefthand", home)
    stage.start()
    stage.state("waiting")
    look = (
        "from pathlib import Path; import device.control.client as client; client.ANSWER_S = 60.0\n"
        "with client.ControlClient(Path('/run/lefthand')) as box: print(*box.ask({'look': 'system'})['look'])"
    )
    said = box.run("/opt/lefthand/current/bin/python", "-I", "-c", look, check=False)
    box.run("rm", "-r", f"{home}/.local", f"{home}/device", f"{home}/json.py", f"{home}/click.py")
    assert not box.path(f"{home}/loaded").exists()
    assert "slots" in said, said
