"""A line of JSON -> an inspection: its sectors, its typed cells, its child rows, and what could not be read.

One line is read as a table of one row would be: the same headers are understood, the same notations of cells, the same faults. Nothing is asked of
other lines. What has been understood once (headers, the names of sectors, the notation of a cell) is remembered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from engine.children import Child
from engine.columnar import HIGH
from engine.fields import Field
from engine.pack import Pack
from engine.problems import InputError
from engine.tables import Naming, Table, assign, bind
from engine.tables.columns import read_column
from engine.tables.headers import AmbiguousHeader, Match, Vocabulary
from engine.tables.matching import match_columns
from engine.tables.table import column_of

MAX_LINE = 4 << 20
_REMEMBERED = 200_000
_NAME = re.compile(r"[\u4e00-\u9fff][\u4e00-\u9fffA-Za-z0-9（）]{4,}")
"""A text that can be nothing but itself: no notation of blanks, numbers or errors looks like it."""
Cell = tuple[Any, Any, tuple[str, str] | None]
"""The two ends of a cell's value (the same for a single one), and where it cannot be read its problem (code, message)."""


@dataclass
class Reading:
    """A line as one sector reads it: `cells` has a value (None: blank) for each field whose column the line has (name + HIGH: its upper
    end, where only bounds are known); `defects` as in
    docs/results.md, without file and sheet; `children` the child rows by the name of their table."""

    sector: str
    cells: dict[str, Any]
    defects: list[dict[str, Any]] = field(default_factory=list)
    children: dict[str, pl.DataFrame] = field(default_factory=dict)


class Reader:
    """Reads lines for the sectors of a pack. `wanted`: the sectors asked for (empty: as each line says, else by its names)."""

    def __init__(self, pack: Pack, naming: Naming, wanted: Sequence[str]):
        self.pack, self.naming, self.wanted = pack, naming, list(wanted)
        self._vocabularies = {name: Vocabulary(sector.fields, naming.mapping) for name, sector in pack.sectors.items()}
        of_sector = {name: f for mine in naming.fields.values() for name, f in mine.items() if f.role == "sector"}
        self._of_sector = Vocabulary(of_sector, naming.mapping)
        self._matches: dict[tuple[object, ...], dict[int, Match] | None] = {}
        self._telling: dict[tuple[str, ...], list[str]] = {}
        self._sectors: dict[tuple[object, ...], list[str] | str] = {}
        self._cells: dict[tuple[str, str, type, object], Cell] = {}

    def read(self, text: bytes) -> list[Reading]:
        """The readings of a line, one for each of its sectors. Raises InputError when the line is no inspection."""
        record = _record(text)
        lists = {name: value for name, value in record.items() if isinstance(value, list) and value}
        flat = {name: value for name, value in record.items() if not isinstance(value, list | dict)}
        for name, value in record.items():
            if isinstance(value, dict):
                raise InputError(f"“{name}”里还套着一层，不是一格。请把它展开成几项；子表写成列表：[{{…}}, …]。")
        headers = tuple(flat)
        if not headers:
            raise InputError("这一行没有一格内容。每行应当是一次检查：{“列名”: 值, …}。")
        made = []
        for sector in self._sectors_of(headers, flat):
            reading = self._read(sector, headers, flat)
            self._add_children(reading, lists)
            made.append(reading)
        return made

    def _sectors_of(self, headers: tuple[str, ...], flat: Mapping[str, object]) -> list[str]:
        if headers not in self._telling:
            if len(self._telling) > 4096:
                self._telling.clear()
            self._telling[headers] = [header for header in headers if self._tells_sector(header)]
        key = (headers, *(flat[header] for header in self._telling[headers]))
        found = self._sectors.get(key)
        if found is None:
            if len(self._sectors) > _REMEMBERED:
                self._sectors.clear()
            found = self._sectors[key] = self._assigned(headers, flat)
        if isinstance(found, str):
            raise InputError(found)
        return found

    def _assigned(self, headers: tuple[str, ...], flat: Mapping[str, object]) -> list[str] | str:
        """The sectors of a line, or why it has none."""
        try:
            assigned = assign([_table(headers, [flat])], self.naming, self.wanted)
        except InputError as error:
            return str(error)
        sectors = [name for name, tables in assigned.tables.items() if tables]
        return sectors or "这一行像是子表的行。子表的行请写在所属检查的那一行里：“子表名”: [{…}, …]。"

    def _tells_sector(self, header: str) -> bool:
        try:
            return self._of_sector.find(header) is not None
        except AmbiguousHeader:
            return False

    def _read(self, sector: str, headers: tuple[str, ...], flat: Mapping[str, object]) -> Reading:
        reading = Reading(sector, {})
        for index, match in self._matched(sector, headers, flat).items():
            header = headers[index]
            low, high, problem = self._cell(sector, header, match, flat[header])
            reading.cells[match.field.name] = low
            if high != low:
                reading.cells[match.field.name + HIGH] = high
            if problem is not None:
                reading.defects.append(
                    {"column": header, "field": match.field.name, "value": _shown(flat[header]), "problem": problem[0], "message": problem[1]}
                )
        if not reading.cells:
            raise InputError(f"没有一个名字是认得的字段，无从判定。这一行有：{'、'.join(headers[:20])}。")
        return reading

    def _matched(self, sector: str, headers: tuple[str, ...], flat: Mapping[str, object]) -> Mapping[int, Match]:
        """Which column is which field: by the headers alone, or, where those leave a question, by which of the columns this line fills in."""
        key: tuple[object, ...] = (sector, headers)
        if len(self._matches) > 4096:
            self._matches.clear()
        if key not in self._matches:
            try:
                self._matches[key] = match_columns(_table(headers, [dict.fromkeys(headers, "…")]), self._vocabularies[sector])[0]
            except InputError:
                self._matches[key] = None
        found = self._matches[key]
        if found is None:
            key = (sector, headers, tuple(not (_shown(flat[header]) or "").strip() for header in headers))
            if key not in self._matches:
                self._matches[key] = match_columns(_table(headers, [flat]), self._vocabularies[sector])[0]
            found = self._matches[key]
        assert found is not None
        return found

    def _cell(self, sector: str, header: str, match: Match, raw: object) -> Cell:
        if match.field.type == "text" and type(raw) is str and _NAME.fullmatch(raw):
            return raw, raw, None
        key = (sector, header, type(raw), raw)
        found = self._cells.get(key)
        if found is None:
            if len(self._cells) > _REMEMBERED:
                self._cells.clear()
            column = read_column(self.naming.mapping.replaced(column_of([raw]), match.field.name), match.field, match.unit, bounds=True)
            faults = column.faults.row(0, named=True) if column.faults.height else None
            low, high = column.values[0], column.values[0] if column.high is None else column.high[0]
            found = self._cells[key] = (low, high, (faults["problem"], faults["message"]) if faults else None)
        return found

    def _add_children(self, reading: Reading, lists: Mapping[str, list[Any]]) -> None:
        children = self.pack.sectors[reading.sector].children
        for name, rows in lists.items():
            child = _named(children, name)
            if child is None:
                raise InputError(f"“{name}”是列表，但{self.naming.titles[reading.sector]}没有这个子表。{_known(children)}")
            if not all(isinstance(row, dict) and not any(isinstance(cell, list | dict) for cell in row.values()) for row in rows):
                raise InputError(f"子表“{name}”的每一项应当是平的记录：{{“列名”: 值, …}}。")
            headers = tuple(dict.fromkeys(header for row in rows for header in row))
            read = bind([_table(headers, rows)], child.fields, self.naming.mapping)
            reading.children[child.name] = read.frame
            reading.defects += [
                {key: one[key] for key in ("column", "field", "value", "problem", "message")} for one in read.defects.iter_rows(named=True)
            ]


