"""`pytest` alone collects every tier and runs the unit tier; a tier without its tools says what it needs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests import tiers

ROOT = Path(__file__).parents[3]
FEWEST_TESTS = {"unit": 2000, "browser": 10, "ssh": 60, "host": 40, "box": 40}
"""Fewest tests: a collection that finds fewer has missed folders."""


def pytest_in(root: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run pytest as a user does, in a separate process. `settings` go into its environment; CI is removed from it."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "CI"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=root,
        env={**env, **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_arguments_every_tier_is_collected_and_the_unit_tier_runs() -> None:
    ran = pytest_in(ROOT, "--collect-only", "--quiet")
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr
    found = Counter(match[1] for match in re.finditer(r"^tests/(\w+)/\S+::", ran.stdout, re.MULTILINE))
    assert set(found) == {"unit"} and found["unit"] > FEWEST_TESTS["unit"]
    counts = re.search(r"(\d+)/(\d+) tests collected \((\d+) deselected\)", ran.stdout)
    assert counts is not None, ran.stdout[-3000:]
    others = [tier for tier in FEWEST_TESTS if tier != "unit" and not tiers.missing_of(tier)]
    assert int(counts[3]) >= sum(FEWEST_TESTS[tier] for tier in others)


@pytest.mark.parametrize(
    ("arguments", "expression", "chosen"),
    [
        ([], "", {"unit"}),
        (["tests"], "", {"unit"}),
        (["."], "", {"unit"}),
        (["tests/unit/house/test_tiers.py::test_x"], "", {"unit"}),
        (["tests/host"], "", {"host"}),
        (["tests/host"], "not quiet", {"host"}),
        (["tests/host"], "quiet", {"host"}),
        (["tests/ssh/test_flash.py", "tests/unit"], "", {"unit", "ssh"}),
        (["tests"], "box", {"box"}),
        (["tests"], "host and not quiet", {"host"}),
        (["tests"], "quiet", {"host"}),
        (["tests"], "not data", {"unit"}),
        (["tests"], "not box and not pi", {"unit", "browser", "ssh", "host"}),
    ],
)
def test_a_tier_is_chosen_by_folder_or_marker(arguments: list[str], expression: str, chosen: set[str]) -> None:
    assert tiers.chosen_tiers(arguments, ROOT, expression) == chosen


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
def test_a_tier_without_its_tools_says_in_one_line_what_it_needs(ci: str, status: int, tmp_path: Path) -> None:
    lacking = ("ssh", "host")
    # this plugin simulates a machine without the tools
    (tmp_path / "bare_machine.py").write_text(
        f"import tests.tiers as t\nt.PROGRAMS = dict.fromkeys({lacking!r}, ('no-such-program',))\n"
        f"t.MODULES = dict.fromkeys({lacking!r}, ('no_such_module',))\n"
    )
    settings = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", **({"CI": ci} if ci else {})}
    ran = pytest_in(ROOT, "-p", "bare_machine", *(f"tests/{tier}" for tier in lacking), **settings)
    assert ran.returncode == status, ran.stdout + ran.stderr
    for tier in lacking:
        needs = f"tests/{tier} needs the program no-such-program, the Python module no_such_module: run `make setup`."
        said = [line for line in ran.stdout.splitlines() if needs in line]
        assert said == [f"{'FAILED' if ci else 'SKIPPED'} {needs}"]
    assert "Traceback" not in ran.stdout


def test_the_virtual_pi_says_what_it_waits_for() -> None:
    ran = pytest_in(ROOT, "tests/pi", LEFTHAND_TEST_PI="")
    assert ran.returncode == 0
    assert "SKIPPED tests/pi needs LEFTHAND_TEST_PI=bookworm or trixie in the environment" in ran.stdout


def test_no_two_test_files_have_one_name() -> None:
    """pytest's prepend mode imports a test file by its name alone, so a second one of that name cannot be imported."""
    packages = {"conftest.py", "__init__.py", "__main__.py"}
    names = Counter(path.name for path in (ROOT / "tests").rglob("*.py") if path.name not in packages)
    assert len(names) > 100
    assert not [name for name, count in names.items() if count > 1]
