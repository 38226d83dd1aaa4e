"""Tables and fields -> an Inspection: which sector, which header is which field, and all columns read and stacked."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from engine.columnar import HIGH
from engine.fields import Field
from engine.problems import InputError
from engine.tables.columns import Column, dtype_of, read_column
from engine.tables.headers import AmbiguousHeader, Match, Vocabulary
from engine.tables.info import with_info
from engine.tables.mapping import TableMapping
from engine.tables.matching import match_columns
from engine.tables.table import ColumnMatch, Inspection, Origin, Table
from engine.tables.values import CLASH, JUDGED

if TYPE_CHECKING:
    from engine.pack import Sector

DEFECTS = {
    "file": pl.String, "sheet": pl.String, "row": pl.Int64, "column": pl.String, "field": pl.String, "value": pl.String,
    "problem": pl.String, "message": pl.String,
}  # fmt: skip
MAX_TABLES = 65_535
_SHOWN = 30
MANY_ROWS = 50_000
OWNERS = ("enterprise", "enterprise_code", "region", "date")


def fits(
    tables: Sequence[Table],
    fields_by_sector: Mapping[str, Mapping[str, Field]],
    mapping: TableMapping | None = None,
    among: Collection[str] | None = None,
) -> dict[str, int]:
    """How many fields of each sector's own the headers of the tables name (only of the sectors `among` these). Fields of every sector do not count,
    unless there is only one sector."""
    headers = list(dict.fromkeys(header for table in tables for header in table.headers if header.strip()))
    shared: set[str] = set.intersection(*(set(fields) for fields in fields_by_sector.values())) if len(fields_by_sector) > 1 else set()
    scores: dict[str, int] = {}
    for sector, fields in fields_by_sector.items():
        if among is not None and sector not in among:
            continue
        vocabulary = Vocabulary({name: field for name, field in fields.items() if name not in shared}, mapping)
        scores[sector] = len({name for header in headers for name in _names(vocabulary, header)})
    return scores


def recognise(
    tables: Sequence[Table],
    fields_by_sector: Mapping[str, Mapping[str, Field]],
    titles: Mapping[str, str],
    mapping: TableMapping | None = None,
) -> str:
    """The sector whose own fields match most headers of the tables (`fits`). Raises InputError when no sector matches or two match equally."""
    headers = list(dict.fromkeys(header for table in tables for header in table.headers if header.strip()))
    scores = fits(tables, fields_by_sector, mapping)
    best = max(scores.values(), default=0)
    if best == 0:
        known = "、".join(f"{titles.get(sector, sector)}（{sector}）" for sector in fields_by_sector)
        raise InputError(
            f"认不出这是哪个行业的表：没有一个列名是{known}的字段。表里的列名有：{_listing(headers)}。"
            f"请把列名改成字段名，或在规则包的 fields.yaml 里给字段加上这些别名；确知行业的，用 --sector 指定。"
        )
    first = [sector for sector, score in scores.items() if score == best]
    if len(first) > 1:
        tied = "、".join(f"{titles.get(sector, sector)}（{sector}）" for sector in first)
        raise InputError(f"认不出这是哪个行业的表：{tied}各有 {best} 个列名相符。请用 --sector 指定一个。")
    return first[0]


def _names(vocabulary: Vocabulary, header: str) -> list[str]:
    try:
        match = vocabulary.find(header)
    except AmbiguousHeader as error:
        return [] if error.guess else list(error.names[:1])
    return [match.field.name] if match and match.how != "guess" else []


def _listing(headers: Sequence[str]) -> str:
    return "、".join(headers[:_SHOWN]) + (f" 等 {len(headers)} 个" if len(headers) > _SHOWN else "") if headers else "（没有）"


def bind(tables: Sequence[Table], fields: Mapping[str, Field], mapping: TableMapping | None = None, ask: bool = True) -> Inspection:
    """Match the headers of the tables to the fields, read all matched columns and stack the tables. `mapping` is what a person has settled.

    A table without any known header is not read: its origin has no headers and 0 rows. Raises InputError when no table has one and, with `ask`,
    when a person must settle which column is which (`match_columns`)."""
    if len(tables) > MAX_TABLES:
        raise InputError(f"一次读了 {len(tables)} 张表，超过 {MAX_TABLES} 张。请分批处理。")
    vocabulary = Vocabulary(fields, mapping)
    frames: list[pl.DataFrame] = []
    origins: list[Origin] = []
    columns: list[ColumnMatch] = []
    defects: list[pl.DataFrame] = [pl.DataFrame(schema=DEFECTS)]
    for number, table in enumerate(tables):
        chosen, matched = match_columns(table, vocabulary, ask)
        table, chosen, told = with_info(table, chosen, vocabulary) if chosen and table.info else (table, chosen, [])
        columns += [*matched, *told]
        if not chosen:
            origins.append(Origin(table.file, table.sheet, {}, 0, (*table.skipped, (0, "没有一个列名认得，整张表没有读"))))
            continue
        order = {name: place for place, name in enumerate(fields)}
        headers = {match.field.name: table.headers[index] for index, match in chosen.items()}
        made: dict[str, pl.Series] = {}
        for (index, match), column in zip(chosen.items(), _columns(table, chosen, mapping), strict=True):
            made[match.field.name] = column.values
            if column.high is not None:
                made[match.field.name + HIGH] = column.high
            if column.faults.height:
                defects.append(_listed(column.faults, table, index, match.field.name))
        named = sorted(made, key=lambda name: order.get(name.removesuffix(HIGH), len(order)))
        frame = pl.DataFrame([made[name].rename(name) for name in named])
        frames.append(frame.with_columns(pl.lit(number, dtype=pl.UInt16).alias("__table"), table.rows.alias("__row")))
        origins.append(Origin(table.file, table.sheet, headers, frame.height, table.skipped))
    if not frames:
        headers_seen = list(dict.fromkeys(header for table in tables for header in table.headers if header.strip()))
        raise InputError(
            f"表里没有一个列名是认得的字段，无从判定。表里的列名有：{_listing(headers_seen)}。"
            f"请把列名改成字段名，或在规则包的 fields.yaml 里给字段加上这些别名。"
        )
    return Inspection(_stacked(frames, fields), tuple(origins), tuple(columns), pl.concat(defects))


def _columns(table: Table, chosen: Mapping[int, Match], mapping: TableMapping | None) -> list[Column]:
    """The matched columns, read; those of a large table side by side, for the work is done outside Python."""

    def read(pair: tuple[int, Match]) -> Column:
        index, match = pair
        cells = table.frame[f"c{index}"]
        cells = cells if mapping is None else mapping.replaced(cells, match.field.name)
        return read_column(cells, match.field, match.unit, bool(table.sheet), bounds=True)

    if table.frame.height < MANY_ROWS:
        return [read(pair) for pair in chosen.items()]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(read, chosen.items()))


def with_children(inspection: Inspection, sector: Sector, children: Mapping[str, Inspection]) -> Inspection:
    """The inspection, its origins naming the child tables from which a field follows."""
    from_child = {
        name: "、".join(f"子表“{origin.sheet or Path(origin.file).name or derived.child}”" for origin in children[derived.child].origins)
        for name, derived in sector.derived.items()
        if derived.child in children
    }
    origins = tuple(replace(origin, headers={**from_child, **origin.headers}) for origin in inspection.origins)
    return replace(inspection, origins=origins)


def owners_of(child: Inspection, fields: Mapping[str, Field]) -> Inspection:
    """The inspection that a child table alone makes: what it says of whose its rows are, and on which day."""
    kept = [name for name in child.frame.columns if name.startswith("__") or (name in fields and fields[name].role in OWNERS)]
    return replace(child, frame=child.frame.select(kept), owners=True, columns=(), defects=child.defects.clear())


def _stacked(frames: Sequence[pl.DataFrame], fields: Mapping[str, Field]) -> pl.DataFrame:
    """The frames one below the other. Where one of them gives bounds of a field, the others' values are both ends of theirs."""
    present = {name for frame in frames for name in frame.columns}
    schema = {end: dtype_of(field) for name, field in fields.items() for end in (name, name + HIGH) if end in present}
    if len(frames) == 1:
        return frames[0].select(*schema, "__table", "__row")
    filled = []
    for frame in frames:
        lacking = {name: dtype for name, dtype in schema.items() if name not in frame.columns}
        ends = [pl.col(name.removesuffix(HIGH)).alias(name) for name in lacking if name.endswith(HIGH) and name.removesuffix(HIGH) in frame.columns]
        known = {end.meta.output_name() for end in ends}
        filled.append(frame.with_columns(*ends, *(pl.lit(None, dtype=dtype).alias(name) for name, dtype in lacking.items() if name not in known)))
    return pl.concat([frame.select(*schema, "__table", "__row") for frame in filled])


def _listed(faults: pl.DataFrame, table: Table, index: int, field: str) -> pl.DataFrame:
    """The faults of a column as defects, each with its place."""
    return faults.select(
        file=pl.lit(table.file),
        sheet=pl.lit(table.sheet),
        row=table.rows_of(index).gather(faults["index"]).cast(pl.Int64),
        column=pl.lit(table.headers[index]),
        field=pl.lit(field),
        value=pl.col("value").str.strip_chars_start(CLASH + JUDGED),
        problem="problem",
        message="message",
    )