def _record(text: bytes) -> dict[str, Any]:
    if len(text) > MAX_LINE:
        raise InputError(f"这一行超过 {MAX_LINE >> 20} MB。一行应当只是一次检查。")
    try:
        record = json.loads(text.decode("utf-8-sig"), parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise InputError("这一行不是 UTF-8 编码。请按 UTF-8 输出。") from None
    except (ValueError, RecursionError) as error:
        place = f"第 {error.colno} 列附近" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"这一行{place}不是合法的 JSON。每行应当是一次检查：{{“列名”: 值, …}}，不换行。") from None
    if not isinstance(record, dict):
        raise InputError("这一行不是一条记录。每行应当是一次检查：{“列名”: 值, …}。")
    return record


def _no_constant(name: str) -> None:
    return None  # NaN and Infinity are no values


def _table(headers: Sequence[str], rows: Sequence[Mapping[str, object]]) -> Table:
    frame = pl.DataFrame([column_of([row.get(header) for row in rows]).alias(f"c{n}") for n, header in enumerate(headers)])
    return Table("", "", tuple(headers), frame, pl.Series(range(1, len(rows) + 1), dtype=pl.UInt32))


def _named(children: Mapping[str, Child], name: str) -> Child | None:
    return next((child for child in children.values() if name in (child.name, *child.aliases)), None)


def _known(children: Mapping[str, Child]) -> str:
    return f"可以有的子表：{'、'.join(children)}。" if children else "列表只用来写子表。"


def _shown(raw: object) -> str | None:
    return None if raw is None else str(raw)


def role(fields: Mapping[str, Field], cells: Mapping[str, Any], wanted: str) -> str | None:
    """The text of the field with this role, None where blank."""
    for name in cells:
        if name in fields and fields[name].role == wanted and cells[name] is not None:
            return str(cells[name])
    return None
