"""Power cuts at every single change that a flash makes to the disk."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from ssh_box import HERE, REPOSITORY

from deploy.keys import ensure_key, signers_line
from deploy.pack import pack
from device.bundles.bundle import Bundle

FEWEST_CUTS = 200


def test_no_cut_leaves_a_box_that_does_not_play(tmp_path: Path, first: Path, second: Path) -> None:
    packages, root = tmp_path / "packages", tmp_path / "boxes"
    packages.mkdir()
    root.mkdir()
    key = ensure_key(tmp_path / "key")
    (packages / "signers").write_text(signers_line(key))
    for number, bundle in enumerate((first, second)):
        package = pack(Bundle.open(bundle), key)
        (packages / f"{number}-{package.id}-{package.bundle.digest[:12]}").write_bytes(package.content)
    ran = subprocess.run(
        [sys.executable, str(HERE / "power.py"), str(packages), str(root)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr[-3000:]
    scenes: dict[str, dict[str, int]] = {}
    for line in ran.stdout.splitlines():
        scenes |= json.loads(line)
    cuts = sum(scene["cuts"] for scene in scenes.values())
    print(f"\n{cuts} cuts, 0 boxes that do not play: {scenes}")
    assert cuts >= FEWEST_CUTS
    # a bundle whose trial failed must never be current afterwards
    assert scenes["bad trial"]["new"] == 0
    assert all(scene["old"] for scene in scenes.values())
    assert scenes["next flash"]["new"]
