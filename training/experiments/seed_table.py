"""Makes the table of all seeds in docs/experiments, from docs/seeds.tsv and the tables of the other pages there.

    python -m training seeds --action rows    # writes the table into docs/experiments/seed-by-seed.md

A seed is one of the documents from which the project began. A line of docs/seeds.tsv has five fields, divided by tabs:
row, what the seed says, command, result in numbers, picture. A mark in the fourth field stands for values of another
table: `@NAME` for a row of the table of the playing seeds, `%NAME` for one of the diary's table, `^` for the line above
the Bach net's table, `^NAME` for a row of that table, `&NAME` for a line of the class-room's figures, `~ensemble`
for the table of doubt, and `~best` for the table of the search's best fit. A mark without values there becomes `not
measured`.
"""

from __future__ import annotations

import re
from pathlib import Path

from device.errors import UserError

COUNTS = {"S0": 36, "S1": 27, "S2": 37, "S3": 25, "S4": 15, "C": 6}
"""Number of rows of each of the five documents, and of the design card."""
TITLES = {
    "S0": "S0, the left hand's LSTM",
    "S1": "S1, the CNN on spectrograms",
    "S2": "S2, the CRNN on CQT",
    "S3": "S3, MusicGeneration",
    "S4": "S4, the Bach LSTM",
    "C": "The design card",
}
PAGE = "seed-by-seed.md"
BEGIN, END = "<!-- rows of the seeds: begin -->", "<!-- rows of the seeds: end -->"
NOT_MEASURED = "not measured"


def read_rows(path: Path) -> list[list[str]]:
    """Read and return the rows of docs/seeds.tsv, each as a list of five fields.

    Raises UserError if a row is missing, comes twice, is out of order, or does not have five filled fields.
    """
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    wanted = [f"{seed}-{number}" for seed, count in COUNTS.items() for number in range(1, count + 1)]
    if [row[0] for row in rows] != wanted:
        missing = sorted(set(wanted) - {row[0] for row in rows})
        raise UserError(f"{path} has not the {len(wanted)} rows in order; missing: {', '.join(missing) or 'none'}.")
    if wrong := [row[0] for row in rows if len(row) != 5 or not all(row)]:
        raise UserError(f"{path}: {wrong[0]} has not five filled fields divided by tabs.")
    return rows


def cells_of(document: str, first: str) -> dict[str, dict[str, str]]:
    """Return the cells of the Markdown table whose header begins with `first`: row name -> column name -> cell.

    The dict is empty if `document` has no such table.
    """
    found: dict[str, dict[str, str]] = {}
    lines = document.splitlines()
    for at, line in enumerate(lines):
        if line.startswith(first):
            header = [cell.strip() for cell in line.strip("|").split("|")]
            for row in lines[at + 2 :]:
                if not row.startswith("|"):
                    break
                cells = [cell.strip() for cell in row.strip().strip("|").split("|")]
                found[cells[0].strip("`")] = dict(zip(header, cells, strict=False))
            break
    return found


def figure(text: str, document: str) -> str:
    """Return the text of a figure, in which values of the document's tables replace the marks.

    The head of this file explains the marks. A mark without a value becomes `not measured`.
    """
    playing = cells_of(document, "| configuration | what it is | weights |")
    diary = cells_of(document, "| configuration | date |")
    bach = cells_of(document, "| choice |")
    lesson = cells_of(document, "| class-room |")
    fits = cells_of(document, "| fit |")
    doubts = {name.split()[0].strip(","): row for name, row in cells_of(document, "| way |").items()}

    def told(match: re.Match[str]) -> str:
        kind, name = match.groups()
        if kind == "@" and name in playing:
            row = playing[name]
            return f"PCS {row['PCS']}, coupling {row['coupling']}, density {row['density']}"
        if kind == "%" and name in diary:
            row = diary[name]
            return f"loss {row['loss']}, {row['notes a step']} notes a step, in scale {row['in scale']}"
        if kind == "^" and not name:
            above = re.search(r"^Bach's chorales as notes.*?: (.*?);", document, re.MULTILINE)
            return above.group(1) if above else NOT_MEASURED
        if kind == "^" and name in bach:
            return f"as the event before: {bach[name]['as the event before']}"
        if kind == "&" and name in lesson:
            return lesson[name]["figure"]
        if kind == "~" and name in doubts:
            error = {way: row["calibration error"] for way, row in doubts.items()}
            return f"calibration error {error[name]}; one net {error['one']}, dropout {error['dropout']}"
        if kind == "~" and name in fits:
            shown = {fit: f"on@50 {row['on@50']}, frame {row['frame']}" for fit, row in fits.items()}
            return f"{shown[name]}; made by hand: {shown['hand-made']}"
        return NOT_MEASURED

    return re.sub(r"(?<!\w)([@%^&~])([a-z0-9-]*)", told, text)


def table(rows: list[list[str]], document: str) -> str:
    """Return the table of all seeds in Markdown, with a heading for each source document."""
    lines = []
    for seed, title in TITLES.items():
        own = [row for row in rows if row[0].rsplit("-", 1)[0] == seed]
        lines += ["", f"**{title}** ({len(own)} rows)", "", "| row | the seed says | command | figure | picture |"]
        lines += ["|---|---|---|---|---|"]
        for name, says, command, text, picture in own:
            lines.append(f"| {name} | {says} | `{command}` | {figure(text, document)} | {picture} |")
    return "\n".join([*lines, ""])


def other_pages(docs: Path) -> str:
    """Return the text of all pages of experiments in the folder `docs` but the one with the table of all seeds."""
    pages = sorted(path for path in (docs / "experiments").glob("*.md") if path.name != PAGE)
    return "\n\n".join(path.read_text(encoding="utf-8") for path in pages)


def filled(page: str, rows: list[list[str]], others: str) -> str:
    """Return the page with the table of all seeds between its two marks.

    The figures come from the tables in `others`, the text of the other pages. Raises UserError if either mark is
    missing or comes twice.
    """
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise UserError(f"docs/experiments/{PAGE} needs the marks {BEGIN} and {END} once each.")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{table(rows, others)}\n{END}{after}"


def write(docs: Path) -> str:
    """Write the table of all seeds into its page of experiments in the folder `docs`.

    Returns a line with the number of rows and of missing figures. Raises UserError if the rows in seeds.tsv are faulty,
    or if the page lacks a mark of the table.
    """
    path, rows = docs / "experiments" / PAGE, read_rows(docs / "seeds.tsv")
    text = filled(path.read_text(encoding="utf-8"), rows, other_pages(docs))
    path.write_text(text, encoding="utf-8")
    return f"{path}: {len(rows)} rows, {text.split(BEGIN)[1].count(NOT_MEASURED)} times {NOT_MEASURED!r}"
