"""docs/semantics.md as data: its dictionary of fields, and its tables with the heading under which each stands."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from engine.fields import Field

PAGE = Path(__file__).resolve().parents[2] / "docs" / "semantics.md"
BLANK = "·"


@dataclass(frozen=True)
class PageTable:
    """One table of the page: the heading above it, its header cells and its rows (text, without backticks)."""

    heading: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Example:
    """One row of a table that shows a condition: its text, the cells of the fields named, and what it gives."""

    heading: str
    condition: str
    cells: tuple[tuple[str, str], ...]
    kind: str
    expected: str

    def __str__(self) -> str:
        row = " ".join(f"{name}={cell}" for name, cell in self.cells if cell != BLANK)
        return f"{self.condition} [{row}] is {self.expected}"


def fields_yaml() -> str:
    """The dictionary of fields, as the text of a fields.yaml."""
    found = re.search(r"^```yaml\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert found, "the page has no dictionary of fields"
    return found.group(1)


def tables() -> list[PageTable]:
    """All tables of the page, in order."""
    found: list[PageTable] = []
    heading, lines = "", []
    for line in [*PAGE.read_text("utf-8").splitlines(), ""]:
        if line.startswith("#"):
            heading = line.lstrip("# ").strip()
        if line.startswith("|"):
            lines.append(tuple(cell.strip().strip("`") for cell in line.strip("|\n ").split("|")))
        elif lines:
            header, _, *rows = lines
            assert all(len(row) == len(header) for row in rows), f"a ragged table under “{heading}”"
            found.append(PageTable(heading, header, tuple(rows)))
            lines = []
    return found


def table(*header: str) -> PageTable:
    """The one table whose header begins with these cells."""
    (found,) = [one for one in tables() if one.header[: len(header)] == header]
    return found


def examples() -> list[Example]:
    """Every row of every table whose first column is `condition`."""
    return [
        Example(one.heading, row[0], tuple(zip(one.header[1:-1], row[1:-1], strict=True)), one.header[-1], row[-1])
        for one in tables()
        if one.header[0] == "condition"
        for row in one.rows
    ]


def truth(text: str) -> bool | None:
    """A truth value as the page writes it."""
    return {"true": True, "false": False, "unknown": None}[text]


def cell(text: str, field: Field) -> bool | float | int | dt.date | str | None:
    """A cell as the page writes it, typed as the field wants it; None for a blank."""
    if text == BLANK:
        return None
    if field.type == "bool":
        return {"是": True, "否": False}[text]
    if field.type == "number":
        return float(text)
    if field.type == "integer":
        return int(text)
    return dt.date.fromisoformat(text) if field.type == "date" else text


def result(text: str, kind: str) -> bool | Decimal | dt.date | None:
    """What a condition gives, as the page writes it: kind is truth, number or date."""
    if text == "unknown":
        return None
    if kind == "truth":
        return truth(text)
    return Decimal(text) if kind == "number" else dt.date.fromisoformat(text)
