"""What passes between the steps: a raw table, where it came from, how its columns were understood. Nothing here reads files or cells."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import polars as pl

from engine.fields import DATE_FIELD

MIXED = pl.Struct({"text": pl.String, "number": pl.Float64, "date": pl.Datetime("us"), "truth": pl.Boolean})
"""The type of a column whose cells differ in type: exactly one part of a filled cell is set, none of a blank one."""

BEIJING = dt.timezone(dt.timedelta(hours=8))

EXACT = 2**53
"""From here on a float no longer holds every integer, so integers are kept as text where they cannot stay integers."""


@dataclass(frozen=True)
class Table:
    """One raw table as found: nothing interpreted yet.

    `file` is the name as the user gave it, empty for a data frame; `sheet` is the sheet of a workbook, else empty. `headers` are as in
    the file, one per column of `frame` (they may be empty or repeat). `frame` has columns c0, c1, …: String, or typed where the source
    is typed (Int64, Float64, Boolean, Date, Datetime), or `MIXED` where the cells differ. `rows` (UInt32) is the 1-based row of each
    frame row in its source: the row of the sheet; the record of a csv file, the first one counting 1; in a source without a header row
    (parquet, json, a data frame) the first row counts 1. `skipped` lists (row, why) of the rows left out; row 0 means a whole sheet.
    Where a row was put together from several rows of the source, `places` holds, by column index, the row of each cell (`rows` the first).
    `info` are the known labels above the table with their values and rows: they hold for every row that says nothing itself.
    """

    file: str
    sheet: str
    headers: tuple[str, ...]
    frame: pl.DataFrame
    rows: pl.Series
    skipped: tuple[tuple[int, str], ...] = ()
    places: Mapping[int, pl.Series] = field(default_factory=dict)
    info: tuple[tuple[str, object, int], ...] = ()

    def take(self, index: pl.Series) -> Table:
        """Some of the rows, by position."""
        places = {column: rows.gather(index) for column, rows in self.places.items()}
        return replace(self, frame=self.frame[index], rows=self.rows.gather(index), places=places)

    def rows_of(self, column: int) -> pl.Series:
        """The source row of each cell of a column."""
        return self.places.get(column, self.rows)

    @property
    def place(self) -> str:
        """How messages name the table."""
        name = f"文件“{self.file}”" if self.file else "传入的数据表"
        return f"{name}的工作表“{self.sheet}”" if self.sheet else name


@dataclass(frozen=True)
class Origin:
    """A table that was read: `headers` maps field names to headers as in the file; `rows` counts the rows used (0: nothing matched)."""

    file: str
    sheet: str
    headers: Mapping[str, str]
    rows: int
    skipped: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class ColumnMatch:
    """How one column was understood. `how` is exact (canonical name), alias, normalised, guess (one letter off), mapping (settled by a person),
    open (several fields could be meant, `candidates`, or several columns could be the field: a person must settle it), or unused (`note` says why,
    where there is more to say than that no field is called so). `number` is the column's place, from 1."""

    file: str
    sheet: str
    header: str
    field: str
    how: str
    number: int = 0
    candidates: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Inspection:
    """Inspection tables, read: `frame` has one typed column per matched field (null: blank or unreadable), plus `__table` (UInt16, index
    into `origins`) and `__row` (UInt32, as in `Table.rows`). `defects` lists every unreadable cell: file, sheet, row, column (header),
    field, value, problem (code), message."""

    frame: pl.DataFrame
    origins: tuple[Origin, ...]
    columns: tuple[ColumnMatch, ...]
    defects: pl.DataFrame
    owners: bool = False
    """Whether the rows are those of a child table, of which each owner is judged once."""

    @property
    def dateless(self) -> int:
        """How many rows have no 检查日期."""
        return self.frame.height if DATE_FIELD not in self.frame.columns else self.frame[DATE_FIELD].null_count()


def column_of(cells: Sequence[object]) -> pl.Series:
    """Cells that each have a type of their own as one column: of the plain type when all filled cells agree, else `MIXED`.

    None and empty text are blank. Times of day, durations and decimals beyond a float become text, as do integers that a float
    cannot hold in a column that is not all integers."""
    kinds = {_KIND.get(kind, "other") for kind in set(map(type, cells))}
    if "other" in kinds:
        cells = [_plain(cell) for cell in cells]
        kinds = {_KIND.get(kind, "other") for kind in set(map(type, cells))}
    kinds.discard("blank")
    if kinds == {"integer"} and all(cell is None or abs(cell) < 2**63 for cell in cells):  # type: ignore[arg-type]
        return pl.Series(cells, dtype=pl.Int64, strict=False)
    if "integer" in kinds:
        cells = [str(cell) if type(cell) is int and abs(cell) > EXACT else cell for cell in cells]
        kinds = {_KIND[kind] for kind in set(map(type, cells))} - {"blank", "integer"} | {"number"}
    if len(kinds) == 1:
        return _part(cells, kinds.pop())
    if not kinds:
        return pl.Series([None] * len(cells), dtype=pl.String)
    parts = {name: _part(cells, kind) for name, kind in _PARTS.items()}
    text = parts["text"]
    if not bool(((text.str.strip_chars() != "") & text.is_not_null()).any()):
        rest = kinds - {"text"}
        if len(rest) == 1:
            return parts[next(name for name, kind in _PARTS.items() if kind in rest)]
    parts["date"] = parts["date"].cast(pl.Datetime("us"))
    return pl.DataFrame(parts).to_struct("").cast(MIXED)


_KIND: dict[type, str] = {
    type(None): "blank", str: "text", int: "integer", float: "number", bool: "truth", dt.date: "date", dt.datetime: "date",
}  # fmt: skip
_PARTS = {"text": "text", "number": "number", "date": "date", "truth": "truth"}


def _part(cells: Sequence[object], kind: str) -> pl.Series:
    """The cells of one kind, null elsewhere. Dates are Datetime, at midnight where the cell has no time."""
    if kind == "text":
        return pl.Series([cell if type(cell) is str else None for cell in cells], dtype=pl.String)
    if kind == "number":
        numbers = pl.Series([float(cell) if type(cell) in (float, int) else None for cell in cells], dtype=pl.Float64)  # type: ignore[arg-type]
        return numbers.fill_nan(None)
    if kind == "truth":
        return pl.Series([cell if type(cell) is bool else None for cell in cells], dtype=pl.Boolean)
    return pl.Series([_moment(cell) for cell in cells], dtype=pl.Datetime("us"))


def _moment(cell: object) -> dt.datetime | None:
    """A date or moment as local time. One in universal time is an instant, so it becomes Beijing time: it may be the next day there."""
    if isinstance(cell, dt.datetime):
        if cell.tzinfo is not None and not cell.utcoffset():
            cell = cell.astimezone(BEIJING)
        return dt.datetime(*cell.timetuple()[:6])
    return dt.datetime.combine(cell, dt.time()) if isinstance(cell, dt.date) else None


def _plain(cell: object) -> object:
    """A cell of an unusual type as one of the plain types; whatever is unknown becomes its text."""
    if type(cell) in _KIND:
        return cell
    if type(cell).__name__ in ("NAType", "NaTType"):
        return None
    item = getattr(cell, "item", None)  # a numpy scalar
    if callable(item) and type(cell).__module__ == "numpy":
        cell = item()
    if isinstance(cell, Decimal):
        return int(cell) if cell == cell.to_integral_value() else float(cell) if cell.is_finite() else None
    if isinstance(cell, dt.datetime):
        return _moment(cell)
    for kind in (str, bool, int, float):
        if isinstance(cell, kind):
            return kind(cell)
    return str(cell)
