"""`python -m deploy provision` over ssh turns a bare machine into the box and updates it; unprovision undoes it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from root import REPOSITORY
from ssh import Ssh
from stage import KEYS, NO_CARDS
from systemd_box import Box, until
from wares import CANNOT_BE_IMPORTED, CRASHES_AT_START, changed, good

CONFIG = "/etc/lefthand.toml"
OURS = (
    "find /etc /opt /usr/local /var/lib/lefthand /home/pi -xdev "
    "! -name '*.pyc' ! -name .sudo_as_admin_successful ! -type d"
)
HOTSPOT = "Left hand"
QUICK_S = 20
"""Timeout in seconds for READY in the box. A start takes a second or two there."""
DROP_IN = "[Service]\nEnvironment=ALSA_CONFIG_PATH=/etc/asound.none\n"


class Workstation:
    """The machine at the other end of ssh."""

    def __init__(self, box: Box, way: Ssh, folder: Path) -> None:
        self.box, self._way, self._key = box, way, folder / "key"

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start `python -m deploy WORDS` with its output in a pipe."""
        return subprocess.Popen(
            [sys.executable, "-m", "deploy", *words, "--host", self._way.host],
            cwd=REPOSITORY,
            env={**os.environ, "LEFTHAND_SSH": f"-F {self._way.config}"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ends(self, begun: subprocess.Popen[str], code: int = 0) -> str:
        """Wait until it ends with exit status `code`, and return its output."""
        said, _ = begun.communicate(timeout=400)
        assert begun.returncode == code, said
        return said

    def provision(self, *options: str, wheel: Path | None = None, code: int = 0) -> str:
        """Provision the box with `wheel` and return the whole output."""
        return self.ends(self.provisioning(*options, wheel=wheel), code)

    def provisioning(self, *options: str, wheel: Path | None = None) -> subprocess.Popen[str]:
        own = ("--wheel", str(wheel or good()))
        return self.begin("provision", "--key", str(self._key), *own, "--ready-within", str(QUICK_S), *options)

    def cut_after(self, begun: subprocess.Popen[str], words: str) -> None:
        """Kill the script on the Pi as soon as it has printed `words`."""
        assert begun.stdout is not None
        for line in begun.stdout:
            if words in line:
                break
        else:
            pytest.fail(f"it never said {words!r}")
        for pid in self.box.run("pgrep", "-f", "python3 -m appliance apply").split():
            self.box.run("kill", f"-{signal.SIGKILL.value}", pid, check=False)
        begun.communicate(timeout=60)
        assert begun.returncode != 0


@pytest.fixture(scope="module")
def bare(boot: Callable[..., Box]) -> Box:
    box: Box = boot(bare=True)
    # the box has no sound card, and PortAudio aborts without a default device in ALSA's settings
    box.write("/etc/asound.none", NO_CARDS)
    box.write("/etc/systemd/system/lefthand.service.d/box.conf", DROP_IN)
    box.run("userdel", "lefthand")
    return box


@pytest.fixture(scope="module")
def work(bare: Box, ssh: Callable[[Box], Ssh], tmp_path_factory: pytest.TempPathFactory) -> Workstation:
    return Workstation(bare, ssh(bare), tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="module")
def before(bare: Box, work: Workstation) -> set[str]:
    """Return the files of the bare machine."""
    return files(bare)


@pytest.fixture(scope="module")
def provisioned(bare: Box, work: Workstation, before: set[str]) -> str:
    """Provision for the first time and return the output."""
    bare.write(CONFIG, KEYS)
    return work.provision("--hotspot", HOTSPOT)


def files(box: Box) -> set[str]:
    return set(box.run("sh", "-c", f"{OURS} 2>/dev/null || true").split())


def release(box: Box) -> str:
    return box.run("readlink", "/opt/lefthand/current").strip().rpartition("/")[2]


def plays(box: Box) -> bool:
    """Return whether the service runs from the environment that `current` points to."""
    pid = box.main_pid()
    command = box.run("cat", f"/proc/{pid}/cmdline", check=False) if pid else ""
    return box.show("ActiveState") == "active" and f"/opt/lefthand/{release(box)}/bin/" in command


def test_a_dry_run_tells_all_and_changes_nothing(bare: Box, work: Workstation, before: set[str]) -> None:
    said = work.provision("--dry-run")
    assert "would write /etc/lefthand.toml" in said
    assert "would add the system user lefthand" in said
    assert "would restart the service" in said
    assert files(bare) == before
    assert "lefthand:" not in bare.path("/etc/passwd").read_text()


def test_a_bare_machine_becomes_the_box_without_a_network(bare: Box, provisioned: str) -> None:
    assert "it is ready" in provisioned
    assert "Debian packages" not in provisioned, "all of them are there, and apt-get is left alone"
    assert plays(bare)
    for unit in ("lefthand.service", "lefthand-synth.service", "lefthand-page.socket", "lefthand-hotspot.service"):
        assert bare.show("UnitFileState", unit) == "enabled"
    assert bare.path(CONFIG).read_text() == KEYS, "the owner's settings stay"
    assert bare.run("lefthand", "--version").startswith("lefthand, version")


def test_the_page_is_served_and_its_code_printed(bare: Box, provisioned: str) -> None:
    code = bare.run("lefthand", "page", "--code").split("Its code is ")[1].split()[0]
    assert "http://box.local" in provisioned and f"Its code is {code}" in provisioned and "█" in provisioned
    reads = "import urllib.request; print(urllib.request.urlopen('http://localhost', timeout=50).status)"
    assert bare.run("python3", "-c", reads).strip() == "200"
    assert (
        bare.run("ps", "-o", "user:20=", "-p", str(bare.main_pid("lefthand-page.service"))).strip() == "lefthand-page"
    )
    assert "_http._tcp" in bare.path("/etc/avahi/services/lefthand-page.service").read_text()
    assert bare.show("ActiveState", "lefthand-poweroff.path") == "active"


def test_away_from_home_a_cable_is_enough_and_without_a_network_the_box_opens_its_own(
    bare: Box, provisioned: str
) -> None:
    """A real NetworkManager without a radio takes both profiles, and the decision to open the access point is made."""
    said = provisioned.split("The box's own network is ")[1].splitlines()[0]
    name, _, password = said.partition(", its password is ")
    assert name == HOTSPOT and len(password) == 12
    bare.run("systemctl", "start", "NetworkManager.service")
    fields = ("802-11-wireless.mode", "802-11-wireless.ssid", "802-11-wireless-security.psk", "ipv4.method")
    asked = ("nmcli", "--show-secrets", "--get-values", ",".join(fields), "connection", "show", "lefthand-hotspot")
    assert bare.run(*asked).splitlines() == ["ap", HOTSPOT, password, "shared"]
    bare.write("/etc/systemd/system/lefthand-hotspot.service.d/soon.conf", "[Service]\nEnvironment=WAIT=2\n")
    bare.run("systemctl", "daemon-reload")

    def decided() -> list[str]:
        bare.run("systemctl", "restart", "lefthand-hotspot.service")
        ended = ("inactive", "failed")
        until("it has decided", lambda: bare.show("ActiveState", "lefthand-hotspot.service") in ended)
        found = bare.run(
            "journalctl", "--quiet", "--output=cat", f"_PID={bare.show('ExecMainPID', 'lefthand-hotspot.service')}"
        )
        return found.splitlines()

    said_without = decided()
    assert said_without[0] == "no known network within 2 s: the box opens its own", said_without
    assert "No suitable device found" in said_without[1], "there is no radio here"
    # a cable to a laptop, where nobody gives addresses
    bare.run("ip", "link", "add", "cable", "type", "veth", "peer", "name", "laptop")
    bare.run("ip", "link", "set", "laptop", "up")
    bare.run("nmcli", "device", "set", "cable", "managed", "yes", "autoconnect", "yes")
    until("the box has an address", lambda: "169.254." in bare.run("ip", "-4", "address", "show", "cable"))
    assert bare.run("nmcli", "-g", "GENERAL.CONNECTION", "device", "show", "cable").strip() == "lefthand-cable"
    assert decided() == []
    bare.run("ip", "link", "delete", "cable")
    bare.run("systemctl", "stop", "NetworkManager.service")
    bare.run("rm", "-r", "/etc/systemd/system/lefthand-hotspot.service.d")


def test_the_operator_may_flash_and_the_service_may_play(bare: Box, provisioned: str) -> None:
    assert "lefthand-flash" in bare.run("id", "-nG", "pi").split()
    assert "audio" in bare.run("id", "-nG", "lefthand").split()
    allowed = bare.path("/etc/lefthand/allowed_signers").read_text().split()
    assert "ssh-ed25519" in allowed
    assert bare.run("stat", "-c", "%a %U", "/etc/sudoers.d/lefthand").split() == ["440", "root"]
    bare.run("visudo", "-cqf", "/etc/sudoers.d/lefthand")


def test_nothing_of_ours_can_be_changed_by_the_service(bare: Box, provisioned: str) -> None:
    writable = bare.run(
        "runuser", "-u", "lefthand", "--", "find", "/opt/lefthand", "/etc/lefthand", "-writable", "!", "-type", "l"
    )
    assert writable == ""


def test_a_second_time_nothing_changes(bare: Box, work: Workstation, provisioned: str) -> None:
    pid, there = bare.main_pid(), files(bare)
    assert "nothing changed" in work.provision()
    assert bare.main_pid() == pid
    assert files(bare) == there


def test_what_was_changed_by_hand_is_put_right_again(bare: Box, work: Workstation, provisioned: str) -> None:
    unit = "/etc/systemd/system/lefthand.service"
    shipped = bare.path(unit).read_bytes()
    bare.write(unit, shipped + b"\n# by hand\n")
    said = work.provision()
    assert f"write {unit}" in said
    assert bare.path(unit).read_bytes() == shipped
    assert plays(bare)


def test_software_that_fails_its_check_is_never_switched_to(
    bare: Box, work: Workstation, provisioned: str, tmp_path: Path
) -> None:
    was, pid, there = release(bare), bare.main_pid(), files(bare)
    said = work.provision(wheel=changed(tmp_path, "device/service/foreground.py", CANNOT_BE_IMPORTED), code=2)
    assert "a_module_that_no_wheel_brings" in said and "not used" in said
    assert release(bare) == was
    assert bare.main_pid() == pid, "it played on all the time"
    assert {path for path in files(bare) - there if "/wheels/" not in path} == set()


def test_software_that_never_gets_ready_gives_way_to_the_old(
    bare: Box, work: Workstation, provisioned: str, tmp_path: Path
) -> None:
    was = release(bare)
    said = work.provision(wheel=changed(tmp_path, "device/commands/run.py", CRASHES_AT_START), code=2)
    assert f"go back to {was}" in said and "this version ends before it is ready" in said
    assert release(bare) == was
    assert plays(bare)
    assert "nothing changed" in work.provision()


def test_cut_again_and_again_it_plays_and_the_last_run_finishes(
    bare: Box, work: Workstation, provisioned: str, tmp_path: Path
) -> None:
    was = release(bare)
    update = changed(tmp_path, "device/version.py", "# newer\n")
    for words in ("install 0.", "switch from", "restart the service"):
        work.cut_after(work.provisioning(wheel=update), words)
        until("it plays, the old or the new", lambda: bare.show("ActiveState") == "active")
    assert "it is ready" in work.provision(wheel=update)
    assert release(bare) != was
    assert plays(bare)
    assert not bare.path("/opt/lefthand/trial").exists()


def test_an_update_keeps_one_environment_to_go_back_to(bare: Box, work: Workstation, provisioned: str) -> None:
    assert len(bare.run("find", "/opt/lefthand", "-maxdepth", "2", "-name", "complete").split()) == 2


def test_removing_says_what_stays_and_leaves_nothing_else(
    bare: Box, work: Workstation, provisioned: str, before: set[str]
) -> None:
    there = files(bare)
    assert "would stop and disable lefthand.service" in work.ends(work.begin("unprovision", "--dry-run"))
    assert files(bare) == there
    said = work.ends(work.begin("unprovision"))
    stayed = files(bare) - before
    for path in stayed:
        assert any(told in path for told in (CONFIG, "/etc/lefthand/allowed_signers", "/var/lib/lefthand")), path
    for told in (f"{CONFIG}, /etc/lefthand, /var/lib/lefthand", "python3-venv"):
        assert told in said
    assert "lefthand-flash" not in bare.path("/etc/group").read_text()
    assert bare.show("LoadState") != "loaded"


def test_purging_leaves_the_bare_machine(bare: Box, work: Workstation, provisioned: str, before: set[str]) -> None:
    work.ends(work.begin("unprovision", "--purge"))
    assert files(bare) == before
    assert "lefthand" not in bare.path("/etc/passwd").read_text()
    assert not bare.path("/var/lib/lefthand").exists()
    assert "nothing changed" in work.ends(work.begin("unprovision", "--purge"))
