"""Partial sums of enterprises (`rollup.py`) as plain data and back, and the standing that they come to.

The sums of one enterprise in one sector are a small tree of lists, its criteria by id: rules may be added, reordered and dropped between two runs.
Where an enterprise stands is found from its sums alone, whatever other enterprises there are.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from engine.chain import DATE
from engine.columnar import HIGH
from engine.escalate import Rung, due_measures
from engine.events.climbing import ABSENT, Footing, conditions_of
from engine.events.worker import Worker
from engine.fields import DATE_FIELD, Field
from engine.identity import ENTERPRISE as KEY, REGION, SUBJECT
from engine.judging import HITS
from engine.ladder import Ladders
from engine.pack import Sector
from engine.rollup import DEADLINE, FRAMES, RECTIFIED, REPEAT_MONTHS, Roll, Share, by_name, from_names, gather, merge, of_sectors, total
from engine.tables.columns import dtype_of

Kept = tuple[str, str, Any]
"""The sums of one enterprise in one sector: key, sector, data (frame -> columns and rows)."""


@dataclass(frozen=True)
class Seen:
    """An inspection in one sector, judged: `hits` are (index into the sector's criteria, certain, suspected)."""

    key: str
    sector: Sector
    cells: Mapping[str, Any]
    day: dt.date
    region: str | None
    subject: str | None
    hits: Sequence[tuple[int, bool, bool]]


@dataclass(frozen=True)
class Standing:
    """Where an enterprise stands: the columns of the table of enterprises that docs/results.md explains, but for the leading criterion
    and the reasons."""

    values: Mapping[str, Any]


class Sums:
    """Adds inspections to partial sums, and tells what those come to."""

    def __init__(self, ladders: Ladders, worker: Worker):
        self.ladders, self.worker = ladders, worker
        places = {expr: place for place, expr in enumerate(conditions_of(ladders))}
        self._steps = {(ladder.id, step.number): places[step.when] for ladder in ladders.ladders for step in ladder.steps}
        self._measures = {name: None if measure.when is None else places[measure.when] for name, measure in ladders.measures.items()}
        self._schemas = self._template()

    def _template(self) -> dict[str, dict[str, pl.DataType]]:
        """The columns that partial sums can have, with their types."""
        fields = {**self.ladders.facts, DEADLINE: Field(DEADLINE, "date"), RECTIFIED: Field(RECTIFIED, "bool")}
        sector = Sector("", "", fields, (), {}, (), frozenset())
        roll = gather(Share(sector, _frame([], fields), pl.DataFrame(schema=HITS)), [sector], self.ladders)
        return {name: dict(frame.schema) for name, frame in by_name(roll).items()}

    def added(self, kept: Iterable[Kept], seen: Sequence[Seen]) -> list[Kept]:
        """The sums with the inspections added; every enterprise and sector of `seen` is in the answer, and nothing else."""
        before = {(key, sector): data for key, sector, data in kept}
        groups: dict[tuple[str, tuple[str, ...]], list[Seen]] = {}
        for one in seen:
            columns = tuple(name for name in (*self.ladders.facts, DEADLINE, RECTIFIED) if name in one.cells and name in one.sector.fields)
            groups.setdefault((one.sector.id, columns), []).append(one)
        for (sector_id, columns), some in groups.items():
            sector = some[0].sector
            fields = {name: sector.fields[name] for name in columns}
            hits = pl.DataFrame([(n, *hit) for n, one in enumerate(some) for hit in one.hits], schema=HITS, orient="row")
            made = gather(Share(sector, _frame(some, fields), hits), [sector], self.ladders)
            keys = dict.fromkeys(one.key for one in some)
            old = [(key, sector_id, before[key, sector_id]) for key in keys if (key, sector_id) in before]
            whole = merge([self._roll(old, [sector]), made]) if old else made
            subjects = {one.subject for one in some} | {row[0] for _, _, data in old for row in data["days"]["rows"]}
            before.update({(key, sector_id): data for key, _, data in _split(whole, sector, subjects)})
        return [(*pair, before[pair]) for pair in dict.fromkeys((one.key, one.sector.id) for one in seen)]

    def standings(self, owners: Mapping[str, Sequence[Kept]], sectors: Mapping[str, Sector]) -> dict[str, Standing | None]:
        """Where enterprises stand: title -> its sums. None: the native library gave up on it."""
        groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
        for title, kept in owners.items():
            known = [one for one in kept if one[1] in sectors]
            ids = tuple(name for name in sectors if any(sector == name for _, sector, _ in known))
            columns = tuple(sorted({column for *_, data in known for column in data["facts"]["columns"]}))
            groups.setdefault((ids, columns), []).append(title)
        found: dict[str, Standing | None] = {}
        for (ids, _), titles in groups.items():
            if not ids:
                continue
            kept = [(title, sector, data) for title in titles for _, sector, data in owners[title] if sector in ids]
            found.update(self._placed(self._added_up(kept, [sectors[name] for name in ids])))
        return found

    def _added_up(self, kept: Sequence[Kept], sectors: Sequence[Sector]) -> Roll:
        """Kept sums as one; an enterprise may have several in a sector, under its code and its names."""
        layers: list[dict[tuple[str, str], Kept]] = []
        for one in kept:
            layer = next((layer for layer in layers if one[:2] not in layer), None)
            if layer is None:
                layers.append(layer := {})
            layer[one[:2]] = one
        return merge([self._roll(list(layer.values()), sectors) for layer in layers])

    def _placed(self, roll: Roll) -> dict[str, Standing | None]:
        """The standings of enterprises that are known in the same sectors by the same facts."""
        ids = tuple(sector.id for sector in roll.sectors)
        scopes: dict[tuple[str, ...], list[Rung]] = {}
        number = 0
        for ladder in self.ladders.ladders:
            looked_at = tuple(name for name in ids if not ladder.sectors or name in ladder.sectors)
            for step in ladder.steps if looked_at else ():
                scopes.setdefault(looked_at, []).append(Rung(ladder, step, number))
                number += 1
        whole = total(roll, self.ladders)
        rows = {row[KEY]: row for row in whole.table.iter_rows(named=True)}
        states: dict[str, dict[str, int] | None] = {title: {} for title in rows}
        for looked_at, rungs in scopes.items():
            made = whole if looked_at == ids else total(of_sectors(roll, looked_at), self.ladders)
            mine = list(made.table.iter_rows(named=True))
            footings = self.worker.climb(self.ladders, [{**_plain(row), ABSENT: made.absent} for row in mine])
            for row, footing in zip(mine, footings, strict=True):
                state = states[row[KEY]]
                if footing is None or state is None:
                    states[row[KEY]] = None
                else:
                    state.update(self._states(row, rungs, footing))
        rungs = sorted((rung for some in scopes.values() for rung in some), key=lambda rung: rung.number)
        return {title: None if (state := states[title]) is None else self._standing(row, state, rungs) for title, row in rows.items()}

    def _states(self, row: Mapping[str, Any], rungs: Sequence[Rung], footing: Footing) -> dict[str, int]:
        """The state of each step (its `certain` and `possible` columns) and due measure for one enterprise."""
        found = row["major"] + row["serious"] + row["general"] + row["violation"] > 0
        touched = found or row["undetermined"] > 0
        made: dict[str, int] = {}
        for rung in rungs:
            at = self._steps[rung.ladder.id, rung.step.number]
            certain, possible = found and footing.certain[at], touched and footing.possible[at]
            made[rung.certain], made[rung.possible] = int(certain), int(possible)
            for identity in rung.step.measures:
                when = self._measures[identity]
                sure, perhaps = (True, True) if when is None else (footing.certain[when], footing.possible[when])
                made[rung.due(identity)] = 2 if certain and sure else 1 if possible and perhaps else 0
        return made

    def _standing(self, row: Mapping[str, Any], state: Mapping[str, int], rungs: Sequence[Rung]) -> Standing:
        def highest(kind: str) -> int | None:
            return max((rung.step.level.rank for rung in rungs if state.get(getattr(rung, kind))), default=None)

        names = {level.rank: level.name for level in self.ladders.levels}
        level, possible = highest("certain"), highest("possible")
        dues = [(rung, identity) for rung in rungs for identity in rung.step.measures]
        measures = due_measures(dues, [state.get(rung.due(identity), 0) for rung, identity in dues], row["date"], self.ladders)
        return Standing({
            "level": names.get(level) if level is not None else None, "level_rank": level,
            "level_possible": names.get(possible) if possible is not None else None, "level_possible_rank": possible,
            **{name: row[name] for name in ("major", "serious", "general", "violation", "suspected", "undetermined", "rows")},
            "region": row[REGION], "date": row["date"], "measures": measures,
        })  # fmt: skip

    def _roll(self, kept: Sequence[Kept], sectors: Sequence[Sector]) -> Roll:
        """Kept sums as frames. Criteria that the rules no longer have are left out."""
        numbers, count = {}, 0
        for sector in sectors:
            numbers[sector.id] = {criterion.id: count + n for n, criterion in enumerate(sector.criteria)}
            count += len(sector.criteria)
        places = {sector.id: place for place, sector in enumerate(sectors)}
        frames = {}
        for name in FRAMES:
            schema = self._schemas[name]
            columns = list(dict.fromkeys(column for _, _, data in kept for column in data[name]["columns"] if column in schema))
            rows = []
            for key, sector_id, data in kept:
                for cells in data[name]["rows"]:
                    row = dict(zip(data[name]["columns"], cells, strict=True))
                    if "criterion" in row:
                        row["criterion"] = numbers[sector_id].get(row["criterion"])
                        if row["criterion"] is None:
                            continue
                    for column, kind in schema.items():
                        if kind == pl.Date and isinstance(row.get(column), str):
                            row[column] = dt.date.fromisoformat(row[column])
                    row |= {KEY: key, "sector": places[sector_id]}
                    rows.append(row)
            wanted = [column for column in schema if column in columns or column in (KEY, "sector") or name != "facts"]
            kinds: dict[str, pl.DataType] = {column: schema[column] for column in wanted}
            if name == "days":
                texts = pl.DataFrame(rows, schema={**kinds, "subject": pl.String()})
                frames[name] = texts.with_columns(_hashed("subject")).select(wanted)
            else:
                frames[name] = pl.DataFrame(rows, schema=kinds)
        return from_names(sectors, frames)


def _hashed(name: str) -> pl.Expr:
    """A subject as the roll-up calls it. The text is what is kept: a hash may be another in another version."""
    return pl.col(name).hash(1).fill_null(0).alias(name)


def _frame(seen: Sequence[Seen], fields: Mapping[str, Field]) -> pl.DataFrame:
    text, date = pl.String(), pl.Date()
    schema: dict[str, pl.DataType] = {KEY: text, REGION: text, SUBJECT: text, DATE: date, DATE_FIELD: date}
    schema |= {name: dtype_of(field) for name, field in fields.items()}
    rows = [(one.key, one.region, one.subject, one.day, one.day, *(one.cells[name] for name in fields)) for one in seen]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _split(roll: Roll, sector: Sector, subjects: Iterable[str | None]) -> list[Kept]:
    """The sums of one sector, apart by enterprise; facts of which nothing was ever told are left out. Days too old to be a repetition any more are
    let go."""
    ids = [criterion.id for criterion in sector.criteria]
    texts = pl.DataFrame({"text": list(subjects)}, schema={"text": pl.String}).with_columns(_hashed("text").alias("hash"))
    subject_of = dict(texts.select("hash", "text").iter_rows())
    frames = by_name(roll)
    latest = dict(frames["base"].select(KEY, DATE).iter_rows())
    made: dict[str, dict[str, Any]] = {}
    for name, frame in frames.items():
        if name == "days":
            last = pl.col(KEY).replace_strict(latest, return_dtype=pl.Date)
            frame = frame.filter(pl.col("day") >= last.dt.offset_by(f"-{REPEAT_MONTHS}mo")).sort(KEY, "criterion", "day", "subject")
        elif name == "hits":
            frame = frame.sort(KEY, "criterion")
        columns = [column for column in frame.columns if column not in (KEY, "sector")]
        if name == "days":
            columns = ["subject", *(column for column in columns if column != "subject")]
        for key in latest:
            made.setdefault(key, {})[name] = {"columns": columns, "rows": []}
        for row in frame.iter_rows(named=True):
            mine = made[row[KEY]][name]
            if name == "facts":
                told = {column.rsplit(" ", 1)[0] for column in columns if column.endswith((" blank", " open")) and row[column] is not None}
                mine["columns"] = [column for column in columns if column == DATE or column.rsplit(" ", 1)[0] in told]
            mine["rows"].append([_plain_cell(column, row[column], ids, subject_of) for column in mine["columns"]])
    return [(key, sector.id, data) for key, data in made.items()]


def _plain_cell(column: str, value: Any, ids: Sequence[str], subject_of: Mapping[int, str | None]) -> Any:
    if column == "criterion":
        return ids[value]
    if column == "subject":
        return subject_of[value]
    return value.isoformat() if isinstance(value, dt.date) else value


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not name.startswith("__") or name.endswith(HIGH)}
