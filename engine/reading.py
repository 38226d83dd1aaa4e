"""What was read of each table: its rows, how its columns were understood, what was skipped; gathered over the sectors that judged it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.fields import Field
from engine.tables import ColumnMatch, Inspection

_SURENESS = ("mapping", "exact", "alias", "normalised", "guess", "open", "unused")


@dataclass(frozen=True)
class Reading:
    """One table. `child` names the child table that it is, empty for an inspection table; `sectors` (ids) are those that judged its rows, `rows`
    how many they used (a row that two sectors judged counts once in each); `columns` has one entry a column, or several where sectors understand
    it differently; `skipped` lists (row, why), row 0 meaning the whole table; `fields` is all that a column could have been."""

    file: str
    sheet: str
    child: str
    sectors: tuple[str, ...]
    rows: int
    columns: tuple[ColumnMatch, ...]
    skipped: tuple[tuple[int, str], ...]
    fields: Mapping[str, Field]


def readings(read: Iterable[tuple[str, str, Inspection, Mapping[str, Field]]]) -> tuple[Reading, ...]:
    """The tables of a run, in the order in which they were first read. `read` are (sector, child table or "", inspection, its fields)."""
    made: dict[tuple[str, str, str], Reading] = {}
    for sector, child, inspection, fields in read:
        for origin in inspection.origins:
            key = (origin.file, origin.sheet, child)
            mine = tuple(column for column in inspection.columns if (column.file, column.sheet) == key[:2])
            if inspection.owners:  # what the child table says of whose its rows are: the child table itself tells
                continue
            before = made.get(key, Reading(*key, (), 0, (), (), {}))
            made[key] = Reading(
                *key,
                (*before.sectors, sector),
                before.rows + origin.rows,
                (*before.columns, *mine),
                tuple(dict.fromkeys((*before.skipped, *origin.skipped))),
                {**fields, **before.fields},
            )
    return tuple(_merged(one) for one in made.values())


def _merged(reading: Reading) -> Reading:
    """Each column once, unless sectors take it for different fields; one that no sector uses says why as well as any of them."""
    by_number: dict[int, dict[str, ColumnMatch]] = {}
    for column in reading.columns:
        mine = by_number.setdefault(column.number, {})
        if column.field not in mine or (_SURENESS.index(column.how), not column.note) < (
            _SURENESS.index(mine[column.field].how),
            not mine[column.field].note,
        ):
            mine[column.field] = column
    columns = [one for _, mine in sorted(by_number.items()) for name, one in mine.items() if name or len(mine) == 1 or one.how == "open"]
    return Reading(
        reading.file, reading.sheet, reading.child, tuple(dict.fromkeys(reading.sectors)), reading.rows, tuple(columns), reading.skipped, reading.fields
    )  # fmt: skip
