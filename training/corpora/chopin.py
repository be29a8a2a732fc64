"""Reads Chopin's first editions in Humdrum (github.com/pl-wnifc/humdrum-chopin-first-editions) through Verovio.

The lowest staff (spine 0) is the left hand, and the next one is the right hand. In op. 74, which are songs, the staff
above them is the voice. Strings, orchestra and grace notes (which have no duration) are left out. Repeats are not
unfolded.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import verovio

from training.corpora.bars import full_bars
from training.corpora.pieces import HandLabel, Meter, Piece, as_notes
from training.corpora.splits import split_of_name

ARCHIVE = "chopin-first-editions"

EXCLUDED_OPERA = frozenset(
    {6, 7, 10, 17, 24, 25, 28, 30, 33, 41, 45, 50, 56, 59, 63, 66, 67, 68},
)
"""Opus numbers that are kept out of training: mazurkas, études, preludes and op. 66. MAPS, a test set, holds them."""

EXCLUDED_STEMS = ("MEG",)
"""File names that begin with these letters are kept out of training, because the files cannot be recognised otherwise.

The mazurka à Émile Gaillard has no opus number, and its second edition has no title record.
"""

EXCLUDED_TITLE = re.compile(r"\b(ma[sz]o?urkas?|etudes?|preludes?|praludi(?:um|en))\b")
TITLE_RECORD = re.compile(r"^!!!(?:OTL|PTL|AGN|rism-genre|rism-title)[^:\n]*:(.*)$", re.MULTILINE)
OPUS_RECORD = re.compile(r"^!!!(?:OPS|rism-opus):\D*0*(\d+)", re.MULTILINE | re.IGNORECASE)

SONGS = "074"
SONGS_COMPOSER = "Chopin,_Frédéric"
"""OpenScore Lieder holds op. 74 too, under this composer. The shared name puts both copies into one split."""

SEPARATE_072 = {"marche": "002", "001": "003", "002": "004", "003": "005"}
"""Maps the number of a piece in the separate edition of op. 72 to its number in the full edition.

The march and the écossaises of op. 72 were also printed separately.
"""

TIMED = re.compile(r"(?:^|\t)(?![^\t]*[qQ])[^\w\t]*\d[^\t]*[a-gA-Gr]")
"""Matches a line with a kern token that has a duration: digits, then a pitch or r (rest).

