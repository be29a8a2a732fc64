"""The commands for a real Pi turn a bare Debian arm64 into a box that plays and takes new bundles."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import Power
from vm import HERE, HOST, REPOSITORY, VirtualPi

from device.bundles.bundle import default_bundle, manifest_sum

SLOW_UNIT = "[Service]\nTimeoutStartSec=1800\nTimeoutStopSec=120\nWatchdogSec=600\n"
"""A start takes minutes under emulation, so the service needs longer timeouts."""
SLOW_FLASH = "slowest = 3600\nself_test_s = 1800\nstart_s = 1800\nwaiting_s = 5\n"
READY_WITHIN_S = 1800
KEYS = '[audio]\ninput = "midi"\n[midi]\ninput = "Virtual Interface"\noutput = "Virtual Interface"\n'
SOUND = '[audio]\ninput = "hw:0,1"\n[midi]\noutput = "Virtual Interface"\n'
"""Sound that is played into device 0 of snd-aloop's card is captured from its device 1."""
TONE = """
import sys
second = (b"\\x00\\x40" * 200 + b"\\x00\\xc0" * 200) * 240
while True:
    sys.stdout.buffer.write(second)
"""
"""Plays a square wave of -6 dB, 16 bits, until it is stopped."""
LEVEL = 'python3 -c \'import json; print(json.load(open("/run/lefthand/status.json"))["audio"]["level_db"])\''
CARD = "/sys/bus/platform/drivers/snd_aloop"
STATE = 'python3 -c \'import json; print(json.load(open("/run/lefthand/status.json"))["state"])\' 2>/dev/null'


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of this workstation's key. The first test that needs the key makes it."""
    return tmp_path_factory.mktemp("key") / "flash_key"


@pytest.fixture(scope="module")
def bare(power: Power) -> VirtualPi:
    pi = power(True)
    pi.write("/etc/systemd/system/lefthand.service.d/slow.conf", SLOW_UNIT)
    pi.write("/etc/lefthand/flash.toml", SLOW_FLASH)
    return pi


@pytest.fixture(scope="module")
def provisioned(bare: VirtualPi, key: Path) -> str:
    """Provision the virtual Pi for the first time and return the output."""
    return deploy(bare, "provision", "--key", str(key), "--ready-within", str(READY_WITHIN_S))


@pytest.fixture(scope="module")
def offline(power: Power, provisioned: str) -> VirtualPi:
    """Return the provisioned virtual Pi, started again without the Internet."""
    return power(False)


@pytest.fixture(scope="module")
def interface(offline: VirtualPi) -> str:
    """Plug a USB-MIDI interface in. Return the script on the virtual Pi that plugs and unplugs it."""
    rig = "/tmp/usb_midi.sh"
    offline.write(rig, (HERE / "usb_midi.sh").read_text())
    offline.run(f"sudo sh {rig} make && sudo sh {rig} plug")
    return rig


