"""Tests of the test machine itself, on which the other tests of this tier rely."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ssh import Ssh
from systemd_box import CGROUPS, PREFIX, Box, booted


@pytest.fixture(scope="module")
def bare(boot: Callable[..., Box]) -> Box:
    return boot(bare=True)


def test_systemd_is_the_first_process_and_nothing_failed(bare: Box) -> None:
    assert bare.run("ps", "-p", "1", "-o", "comm=").strip() == "systemd"
    assert bare.run("systemctl", "--failed", "--plain", "--no-legend").strip() == ""


def test_a_bare_box_has_nothing_of_ours_and_no_network(bare: Box) -> None:
    assert bare.run("sh", "-c", "ls -d /opt/lefthand /usr/local/bin/lefthand 2>/dev/null || true") == ""
    assert bare.run("ls", "/sys/class/net").split() == ["lo"]


def test_what_is_written_in_a_box_is_not_seen_by_the_next(bare: Box, boot: Callable[..., Box]) -> None:
    for folder in ("/etc", "/var/lib", "/opt", "/usr/local/bin", "/home/pi", "/root"):
        bare.write(f"{folder}/left-behind", "")
    assert boot(bare=True).run("find", "/", "-xdev", "-name", "left-behind") == ""


def test_ssh_reaches_it_as_pi_who_may_become_root(bare: Box, ssh: Callable[[Box], Ssh]) -> None:
    ran = ssh(bare).run("id -un; sudo -n id -un; hostname")
    assert ran.stdout.split() == ["pi", "root", "box"], ran.stderr


def test_a_copy_of_a_file_arrives_whole(bare: Box, ssh: Callable[[Box], Ssh], tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    sent.write_bytes(bytes(range(256)) * 4096)
    way = ssh(bare)
    subprocess.run(["scp", "-q", "-F", str(way.config), str(sent), f"{way.host}:arrived"], check=True, timeout=60)
    assert bare.path("/home/pi/arrived").read_bytes() == sent.read_bytes()


def test_nothing_is_left_of_a_box_that_lost_its_power(roots: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="the test fails"), booted(roots[0], None, tmp_path) as box:
        init, group = box.pid, box.cgroup
        box.run("systemd-run", "--quiet", "sleep", "1000")
        mounted = str(tmp_path)
        raise RuntimeError("the test fails")
    assert not Path(f"/proc/{init}").exists()
    assert mounted not in Path("/proc/mounts").read_text()
    assert list(tmp_path.iterdir()) == [tmp_path / "console.log"]
    assert group not in [path for place in CGROUPS for path in place.glob(f"{PREFIX}-*")]


def test_our_software_is_there_and_starts(boot: Callable[..., Box]) -> None:
    box = boot()
    assert box.run("lefthand", "--version").startswith("lefthand, version")
    found = box.run("/opt/lefthand/current/bin/python", "-c", "import device, numpy; print(device.__file__)")
    assert found.startswith("/opt/lefthand/current/")
