"""Odd words: quotes in the arguments of make, numbers that are none, and answers of a box that is not ours."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy.flash import steps
from deploy.signature_time import times_ms
from device.cli import main

ROOT = Path(__file__).parents[3]
UNITS = sorted((ROOT / "deploy" / "units").glob("*.service"))
ODD = ("pi@O'Brien", 'a "quoted" name', "$(touch x); `touch x`")


@pytest.mark.parametrize("odd", ODD)
def test_make_hands_a_host_and_a_bundle_with_quotes_on_unchanged(tmp_path: Path, odd: str) -> None:
    recipe = tmp_path / "Makefile"
    # the lines of our own Makefile that hand the two over, and a recipe that prints them
    shown = '\nshow:\n\t@printf "%s\\n" "$$HOST" $(if $(BUNDLE),"$$BUNDLE")\n'
    recipe.write_text("export HOST BUNDLE\n" + shown)
    text = (ROOT / "Makefile").read_text()
    assert "export HOST BUNDLE HOTSPOT\n" in text and "'$(HOST)'" not in text and "'$(BUNDLE)'" not in text
    assert text.count('--host "$$HOST"') == 7
    # make itself takes $$ for a dollar
    given = odd.replace("$", "$$")
    command = ["make", "-s", "-f", str(recipe), "show", f"HOST={given}", f"BUNDLE={given}"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert ran.stdout.splitlines() == [odd, odd] and not (tmp_path / "x").exists()


@pytest.mark.parametrize("option", ["--confidence", "--density", "--tempo"])
@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_a_number_that_is_none_is_refused(tmp_path: Path, option: str, number: str) -> None:
    ran = CliRunner().invoke(main, ["play", str(ROOT / "demo" / "right-hand.flac"), option, number])
    assert ran.exit_code == 2 and "Traceback" not in ran.output, ran.output


def test_answers_that_are_no_steps_are_left_out_and_words_of_a_box_are_printable() -> None:
    deep = b"[" * 100_000
    good = json.dumps({"step": "done\x1b[2J", "said": "slot a\nplays", "gap_s": 0.5}).encode()
    found = list(steps([deep, b"{", b"3", b'{"step": 3, "said": []}', b"Welcome to the box", good]))
    assert found == [{"step": "done?[2J", "said": "slot a plays", "gap_s": 0.5}]


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_each_unit_limits_memory_and_loads_no_packages_of_its_account(unit: Path) -> None:
    lines = unit.read_text().splitlines()
    (limit,) = [line for line in lines if line.startswith("MemoryMax=")]
    assert int(limit.removeprefix("MemoryMax=").removesuffix("M")) <= 512
    assert any(line.startswith("Environment=") and "PYTHONNOUSERSITE=1" in line.split() for line in lines)


def test_the_lock_of_provisioning_is_where_only_root_may_write() -> None:
    assert 'Path("/run/lefthand-provision.lock")' in (ROOT / "deploy" / "appliance" / "__main__.py").read_text()


def test_the_time_of_a_signature_s_check_can_be_measured() -> None:
    found = times_ms(runs=3)
    assert len(found) == 3 and all(one > 0 for one in found)