The token must not have q or Q, the marks of grace notes.
"""

SHARP_FLAT = {"#": 1, "-": -1}
MEI = "{http://www.music-encoding.org/ns/mei}"
XML_ID = "{http://www.w3.org/XML/1998/namespace}id"


def work_of(stem: str) -> str:
    """Return the opus of an edition from its file name: '025_7' and '025' -> '025', 'GDC-1c-Sam' -> 'GDC'.

    Raises ValueError if the name begins with neither three digits nor a letter.
    """
    found = re.match(r"\d{3}|[A-Za-z]+", stem)
    if found is None:
        raise ValueError(f"{stem}.krn is not named as the first editions are: OPUS-EDITION-PUBLISHER-NUMBER.krn")
    return found.group()


def movement_of(stem: str) -> str:
    """Return opus and movement number ('009/002') from a file name. They are the same for all editions.

    A single piece has number 1. Raises ValueError if the file is not named as the first editions are.
    """
    number = re.search(r"-(\d{3}|marche)\b", stem)
    section = re.match(r"\d{3}_(\d+)(?=-)", stem)
    part = number.group(1) if number else f"{int(section.group(1)):03d}" if section else "001"
    if stem.startswith("072sep"):
        part = SEPARATE_072[part]
    if stem.lower().endswith("-secondo"):
        part += "-secondo"
    return f"{work_of(stem)}/{part}"


def is_excluded(stem: str, text: str = "") -> bool:
    """Return True if a file must stay out of training, because of its name `stem` or a reference record in `text`."""
    work = work_of(stem)
    if work in EXCLUDED_STEMS or (work.isdigit() and int(work) in EXCLUDED_OPERA):
        return True
    if any(int(opus) in EXCLUDED_OPERA for opus in OPUS_RECORD.findall(text)):
        return True
    titles = " ".join(TITLE_RECORD.findall(text)).lower()
    plain = "".join(mark for mark in unicodedata.normalize("NFD", titles) if not unicodedata.combining(mark))
    return EXCLUDED_TITLE.search(plain) is not None


def edition_files(root: Path) -> list[Path]:
    """Return the paths of the files that training may use, sorted.

    Excluded works and the separate parts of string players are left out. A score with strings is left out if its piano
    part has a file of its own.
    """
    paths = sorted(root.glob("**/kern/*.krn"))
    with_piano_part = {path.stem.removesuffix("-piano") for path in paths if path.stem.endswith("-piano")}
    return [
        path
        for path in paths
        if path.stem not in with_piano_part
        and not re.search(r"-viol\w+$", path.stem)
        and not is_excluded(path.stem, path.read_text("utf-8", "replace"))
    ]


def primary_files(paths: list[Path]) -> set[Path]:
    """Return the paths of one edition for each movement: the first by file name."""
    first: dict[str, Path] = {}
    for path in sorted(paths):
        first.setdefault(movement_of(path.stem), path)
    return set(first.values())


def read_edition(path: Path, primary: bool = True) -> Piece:
    """Read one Humdrum file and return it as a piece. `primary` is stored in the piece.

    Raises ValueError if the work is excluded, if Verovio cannot read the file, or if it has fewer than two staves of
    notes.
    """
    text = path.read_text("utf-8", "replace")
    if is_excluded(path.stem, text):
        raise ValueError(f"{path.name} is a mazurka, étude, prelude or op. 66, which are kept out of training")
    # Lists of sections (*>[A,B,A]) make Verovio unfold some repeats and not others. A grace note makes Verovio delay
    # the next note. Both always have lines of their own, so those lines are removed.
    lines = [line for line in text.split("\n") if not line.startswith("*>") and not is_grace(line)]
    work = work_of(path.stem)
    group = SONGS_COMPOSER if work == SONGS else f"Chopin, op. {work}"
    verovio.enableLog(verovio.LOG_ERROR)
    toolkit = verovio.toolkit()
    toolkit.setOptions({"inputFrom": "humdrum", "breaks": "none", "expandNever": True})
    if not toolkit.loadData("\n".join(lines)):
        raise ValueError(f"{path.name} cannot be read as Humdrum")
    timemap: list[dict[str, Any]] = toolkit.renderToTimemap({"includeMeasures": True})
    staff_of = staves(ElementTree.fromstring(toolkit.getMEI()))
    hand_of = hands(sorted(set(staff_of.values())), sung=work == SONGS)
    onset_of = {note: entry["qstamp"] for entry in timemap for note in entry.get("on", [])}
    offset_of = {note: entry["qstamp"] for entry in timemap for note in entry.get("off", [])}
    rows = [
        (onset, offset_of[note], pitch_of(token), hand_of[staff_of[note]], "]" in token or "_" in token)
        for note, onset in onset_of.items()
        if note in offset_of and staff_of[note] in hand_of and (token := token_of(lines, note))
    ]
    if not rows:
        raise ValueError(f"{path.name} holds no notes on two staves")
    onset, offset, pitch, hand = np.array(merge_ties(rows), np.float64).T
    measures = [(line_of(entry["measureOn"]), float(entry["qstamp"])) for entry in timemap if "measureOn" in entry]
    meters = meters_of(lines, measures)
    title = re.search(r"^!!!OTL[^:\n]*: *(.*)$", text, re.MULTILINE)
    return Piece(
        name=path.stem,
        corpus="chopin",
        group=group,
        work=movement_of(path.stem),
        split=split_of_name(group),
        notes=as_notes(onset, offset - onset, pitch, 0, hand),
        meters=meters,
        downbeats=full_bars([quarter for _, quarter in measures], float(timemap[-1]["qstamp"]), meters),
        primary=primary,
        title=title.group(1).strip() if title else "",
    )


def merge_ties(rows: list[tuple[float, float, int, HandLabel, bool]]) -> list[tuple[float, float, int, HandLabel]]:
    """Join tied notes. Returns rows (onset, offset, pitch, hand).

    The fifth column of an input row says whether the note is tied to an earlier one. Verovio joins ties within a
    voice. This joins the others, which end in another voice.
    """
    merged: list[tuple[float, float, int, HandLabel]] = []
    ending: dict[tuple[float, int, HandLabel], int] = {}
    for onset, offset, pitch, hand, tied in sorted(rows):
        index = ending.pop((onset, pitch, hand), None) if tied else None
        if index is None:
            index = len(merged)
            merged.append((onset, offset, pitch, hand))
        else:
            merged[index] = (merged[index][0], offset, pitch, hand)
        ending[offset, pitch, hand] = index
    return merged


def is_grace(line: str) -> bool:
    """Return True if a line of a Humdrum file holds only grace notes (q, or Q for a group)."""
    return line[:1] not in "*!=" and "q" in line.lower() and TIMED.search(line) is None


def staves(mei: ElementTree.Element) -> dict[str, int]:
    """Return the staff number of each note id. Staff 1 is the highest."""
    return {
        note.attrib[XML_ID]: int(staff.attrib["n"])
        for staff in mei.iter(f"{MEI}staff")
        for note in staff.iter(f"{MEI}note")
    }


def token_of(lines: list[str], identifier: str) -> str:
    """Return the Humdrum token for a Verovio id: 'note-L22F1S2' is line 22, field 1, note 2 of the chord.

    Raises ValueError if the id names no place in a Humdrum file.
    """
    found = re.match(r"note-L(\d+)F(\d+)(?:S(\d+))?", identifier)
    if found is None:
        raise ValueError(f"Verovio names a note {identifier}, which is no place in a Humdrum file")
    line, position, sub = (int(part or 1) for part in found.groups())
    return lines[line - 1].split("\t")[position - 1].split(" ")[sub - 1]


def pitch_of(token: str) -> int:
    """Return the MIDI pitch of a kern note: c is middle C, cc the octave above, C the octave below.

    Source: humdrum.org/rep/kern. Raises ValueError if the token has no pitch.
    """
    found = re.search(r"([a-g]+|[A-G]+)([#-]*)", token)
    if found is None:
        raise ValueError(f"the kern token {token} has no pitch")
    letters, signs = found.groups()
    octave = len(letters) - 1 if letters.islower() else -len(letters)
    step = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}[letters[0].lower()]
    return 60 + 12 * octave + step + sum(SHARP_FLAT[sign] for sign in signs)


def hands(numbers: list[int], sung: bool) -> dict[int, HandLabel]:
    """Return a dict from staff number to hand: the last is the left hand, the one before it the right hand.

    `numbers` is sorted from the top staff. If `sung` is true, the staff above the right hand is the voice. The result
    is empty if there are fewer than two numbers.
    """
    if len(numbers) < 2:
        return {}
    found = {numbers[-1]: HandLabel.LEFT, numbers[-2]: HandLabel.RIGHT}
    if sung and len(numbers) > 2:
        found[numbers[-3]] = HandLabel.VOICE
    return found


def line_of(identifier: str) -> int:
    """Return the 1-based line in a Verovio id ('measure-L25'), or 1 if the id has none."""
    found = re.search(r"-L(\d+)", identifier)
    return int(found.group(1)) if found else 1


def meters_of(lines: list[str], measures: list[tuple[int, float]]) -> list[Meter]:
    """Return the meters from the Humdrum lines `*M...`, or 4/4 from quarter 0 if there are none.

    A meter holds from the start of the bar in which the next note or rest stands. `measures` are (line, quarter) of the
    bar starts.
    """
    meters: list[Meter] = []
    pending: tuple[int, int] | None = None
    for number, line in enumerate(lines, 1):
        if found := re.search(r"(?:^|\t)\*M(\d+)/(\d+)", line):
            pending = int(found.group(1)), int(found.group(2))
        elif pending and line and line[0] not in "*!=":
            quarter = max((start for at, start in measures if at <= number), default=0.0)
            if not meters or meters[-1][1:] != pending:
                meters.append((quarter, *pending))
            pending = None
    return meters or [(0.0, 4, 4)]
