"""The judgement: every row of a table against every criterion in force on its day, in whole columns.

One select evaluates all conditions of a batch of rows (Polars shares what they have in common); what is met or open is kept as pairs of row
and criterion, never as rows times criteria. The meaning is that of docs/semantics.md, points 2 to 5 and 10.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from engine.chain import CHILD, DATE, Chained, chain, conditions_of, dated, in_force
from engine.documents import Criterion
from engine.fields import DATE_FIELD
from engine.joining import join_children
from engine.pack import Sector
from engine.settle import SURE, Knowledge, Ways, table_knowledge, together

BATCH = 1 << 19
HITS = {"index": pl.UInt32, "criterion": pl.UInt16, "certain": pl.Boolean, "suspected": pl.Boolean}
_FIRST = "__first "
Progress = Callable[[int, int], None]


@dataclass
class Tally:
    """What became of one criterion: `state` is covered, not_covered, not_in_force, off or suspended; the rest counts rows by verdict
    (`undetermined` includes the `suspected`); `missing` are the sets of columns of which any one would make a not covered one covered."""

    state: str = "covered"
    met: int = 0
    not_met: int = 0
    undetermined: int = 0
    suspected: int = 0
    not_applicable: int = 0
    not_in_force: int = 0
    missing: Ways = field(default_factory=tuple)


@dataclass(frozen=True)
class Judged:
    """The bare outcome. `chained.frame` is the table with derived facts, its rows in order; `hits` (HITS) lists what is met or
    undetermined, sorted by row and criterion (index into `sector.criteria`); `tallies` has one entry a criterion; `missed` are the
    cells of child tables that no look-up knows."""

    sector: Sector
    chained: Chained
    hits: pl.DataFrame
    tallies: tuple[Tally, ...]
    as_of: dt.date
    missed: pl.DataFrame = field(default_factory=pl.DataFrame)


def at_work(criterion: Criterion, include_unverified: bool) -> str:
    """`covered` when the criterion takes part in judging, else why not: `off` or `suspended`."""
    if criterion.suspended:
        return "suspended"
    return "off" if criterion.status == "uncertain" and not include_unverified else "covered"


def judge_frame(
    frame: pl.DataFrame,
    sector: Sector,
    as_of: dt.date,
    include_unverified: bool = False,
    progress: Progress | None = None,
    within: Sequence[str] = (),
    children: Mapping[str, pl.DataFrame] | None = None,
) -> Judged:
    """Judge a typed frame with one column a field. Rows without 检查日期 are judged as of `as_of`. `within` names columns that divide
    the groups of aggregates further. `children` are child tables by name, as `joining` takes them. `progress(done, total)` is called with
    row counts."""
    frame = dated(frame, as_of)
    joined = join_children(frame, sector, children or {})
    frame = joined.frame
    tallies = [Tally(at_work(criterion, include_unverified)) for criterion in sector.criteria]
    first, last = _span(frame)
    present = [name.removeprefix(CHILD) for name in frame.columns] + [DATE_FIELD]
    knowledge = table_knowledge(sector, [name for name in present if name in sector.fields])
    for criterion, tally in zip(sector.criteria, tallies, strict=True):
        if tally.state == "covered":
            _cover(criterion, tally, knowledge, first, last, frame.height)
    active = [n for n, tally in enumerate(tallies) if tally.state in ("covered", "not_covered")]
    chained = chain(frame, sector, [sector.criteria[n] for n in active], within)
    chained = _firsts(chained, sector, active)
    hits = [pl.DataFrame(schema=HITS)]
    for start in range(0, frame.height, BATCH):
        batch = chained.frame.slice(start, BATCH)
        hits += _judge_batch(batch, start, sector.criteria, active, tallies, chained)
        if progress is not None:
            progress(min(start + BATCH, frame.height), frame.height)
    return Judged(sector, chained, pl.concat(hits).sort("index", "criterion"), tuple(tallies), as_of, joined.missed)


def _span(frame: pl.DataFrame) -> tuple[dt.date, dt.date]:
    first, last = frame[DATE].min(), frame[DATE].max()
    assert isinstance(first, dt.date) and isinstance(last, dt.date)
    return first, last


def _cover(criterion: Criterion, tally: Tally, knowledge: Knowledge, first: dt.date, last: dt.date, rows: int) -> None:
    if criterion.start > last or (criterion.end is not None and criterion.end < first):
        tally.state, tally.not_in_force = "not_in_force", rows
        return
    parts = [knowledge.ways(expr, True) for expr in conditions_of(criterion)]
    if all(part == SURE for part in parts):
        return
    tally.state, tally.missing = "not_covered", together(parts)


def _judge_batch(
    batch: pl.DataFrame, start: int, criteria: Sequence[Criterion], active: Iterable[int], tallies: Sequence[Tally], chained: Chained
) -> list[pl.DataFrame]:
    compiler = chained.compiler()
    first, last = _span(batch)
    numbers = [n for n in active if criteria[n].start <= last and (criteria[n].end is None or criteria[n].end >= first)]  # type: ignore[operator]
    for n in set(active) - set(numbers):
        tallies[n].not_in_force += batch.height
    exprs = []
    for n in numbers:
        applies = criteria[n].applies
        exprs.append(compiler.compile(criteria[n].when).alias(f"w{n}"))
        if applies is not None:
            exprs.append(compiler.compile(applies).alias(f"a{n}"))
    if not exprs:
        return []
    truths = batch.lazy().with_columns(exprs).select([expr.meta.output_name() for expr in exprs]).collect()
    days = batch[DATE]
    found = []
    for n in numbers:
        criterion, tally = criteria[n], tallies[n]
        when = truths[f"w{n}"]
        both = when if criterion.applies is None else truths[f"a{n}"] & when
        inside = None
        if criterion.start > first or (criterion.end is not None and criterion.end < last):
            inside = days.is_between(criterion.start, criterion.end or last)
            tally.not_in_force += batch.height - int(inside.sum())
        if criterion.once_per and _FIRST + criterion.once_per in batch.columns:
            first_rows = batch[_FIRST + criterion.once_per]
            inside = first_rows if inside is None else inside & first_rows
        met, open_ = both.fill_null(False), both.is_null()
        barred = None if criterion.applies is None else ~(truths[f"a{n}"].fill_null(True))
        if inside is not None:
            met, open_ = met & inside, open_ & inside
            barred = None if barred is None else barred & inside
        certain, undecided = met.arg_true(), open_.arg_true()
        suspected = when.gather(undecided).fill_null(False)
        na = 0 if barred is None else int(barred.sum())
        total = batch.height if inside is None else int(inside.sum())
        tally.met += len(certain)
        tally.undetermined += len(undecided)
        tally.suspected += int(suspected.sum())
        tally.not_applicable += na
        tally.not_met += total - na - len(certain) - len(undecided)
        if not criterion.listed:
            continue
        if tally.state == "not_covered":  # said once for the table, but for the rows nearest to a finding
            undecided, suspected = undecided.filter(suspected), suspected.filter(suspected)
        found += [_pairs(certain, start, n, True, None), _pairs(undecided, start, n, False, suspected)]
    return [pairs for pairs in found if pairs.height]


def _pairs(index: pl.Series, start: int, criterion: int, certain: bool, suspected: pl.Series | None) -> pl.DataFrame:
    return pl.DataFrame({"index": (index + start).cast(pl.UInt32)}).with_columns(
        pl.lit(criterion, dtype=pl.UInt16).alias("criterion"),
        pl.lit(certain).alias("certain"),
        (pl.lit(False) if suspected is None else suspected).alias("suspected"),
    )


def _firsts(chained: Chained, sector: Sector, active: Iterable[int]) -> Chained:
    """A mark for each field that a criterion is reported `once_per`: the first row of each value, and rows without one."""
    keys = {sector.criteria[n].once_per for n in active} & set(chained.frame.columns)
    marks = [(pl.col(key).is_null() | pl.col(key).is_first_distinct()).alias(_FIRST + key) for key in sorted(keys)]
    return replace(chained, frame=chained.frame.with_columns(marks)) if marks else chained


def verdicts(chained: Chained, criterion: Criterion) -> pl.DataFrame:
    """The verdict of one criterion on every row: `verdict` (met, not_met, undetermined, not_applicable, not_in_force) and `suspected`."""
    compiler = chained.compiler()
    when = compiler.compile(criterion.when)
    applies = pl.lit(True) if criterion.applies is None else compiler.compile(criterion.applies)
    judged = chained.frame.with_columns(when.alias("__when"), applies.alias("__applies"), in_force(criterion).alias("__inside"))
    both = pl.col("__applies") & pl.col("__when")
    verdict = (
        pl.when(~pl.col("__inside")).then(pl.lit("not_in_force"))
        .when(~pl.col("__applies")).then(pl.lit("not_applicable"))
        .when(both.is_null()).then(pl.lit("undetermined"))
        .when(both).then(pl.lit("met"))
        .otherwise(pl.lit("not_met"))
    )  # fmt: skip
    suspected = pl.col("__inside") & both.is_null() & pl.col("__when").fill_null(False)
    return judged.select(verdict.alias("verdict"), suspected.alias("suspected"))


def unlocks(tallies: Iterable[Tally], limit: int = 12) -> tuple[tuple[tuple[str, ...], int], ...]:
    """Which columns to add next: sets of lacking columns, in order of gain, each with how many more criteria it lets the table decide
    once the sets before it are there. Greedy: criteria won per column added."""
    open_ones = [tally.missing for tally in tallies if tally.state == "not_covered" and tally.missing]
    have: set[str] = set()
    chosen: list[tuple[tuple[str, ...], int]] = []
    while open_ones and len(chosen) < limit:
        candidates = {frozenset(one - have) for ways in open_ones for one in ways}

        def gain(more: frozenset[str]) -> int:
            return sum(1 for ways in open_ones if any(one <= have | more for one in ways))  # noqa: B023

        best = max(sorted(candidates, key=sorted), key=lambda more: (gain(more) / len(more), -len(more)))
        chosen.append((tuple(sorted(best)), gain(best)))
        have |= best
        open_ones = [ways for ways in open_ones if not any(one <= have for one in ways)]
    return tuple(chosen)
