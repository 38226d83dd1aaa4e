"""The tests that stand beside the rules, read and judged without the engine's judgement: by the interpreter of docs/semantics.md.

Cells are read as a table would be (`engine.tables`), files as rule files; all else is the interpreter's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from engine.fields import DATE_FIELD
from engine.pack import Sector
from engine.rulefile import Items, Mapping, Node, Scalar, read_rule_file
from engine.tables.columns import read_column
from tests.semantics import interpreter

KEYS = {"criterion", "row", "verdict", "suspected", "why"}


@dataclass(frozen=True)
class Beside:
    """One test as written. `suspected` None: not asked."""

    place: str
    criterion: str
    cells: tuple[tuple[str, str], ...]
    verdict: str
    suspected: bool | None


def read_beside(folder: Path) -> list[Beside]:
    """All tests in the files of a sector's folder."""
    found: list[Beside] = []
    for path in sorted(folder.glob("*.yaml")):
        top, source = read_rule_file(path)
        assert top is not None and not source.problems, source.problems
        if path.name.endswith(".tests.yaml"):
            found += _listed(path.name, top.get("tests"), "")
        elif top.get("criteria") is not None:
            for criterion in _items(top.get("criteria")):
                assert isinstance(criterion, Mapping)
                if criterion.get("tests") is not None:
                    found += _listed(path.name, criterion.get("tests"), _text(criterion.get("id")))
    return found


def _items(node: Node | None) -> list[Node]:
    assert isinstance(node, Items)
    return node.items


def _text(node: Node | None) -> str:
    assert isinstance(node, Scalar)
    return node.text


def _listed(name: str, node: Node | None, owner: str) -> Iterator[Beside]:
    for test in _items(node):
        assert isinstance(test, Mapping)
        place = f"{name}:{test.line}"
        assert set(test.entries) <= KEYS, place
        row, suspected = test.get("row"), test.get("suspected")
        assert isinstance(row, Mapping), place
        cells = tuple((field, "" if isinstance(cell, Scalar) and cell.value() is None else _text(cell)) for field, (_, cell) in row.entries.items())
        yield Beside(
            place, owner or _text(test.get("criterion")), cells, _text(test.get("verdict")), None if suspected is None else _text(suspected) == "true"
        )


def judged(tests: list[Beside], sector: Sector) -> list[tuple[str, bool]]:
    """The verdict that the interpreter finds on each row, and whether it is suspected. A field that a row leaves out is blank; without
    检查日期 the row is judged on the criterion's first day. Aggregates see one test at a time."""
    criteria = {criterion.id: criterion for criterion in sector.criteria}
    columns: dict[str, list[interpreter.Value]] = {}
    for name, field in sector.fields.items():
        texts = pl.Series([dict(test.cells).get(name) for test in tests], dtype=pl.String)
        columns[name] = read_column(texts, field).values.to_list()
    found = []
    for number, test in enumerate(tests):
        unknown = [name for name, _ in test.cells if name not in columns]
        assert not unknown, f"{test.place}: no such field: {unknown}"
        criterion = criteria[test.criterion]
        row = {name: values[number] for name, values in columns.items()}
        date = row[DATE_FIELD] or criterion.start
        assert isinstance(date, dt.date)
        (whole,) = interpreter.chain(sector, [{**row, DATE_FIELD: date}], [date])
        found.append(interpreter.verdict(criterion, whole, date))
    return found
