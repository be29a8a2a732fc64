"""The page has a word for every style and every control, so that a new one is not forgotten."""

from __future__ import annotations

import re
from pathlib import Path

from device.control.protocol import DOES
from device.settings.choices import STYLES
from device.settings.controls import ACTIONS

STATIC = Path(__file__).parents[4] / "device" / "page" / "static"


def words(name: str) -> list[str]:
    """Return the keys of the table `name` of texts.js."""
    text = (STATIC / "texts.js").read_text(encoding="utf-8")
    found = re.search(rf"^  {name}: {{(.*?)}},?$", text, re.DOTALL | re.MULTILINE)
    assert found is not None, name
    return re.findall(r'(?:^|,)\s*"?([\w-]+)"?: ', found[1])


def test_every_style_can_be_chosen() -> None:
    assert words("styles") == list(STYLES)


def test_every_control_but_the_single_styles_can_be_learnt() -> None:
    assert sorted(words("switchActions")) == sorted(name for name in ACTIONS if not name.startswith("style_"))


def test_what_the_buttons_ask_for_is_an_action() -> None:
    asked = set(re.findall(r'\{do: "([\w-]+)"', (STATIC / "start.js").read_text(encoding="utf-8")))
    assert len(asked) > 5 and asked <= set(DOES)
