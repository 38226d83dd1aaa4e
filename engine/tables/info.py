"""What stands above a table (检查日期：2024-05-06) holds for every row of it, where no column of the table says the same."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from engine.tables.headers import AmbiguousHeader, Match, Vocabulary
from engine.tables.table import ColumnMatch, Table, column_of


def with_info(table: Table, chosen: dict[int, Match], vocabulary: Vocabulary) -> tuple[Table, dict[int, Match], list[ColumnMatch]]:
    """The table with a column for each label above it that names a field which no column is; the columns chosen with these; how these were
    understood. A label that is only near to a field's name, or stands there twice with different values, is not used."""
    taken = {match.field.name for match in chosen.values()}
    found: dict[str, list[tuple[str, object, int, Match]]] = {}
    for label, value, row in table.info:
        try:
            match = vocabulary.find(label)
        except AmbiguousHeader:
            continue
        if match is not None and match.how != "guess" and match.field.name not in taken:
            found.setdefault(match.field.name, []).append((label, value, row, match))
    more, matches = dict(chosen), []
    for told in found.values():
        label, value, row, match = min(told, key=lambda one: one[3].rank)
        if len({str(other) for _, other, _, rival in told if rival.rank == match.rank}) > 1:
            continue
        index = table.frame.width
        cells = column_of([value]).new_from_index(0, table.frame.height).alias(f"c{index}")
        rows = pl.Series([row], dtype=pl.UInt32).new_from_index(0, table.frame.height)
        table = replace(table, headers=(*table.headers, label), frame=table.frame.with_columns(cells), places={**table.places, index: rows})
        more[index] = match
        matches.append(ColumnMatch(table.file, table.sheet, label, match.field.name, match.how, index + 1, (), f"表头上方第 {row} 行的信息"))
    return table, more, matches
