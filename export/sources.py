"""Lists where the training data of the models come from and under which licence, for the manifest and the card."""

from __future__ import annotations

from collections.abc import Iterable

from device.bundles.manifest import DataSource
from device.errors import UserError

CORPORA = {
    "lieder": DataSource(
        "OpenScore Lieder Corpus",
        "OpenScore/Lieder, commit bca12245",
        "CC0 1.0",
        "songs for voice and piano: right and left hands",
    ),
    "chopin": DataSource(
        "Chopin First Editions",
        "pl-wnifc/humdrum-chopin-first-editions, commit 95dfb105, The Fryderyk Chopin Institute",
        "CC BY 4.0",
        "piano works: right and left hands; works heard in MAPS are left out",
    ),
    "pop909": DataSource(
        "POP909",
        "music-x-lab/POP909-Dataset, commit d83e6edb (Wang et al., ISMIR 2020)",
        "MIT for the data set; the songs themselves are in copyright",
        "pop songs: melodies, right and left hands; songs 820-909 are for test alone",
    ),
}

TIMBRES = {
    ("splendid",): DataSource("Splendid Grand Piano", "sfzinstruments/SplendidGrandPiano", "public domain", "timbre"),
    ("yamaha_upright", "cp80", "rhodes"): DataSource(
        "Yamaha upright (VCSL), Yamaha CP-80, Rhodes",
        "sfzinstruments/Discord-SFZ-GM-Bank, commit 7a9c478",
        "CC0 1.0",
        "timbres",
    ),
    ("piano_fb",): DataSource("Old Piano FB", "freepats/old-piano-FB, commit 9707673", "CC0 1.0", "timbre"),
    ("fluid",): DataSource("Fluid R3 GM", "Frank Wen; Debian package fluid-soundfont-gm", "MIT", "timbres"),
    ("timgm",): DataSource("TimGM6mb", "Tim Brechbill; Debian package timgm6mb-soundfont", "GPL-2.0", "timbres"),
    ("csound",): DataSource("sf_GMbank", "Debian package csound-soundfont", "public domain", "timbres"),
    ("modal",): DataSource(
        "Modal pianos", "computed by this project's training/pianos/modal.py", "the project's own", "timbres"
    ),
}
"""Beginnings of names of note banks -> the source of the banks with these names."""

NOISE = DataSource("ESC-10, fold 1", "K. J. Piczak, ESC-50", "CC BY 3.0 (terms of each clip)", "background noise")

SPEECH = DataSource(
    "espeak-ng",
    "Debian package espeak-ng: Dutch, Swedish, Polish, Portuguese, Russian, Czech, Finnish, Hungarian voices",
    "GPL-3.0 (the program; its speech is not covered)",
    "people who talk beside the piano",
)

NOT_TRAINED_ON = (
    "Never trained on: MAPS recordings or the works heard in its two Disklavier sets, the Salamander grand (held out "
    "for evaluation), HeadroomPiano, FreePats Upright KW, any DCMLab corpus."
)


def data_sources(corpora: Iterable[str], banks: Iterable[str]) -> tuple[DataSource, ...]:
    """Return the sources of the named corpora and note banks. Raises UserError for a name without a source."""
    used: dict[DataSource, None] = {}
    for name in corpora:
        if name not in CORPORA:
            raise UserError(f"The corpus {name} has no licence entry: add it to export/sources.py.")
        used[CORPORA[name]] = None
    for bank in banks:
        found = [source for starts, source in TIMBRES.items() if bank.startswith(starts)]
        if not found:
            raise UserError(f"The note bank {bank} has no licence entry: add it to export/sources.py.")
        used[found[0]] = None
    return (*sorted(used, key=lambda source: source.name), NOISE, SPEECH)
