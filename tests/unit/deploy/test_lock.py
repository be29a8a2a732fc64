"""Only listed wheels go to a Pi, in the listed versions and with the listed bytes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.lock import SYSTEMS, check, pins, read_lock, system_of
from deploy.target import ARCHITECTURES, Target
from deploy.wheels import Wheel
from device.errors import UserError

PI = Target("aarch64", (3, 11), (2, 36))


@pytest.fixture
def wheel(tmp_path: Path) -> Wheel:
    path = tmp_path / "click-8.3.0-py3-none-any.whl"
    path.write_bytes(b"a wheel")
    return Wheel.of(path)


def test_the_list_has_every_system_and_a_hash_for_each_wheel() -> None:
    locked = read_lock()
    assert set(locked) == {system_of(Target(arch, *system)) for arch in ARCHITECTURES for system in SYSTEMS}
    for system, wheels in locked.items():
        assert {"click", "tornado", "segno"} <= {name.split("-")[0] for name in wheels}, system
        assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in wheels.values())
        # no wheel of ours: it is built from the checkout
        assert not any(name.startswith("lefthand") for name in wheels)
        arch = system.split("-")[0]
        assert all(name.endswith((f"{arch}.whl", "-any.whl")) for name in wheels)


def test_the_versions_are_constraints_for_pip() -> None:
    locked = {"aarch64-cp311": {"click-8.3.0-py3-none-any.whl": "", "ai_edge_litert-2.1.0-cp311-cp311-any.whl": ""}}
    assert pins(locked, PI) == ["ai-edge-litert==2.1.0", "click==8.3.0"]


def test_a_system_that_is_not_listed_is_named() -> None:
    with pytest.raises(UserError, match="no wheels for aarch64-cp312, only for aarch64-cp311"):
        pins({"aarch64-cp311": {}}, replace(PI, python=(3, 12)))


def test_a_wheel_with_other_bytes_or_another_name_is_refused(wheel: Wheel) -> None:
    name = wheel.path.name
    check({"aarch64-cp311": {name: wheel.sha256}}, PI, [wheel])
    with pytest.raises(UserError, match="is not the file that wheels.lock lists"):
        check({"aarch64-cp311": {name: "0" * 64}}, PI, [wheel])
    with pytest.raises(UserError, match="is not in wheels.lock: run `python -m deploy lock`"):
        check({"aarch64-cp311": {}}, PI, [wheel])


@pytest.mark.parametrize("text", ["", "{", None])
def test_a_damaged_list_is_a_sentence(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "wheels.lock").write_text(text)
    with pytest.raises(UserError, match="cannot be read .*git checkout"):
        read_lock(tmp_path / "wheels.lock")


def test_the_list_is_written_in_a_fixed_order() -> None:
    text = Path(__file__).parents[3].joinpath("deploy", "wheels.lock").read_text()
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True) + "\n"
