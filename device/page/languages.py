"""Chooses the language of the page. The texts of a language are one file, `static/texts.js` for English.

Another language is one more file beside it with the same keys, such as `static/texts.de.js` for German.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from device.page.access import Door
from device.page.box_link import BoxLink
from device.page.checked import Checked

ENGLISH = "en"
TEXTS = "texts.js"


def languages_in(static: Path) -> dict[str, bytes]:
    """Return the content of each file of texts in the folder `static`, by its language such as "en"."""
    found = {path.name.split(".")[1]: path.read_bytes() for path in sorted(static.glob("texts.*.js"))}
    return {**found, ENGLISH: (static / TEXTS).read_bytes()}


def wanted_language(header: str, there: Collection[str]) -> str:
    """Return the language of `there` that a browser likes best, or English if it likes none of them.

    `header` is the browser's list Accept-Language, such as "de-AT,de;q=0.9,en;q=0.5" (RFC 9110, section 12.5.4).
    """
    ranked: list[tuple[float, str]] = []
    for part in header.split(","):
        tag, _, quality = part.partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=") or 1.0)
        except ValueError:
            weight = 0.0
        ranked.append((weight, tag.strip().split("-")[0].lower()))
    # the sort keeps the order of languages that the browser likes equally
    for weight, language in sorted(ranked, key=lambda one: -one[0]):
        if weight > 0 and language in there:
            return language
    return ENGLISH


class Texts(Checked):
    """Sends the texts of the page in the language of the browser. They hold nothing secret, so no cookie is needed."""

    open_to_all = True

    def initialize(self, door: Door, link: BoxLink, languages: dict[str, bytes]) -> None:  # type: ignore[override]
        """Keep the parts of the server, and the content of the file of each language."""
        super().initialize(door, link)
        self._languages = languages

    def get(self) -> None:
        """Send the file."""
        language = wanted_language(self.request.headers.get("Accept-Language", ""), self._languages)
        self.set_header("Content-Type", "text/javascript")
        self.set_header("Vary", "Accept-Language")
        self.finish(self._languages[language])
