"""Tables that are typed already: parquet, Arrow files, data frames in memory; and flat JSON records. They have no header row: their
column names are the headers."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from engine.problems import InputError
from engine.tables.layout import drop_rows
from engine.tables.table import BEIJING, Table, column_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MAX_JSON = 1 << 30


def table_of(frame: pl.DataFrame, headers: Sequence[str], file: str, tidy: bool) -> Table:
    """A typed frame as a Table, with column types reduced to those of `Table`. `tidy` leaves out blank, total and note rows."""
    place = f"文件“{file}”" if file else "传入的数据表"
    if not frame.width:
        raise InputError(f"{place}没有列。")
    if not frame.height:
        raise InputError(f"{place}只有列名，没有数据行。请检查导出时的筛选条件，或换一份有数据的表。")
    plain = pl.DataFrame([_plain(frame[:, i]).alias(f"c{i}") for i in range(frame.width)])
    rows = pl.int_range(1, frame.height + 1, dtype=pl.UInt32, eager=True)
    table = Table(file, "", tuple(headers), plain, rows)
    return drop_rows(table) if tidy else table


def _plain(series: pl.Series) -> pl.Series:
    kind = series.dtype
    if kind in (pl.String, pl.Boolean, pl.Date, pl.Float64, pl.Int64):
        return series.fill_nan(None) if kind == pl.Float64 else series
    if isinstance(kind, pl.Categorical | pl.Enum) or kind == pl.Categorical:
        return series
    if isinstance(kind, pl.Null) or kind in (pl.Time, pl.Duration):
        return series.cast(pl.String)
    if isinstance(kind, pl.Datetime):
        if kind.time_zone in ("UTC", "Etc/UTC", "+00:00", "GMT", "Z"):  # instants: in Beijing it may be the next day
            series = (series.dt.replace_time_zone(None) + BEIJING.utcoffset(None)).rename(series.name)
        elif kind.time_zone:
            series = series.dt.replace_time_zone(None)
        return series.cast(pl.Datetime("us"))
    if kind.is_integer():
        try:
            return series.cast(pl.Int64)
        except pl.exceptions.PolarsError:
            return series.cast(pl.String)
    if kind.is_float() or kind.is_decimal():
        return series.cast(pl.Float64).fill_nan(None)
    if kind == pl.Binary:
        return series.cast(pl.String, strict=False)
    return series  # lists and the like: refused by `bind` when a field is bound to them


def from_polars(frame: pl.DataFrame) -> Table:
    """A polars frame; blank rows, totals and notes are left out."""
    return table_of(frame, frame.columns, "", tidy=True)


def from_arrow(table: pa.Table) -> Table:
    """A pyarrow table; column names may repeat."""
    columns = [_from_arrow(table.column(i)) for i in range(table.num_columns)]
    frame = pl.DataFrame([column.alias(f"c{i}") for i, column in enumerate(columns)])
    return table_of(frame, table.column_names, "", tidy=True)


def _from_arrow(column: Any) -> pl.Series:
    made = pl.from_arrow(column)
    assert isinstance(made, pl.Series)
    return made


def from_pandas(frame: pd.DataFrame) -> Table:
    """A pandas frame; its index is not read. Object columns whose cells differ in type are read like cells of a sheet."""
    import pyarrow as pa

    columns = []
    for i in range(frame.shape[1]):
        series = frame.iloc[:, i]
        try:
            columns.append(_from_arrow(pa.chunked_array([pa.Array.from_pandas(series)]) if len(series) else pa.chunked_array([], pa.string())))
        except (pa.ArrowException, TypeError, ValueError):
            columns.append(column_of([None if _missing(cell) else cell for cell in series.tolist()]))
    headers = ["/".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in frame.columns]
    return table_of(pl.DataFrame([column.alias(f"c{i}") for i, column in enumerate(columns)]), headers, "", tidy=True)


def _missing(cell: object) -> bool:
    return cell is None or type(cell).__name__ in ("NAType", "NaTType") or (isinstance(cell, float) and math.isnan(cell))


def read_typed(name: str, suffix: str) -> Table:
    """A parquet or Arrow (ipc, feather) file."""
    try:
        frame = pl.read_parquet(name, glob=False) if suffix == ".parquet" else _read_ipc(name)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError):
        raise InputError(f"文件“{name}”打不开，内容有损坏，或不是它的后缀所说的格式（{suffix[1:]}）。请重新导出后再试。") from None
    return table_of(frame, frame.columns, name, tidy=False)


def _read_ipc(name: str) -> pl.DataFrame:
    with open(name, "rb") as file:
        return pl.read_ipc(file) if file.peek(6).startswith(b"ARROW1") else pl.read_ipc_stream(file)


def read_json(data: bytes, name: str, lines: bool) -> Table:
    """Flat JSON records: an array of objects, or one object a line. Raises InputError for anything else, with the record's number."""
    if len(data) > MAX_JSON:
        raise InputError(f"文件“{name}”超过 {MAX_JSON >> 20} MB，JSON 太大。请导出为 csv 或 parquet。")
    if not data.strip():
        raise InputError(f"文件“{name}”是空的，没有可读的表。请检查导出是否成功。")
    try:
        text = data.decode("utf-8-sig")
        records = [json.loads(line) for line in text.splitlines() if line.strip()] if lines else json.loads(text)
    except (ValueError, RecursionError) as error:
        place = f"第 {error.lineno} 行第 {error.colno} 列附近" if isinstance(error, json.JSONDecodeError) and not lines else ""
        raise InputError(f"文件“{name}”{place}不是合法的 UTF-8 编码的 JSON。请重新导出，或导出为 csv、xlsx。") from None
    if not isinstance(records, list):
        raise InputError(f'文件“{name}”应当是一个数组，每项是一条记录：[{{"列名": 值, …}}, …]。')
    names: dict[str, None] = {}
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            raise InputError(f"文件“{name}”第 {number} 条不是“列名: 值”的记录。")
        for key, value in record.items():
            if isinstance(value, dict | list):
                raise InputError(f"文件“{name}”第 {number} 条的“{key}”里还套着一层，只能读平的记录。请把它展开成几列后再试。")
            names[key] = None
    if not records or not names:
        raise InputError(f"文件“{name}”没有数据行。请检查导出时的筛选条件，或换一份有数据的表。")
    frame = pl.DataFrame({f"c{i}": column_of([record.get(key) for record in records]) for i, key in enumerate(names)})
    return table_of(frame, list(names), name, tidy=True)
