"""A whole table through the event engine: the same `Judged` as `engine.judging.judge_frame` makes, its verdicts found row by row by the rules.

What looks at other rows (child tables, aggregates over an inspection) and the frame that evidence is read from are made in columns, as ever;
every condition, every other derived fact and every MET is judged by durable_rules. The two engines are kept equal by tests.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from engine.chain import CHILD, DATE, Chained, chain, conditions_of, dated
from engine.columnar import HIGH
from engine.documents import Criterion
from engine.events.judging import VERDICTS, Judgement
from engine.events.program import DAY
from engine.events.worker import Worker
from engine.fields import DATE_FIELD
from engine.joining import join_children
from engine.judging import HITS, Judged, Progress, Tally, at_work
from engine.pack import Sector
from engine.problems import InputError
from engine.settle import SURE, Knowledge, table_knowledge, together

CHUNK = 512
Rows = Sequence[Mapping[str, Any]]
Judging = Callable[[Sector, tuple[str, ...], frozenset[str], frozenset[str], Rows], Sequence[Judgement | None]]
"""Judges rows: the sector, the ids of the criteria, the derived fields that come with the rows, those with two ends, the rows."""


def row_by_row(worker: Worker) -> Callable[..., Judged]:
    """What stands in for `engine.judging.judge_frame`, single rows being judged by `worker`."""

    def judge(
        frame: pl.DataFrame,
        sector: Sector,
        as_of: dt.date,
        include_unverified: bool = False,
        progress: Progress | None = None,
        children: Mapping[str, pl.DataFrame] | None = None,
    ) -> Judged:
        return judge_frame(frame, sector, as_of, include_unverified, worker.judge, progress, children)

    return judge


def judge_frame(
    frame: pl.DataFrame,
    sector: Sector,
    as_of: dt.date,
    include_unverified: bool,
    judging: Judging,
    progress: Progress | None = None,
    children: Mapping[str, pl.DataFrame] | None = None,
) -> Judged:
    """Judge a typed frame, as `engine.judging.judge_frame` does, with `judging` as the judge of single rows. Raises InputError for a row that the
    native library cannot bear."""
    frame = dated(frame, as_of)
    joined = join_children(frame, sector, children or {})
    frame = joined.frame
    tallies = [Tally(at_work(criterion, include_unverified)) for criterion in sector.criteria]
    active = [n for n, tally in enumerate(tallies) if tally.state == "covered"]
    chained = chain(frame, sector, [sector.criteria[n] for n in active])
    present = frozenset(name.removeprefix(CHILD) for name in frame.columns if name.removeprefix(CHILD) in sector.fields) | {DATE_FIELD}
    first, last = frame[DATE].min(), frame[DATE].max()
    assert isinstance(first, dt.date) and isinstance(last, dt.date)
    knowledge = table_knowledge(sector, sorted(present))
    for n in active:
        _cover(sector.criteria[n], tallies[n], knowledge, first, last)
    given = frozenset(name for name, derived in sector.derived.items() if derived.how and not derived.child and name in chained.frame.columns)
    given |= frozenset(name for name, derived in sector.derived.items() if derived.child and CHILD + name in frame.columns)
    facts = _facts(frame, chained, given, sector)
    wide = frozenset(name for name in facts.columns if name + HIGH in facts.columns and name in sector.fields)
    ids = tuple(sector.criteria[n].id for n in active)
    counted = {n: dict.fromkeys(VERDICTS, 0) for n in active}
    repeats = _repeats(chained, [sector.criteria[n] for n in active])
    hits: list[tuple[int, int, bool, bool]] = []
    for start in range(0, facts.height, CHUNK):
        rows = facts.slice(start, CHUNK).to_dicts()
        for index, judgement in enumerate(judging(sector, ids, given, wide, rows), start):
            if judgement is None:
                raise InputError(
                    f"判定第 {frame['__row'][index]} 行时事件引擎的库几次异常退出。请改用默认的列式引擎，并把这张表连同规则包发给维护人员。"
                )
            for n, code in zip(active, judgement.verdicts, strict=True):
                verdict, criterion = VERDICTS[code], sector.criteria[n]
                again = repeats.get(criterion.once_per)
                if again is not None and again[index] and verdict != "not_in_force":
                    continue
                counted[n][verdict] += 1
                listed = verdict in ("met", "suspected") or (verdict == "undetermined" and tallies[n].state == "covered")
                if listed and criterion.listed and tallies[n].state != "not_in_force":
                    hits.append((index, n, verdict == "met", verdict == "suspected"))
        if progress is not None:
            progress(min(start + CHUNK, facts.height), facts.height)
    for n, found in counted.items():
        tally = tallies[n]
        tally.met, tally.not_met, tally.not_applicable = found["met"], found["not_met"], found["not_applicable"]
        tally.suspected, tally.not_in_force = found["suspected"], found["not_in_force"]
        tally.undetermined = found["undetermined"] + found["suspected"]
    listed_hits = pl.DataFrame(hits, schema=HITS, orient="row").sort("index", "criterion")
    return Judged(sector, chained, listed_hits, tuple(tallies), as_of, joined.missed)


def _cover(criterion: Criterion, tally: Tally, knowledge: Knowledge, first: dt.date, last: dt.date) -> None:
    """Say whether the columns can decide the criterion on the days of the table."""
    if criterion.start > last or (criterion.end is not None and criterion.end < first):
        tally.state = "not_in_force"
        return
    parts = [knowledge.ways(expr, True) for expr in conditions_of(criterion)]
    if any(part != SURE for part in parts):
        tally.state, tally.missing = "not_covered", together(parts)


def _facts(frame: pl.DataFrame, chained: Chained, given: frozenset[str], sector: Sector) -> pl.DataFrame:
    """The cells of the table, with what was counted over other rows, and the day."""
    cells = [name for name in frame.columns if name in sector.fields]
    aggregates = [name for name in given if not sector.derived[name].child]
    upper = [name + HIGH for name in aggregates if name + HIGH in chained.frame.columns]
    child = [name for name in frame.columns if name.startswith(CHILD)]
    plain = [name for name in cells if name not in aggregates]
    plain += [name + HIGH for name in plain if name + HIGH in frame.columns]
    return frame.select(plain + child).with_columns(chained.frame.select(aggregates + upper)).with_columns(frame[DATE].alias(DAY))


def _repeats(chained: Chained, criteria: Sequence[Criterion]) -> dict[str, list[bool]]:
    """For each field that a criterion is reported once for: which rows repeat a value of it."""
    keys = sorted({criterion.once_per for criterion in criteria} & set(chained.frame.columns))
    return {key: (~(chained.frame[key].is_null() | chained.frame[key].is_first_distinct())).to_list() for key in keys}
