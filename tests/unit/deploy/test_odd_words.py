"""Odd words: quotes in the arguments of make, numbers that are none, and answers of a box that is not ours."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from deploy.appliance.probe import probe
from deploy.flash import Flash, steps
from deploy.provision import KINDS, facts
from deploy.signature_time import times_ms
from deploy.ssh import Host, shown
from device.cli import main
from device.errors import UserError

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
    no_steps = [b"{", b"3", b'{"step": 3, "said": []}', b"Welcome to the box"]
    odd = [
        {"bytes": "x"},
        {"bytes": -5},
        {"bytes": None},
        {},
        {"bytes": 1, "gap_s": "long"},
        {"bytes": 1, "gap_s": 1e99},
    ]
    no_steps += [json.dumps({"step": "have", "said": "", **more}).encode() for more in odd]
    found = list(steps([deep, *no_steps, good]))
    assert found == [{"step": "done?[2J", "said": "slot a plays", "gap_s": 0.5}]


REFUSED = ["[" * 100_000, "{", "3", "[]", "{}"]


@pytest.mark.parametrize("said", REFUSED, ids=lambda said: said[:9])
def test_facts_that_are_none_are_a_sentence(said: str) -> None:
    with pytest.raises(UserError, match="^pi answers with something else than facts"):
        facts(said, "pi")


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("odd", [{"a": [1]}, [[]], 3.5], ids=str)
def test_facts_of_odd_types_are_a_sentence_and_their_words_are_printable(name: str, odd: object) -> None:
    good = json.loads(probe([]))
    assert facts(json.dumps({**good, "system": "Debian\x1b[2J\n"}), "pi") == {**good, "system": "Debian?[2J"}
    with pytest.raises(UserError, match="^pi answers with something else than facts"):
        facts(json.dumps({**good, name: odd}), "pi")


def slots_of(**more: object) -> dict[str, object]:
    return {"busy": False, "slots": [{"slot": "a", "id": "0" * 12, "current": True, "good": True, "why": "", **more}]}


ANSWERS = [[], {"busy": False, "slots": 3}, {"busy": False, "slots": ["x"]}, slots_of(id=7), {"busy": 0, "slots": [[]]}]


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
def test_odd_slots_after_a_cut_are_a_sentence(monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    with pytest.raises(UserError, match="answers with something else than its slots"):
        asked(monkeypatch, answer)


def test_the_words_of_a_slot_after_a_cut_are_printable(monkeypatch: pytest.MonkeyPatch) -> None:
    found = asked(monkeypatch, slots_of(slot="a\x1b[2J", why="\nplayed"))
    assert found == {"step": "done", "said": "slot a?[2J plays: played"}


def asked(monkeypatch: pytest.MonkeyPatch, answer: object) -> dict[str, object]:
    """Return the end of a flash whose connection was cut, if the box lists `answer` as its slots."""
    monkeypatch.setattr("deploy.flash.PAUSE_S", 0.0)
    ended = subprocess.CompletedProcess((), 0, json.dumps(answer), "")
    monkeypatch.setattr(Host, "run", lambda *_: ended)
    package = SimpleNamespace(bundle=SimpleNamespace(digest="0" * 64))
    return Flash(Host("pi"), package, print, print)._ask()  # type: ignore[arg-type]


def test_the_output_of_a_host_is_shown_as_printable_lines(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["sh", "-c", "printf 'a\\033[2Jb\\r\\nc'; printf '\\033]0;title\\a\\n' >&2; exit 3"]
    assert shown(words) == 3
    assert capsys.readouterr().out == "a?[2Jb\nc?]0;title?\n"


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