def deploy(pi: VirtualPi, *words: str, code: int = 0) -> str:
    """Run `python -m deploy WORDS` for the virtual Pi and return the whole output."""
    ran = subprocess.run(
        [sys.executable, "-m", "deploy", *words, "--host", HOST],
        cwd=REPOSITORY,
        env={**os.environ, "LEFTHAND_SSH": f"-F {pi.config}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ran.returncode == code, ran.stdout
    return ran.stdout


def runs(pi: VirtualPi) -> bool:
    return pi.run("systemctl is-active lefthand", check=False).strip() == "active"


def test_it_begins_without_pip_without_a_compiler_and_without_us(bare: VirtualPi) -> None:
    there = bare.run("ls /usr/bin; ls /opt; ls /usr/local/bin; uname -m").split()
    assert "aarch64" in there
    assert not {"pip", "gcc", "cc", "lefthand"} & set(there)


def test_provisioning_makes_it_the_box(bare: VirtualPi, provisioned: str) -> None:
    assert "install the Debian packages" in provisioned and "it is ready" in provisioned
    assert runs(bare)
    assert "gcc" not in bare.run("ls /usr/bin").split(), "nothing was compiled"


def test_provisioning_again_changes_nothing(bare: VirtualPi, provisioned: str, key: Path) -> None:
    pid = bare.run("systemctl show -P MainPID lefthand")
    said = deploy(bare, "provision", "--key", str(key), "--ready-within", str(READY_WITHIN_S))
    assert "nothing changed" in said
    assert bare.run("systemctl show -P MainPID lefthand") == pid


def test_it_starts_by_itself_without_the_internet(offline: VirtualPi) -> None:
    offline.until("it is ready", "systemctl is-active --quiet lefthand && echo ready")
    offline.until("it waits for its ports", f"{STATE} | grep -x waiting")


def test_a_new_bundle_is_flashed_without_the_internet(offline: VirtualPi, key: Path) -> None:
    said = deploy(offline, "flash", "--key", str(key))
    assert "plays" in said and "playing paused" in said
    assert offline.run("sudo readlink /var/lib/lefthand/bundles/current").strip() in ("a", "b")
    assert runs(offline)


def test_a_bad_bundle_is_refused_and_the_good_one_stays(offline: VirtualPi, key: Path, tmp_path: Path) -> None:
    playing = offline.run("sudo readlink /var/lib/lefthand/bundles/current")
    bad = tmp_path / "bad"
    shutil.copytree(default_bundle(), bad)
    spoil(bad)
    said = deploy(offline, "flash", "--key", str(key), "--bundle", str(bad), code=2)
    assert "golden" in said
    assert offline.run("sudo readlink /var/lib/lefthand/bundles/current") == playing
    assert runs(offline)


def test_a_midi_interface_is_found_lost_and_found_again(offline: VirtualPi, interface: str) -> None:
    offline.write("/etc/lefthand.toml", KEYS)
    offline.run("sudo systemctl kill -s HUP lefthand")
    offline.until("it plays", f"{STATE} | grep -x playing")
    pid = offline.run("systemctl show -P MainPID lefthand")
    offline.run(f"sudo sh {interface} unplug")
    offline.until("it waits", f"{STATE} | grep -x waiting")
    offline.run(f"sudo sh {interface} plug")
    offline.until("it plays again", f"{STATE} | grep -x playing")
    assert offline.run("systemctl show -P MainPID lefthand") == pid, "by the same process"


def test_a_sound_card_is_captured_from_lost_and_found_again(offline: VirtualPi, interface: str) -> None:
    offline.write("/etc/lefthand.toml", SOUND)
    offline.write("/tmp/tone.py", TONE)
    offline.run("sudo systemctl restart lefthand")
    for again in ("", " again"):
        offline.until(f"it plays{again}", f"{STATE} | grep -x playing")
        sound = "python3 /tmp/tone.py | aplay -q -D plughw:Loopback,0 -f S16_LE -r 48000 -c 2"
        offline.run(f"sudo systemd-run --unit tone --collect sh -c '{sound}'")
        offline.until(f"it hears{again}", f"{LEVEL} | grep -E '^-[3-9][.]'")
        offline.run(f"echo snd_aloop.0 | sudo tee {CARD}/unbind")
        offline.until("it waits", f"{STATE} | grep -x waiting")
        assert "audio input" in offline.run("lefthand status")
        offline.run(f"sudo systemctl stop tone; echo snd_aloop.0 | sudo tee {CARD}/bind")


def test_removing_leaves_a_bare_debian(offline: VirtualPi) -> None:
    said = deploy(offline, "unprovision", "--purge")
    assert "what stays: the Debian packages" in said
    there = offline.run("ls -d /opt/* /usr/local/bin/* /etc/lefthand* /var/lib/lefthand 2>/dev/null || true")
    assert there.split() == []


def spoil(bundle: Path) -> None:
    """Make the bundle's golden outputs wrong and its checksums right."""
    with np.load(bundle / "golden.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    name = next(name for name in arrays if "/out/" in name)
    arrays[name] = arrays[name] + 1
    np.savez(bundle / "golden.npz", **arrays)
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["files"]["golden.npz"] = hashlib.sha256((bundle / "golden.npz").read_bytes()).hexdigest()
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    (bundle / "manifest.sha256").write_bytes(manifest_sum((bundle / "manifest.json").read_bytes()))
