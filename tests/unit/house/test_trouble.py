"""Every sentence that an owner can meet has an entry in docs/trouble.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOR_PROGRAMS = (
    "assemble.py",
    "bundles",
    "commands/slot.py",
    "control/client_line.py",
    "control/protocol.py",
    "flash",
    "page/box_link.py",
)
"""Parts of `device` whose sentences are for those who make bundles, or who write programs that steer the box."""
OF_THE_DOCTOR = "doctor"
"""The findings of `lefthand doctor` print their remedies themselves."""
FEWEST_WORDS = 4
"""A shorter text is a part of a sentence that is quoted where it is put together."""
SPOKEN = frozenset({"UserError", "ConfigError", "UnavailableError", "BundleError", "warning", "error"})
"""Functions whose text reaches the owner on a terminal or in the log."""


def _said(node: ast.AST) -> str | None:
    """Return the text of a string, with each value that is filled in as "{}"; None for another node."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def _sentences(path: Path) -> Iterator[str]:
    """Yield each text in the module at `path` that is given to one of SPOKEN."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in SPOKEN:
            for argument in node.args[:1]:
                text = _said(argument)
                if text is not None and len(re.sub(r"\{\}|%\S+", " ", text).split()) >= FEWEST_WORDS:
                    yield text


def _quotes() -> list[list[str]]:
    """Return the parts of each sentence that the first columns of docs/trouble.md quote."""
    text = (ROOT / "docs" / "trouble.md").read_text(encoding="utf-8")
    rows = [row.split(" | ")[0] for row in text.splitlines() if row.startswith("| ")]
    found = [quote.split("…") for row in rows for quote in re.findall(r'"([^"]+)"', row)]
    return [[part.strip(" :.") for part in parts if part.strip(" :.")] for parts in found]


MODULES = [
    path
    for path in sorted((ROOT / "device").rglob("*.py"))
    if not path.relative_to(ROOT / "device").as_posix().startswith((*FOR_PROGRAMS, OF_THE_DOCTOR))
]


def test_the_table_at_the_top_leads_to_every_section() -> None:
    text = (ROOT / "docs" / "trouble.md").read_text(encoding="utf-8")
    top, sections = text.split("\n## ", 1)
    headings = re.findall(r"^## (.+)$", f"## {sections}", re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert len(anchors) == len(headings)
    assert set(re.findall(r"\]\(#([^)]+)\)", top)) == anchors


def test_many_sentences_are_looked_at() -> None:
    assert sum(len(list(_sentences(path))) for path in MODULES) > 120


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_sentence_of_a_module_has_an_entry(path: Path) -> None:
    quotes = _quotes()
    missing = [text for text in _sentences(path) if not any(all(part in text for part in parts) for parts in quotes)]
    assert not missing
