"""Findings -> enterprises -> level and measures: which rung (处置级别) an enterprise stands on, for certain and at most, and what is due.

Everything is done in whole columns over one row an enterprise. A count of hazards is an interval from those that are certain to those that
are possible, so a ladder's condition is true, false or open: the level is the highest step that is certainly true, `level_possible` the
highest that is not certainly false. Only what the table leaves open raises `level_possible`: a part of a condition that needs a fact for
which the table has no column counts as false there. Python looks at criteria, steps and distinct patterns of due measures, never at single
enterprises. The meaning is written down in docs/ladders.md.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from engine.columnar import HIGH, Compiler
from engine.condition import And, Expr, Literal, Not, Or, Ref, fields_of, walk
from engine.documents import GRADE_NAMES, STATUSES, Criterion
from engine.fields import DATE_FIELD, Field
from engine.identity import ENTERPRISE, REGION, SUBJECT
from engine.ladder import LATEST, OVERDUE, REPEATS, Count, Ladder, Ladders, Measure, Step, blank_value
from engine.pack import Sector
from engine.result import ENTERPRISES, MEASURES

DATE, INDEX, ENT = "__date", "__index", "__ent"
DEADLINE, RECTIFIED = "整改期限", "隐患已整改"
GRAVITY = ("general", "violation", "serious", "major")
"""The grades from light to grave; the rank of a grade is its place, from 1."""
REPEAT_MONTHS = 12
NAMED_CLAUSES = 3


@dataclass(frozen=True)
class _Rung:
    """A step at work and the names of its columns: whether it is certainly and possibly true, and the state of its measures."""

    ladder: Ladder
    step: Step
    number: int

    @property
    def certain(self) -> str:
        return f"__certain{self.number}"

    @property
    def possible(self) -> str:
        return f"__possible{self.number}"

    def due(self, measure: str) -> str:
        """0: not due, 1: due if what is open turns out so, 2: due."""
        return f"__due{self.number} {measure}"

    @property
    def named(self) -> str:
        return f"“{self.ladder.title}”第{self.step.number}步"


def escalate(ladders: Ladders, sector: Sector, frame: pl.DataFrame, hits: pl.DataFrame) -> pa.Table:
    """Roll the findings of a table up to enterprises and put each on its rung.

    `frame` has one row an inspection row: the columns of its fields, `__enterprise` (never null), `__region`, `__subject`, `__date` (never
    null) and `__index` (0 to n-1). `hits` has one row for each criterion that is met (`certain`) or undetermined on a row: `index`,
    `criterion` (index into `sector.criteria`), `certain`, `suspected`.

    Returns a table with the schema ENTERPRISES, one row an enterprise, gravest first. `level` is null where no step certainly holds,
    `level_possible` where none can hold; so both are where an enterprise has no finding and nothing undetermined."""
    frame = frame.sort(INDEX)
    base = frame.group_by(ENTERPRISE, maintain_order=True).agg(
        pl.col(REGION).drop_nulls().first(), pl.len().alias("rows"), pl.col(DATE).max().alias("date")
    ).with_row_index(ENT)  # fmt: skip
    rows = frame.join(base.select(ENTERPRISE, ENT), on=ENTERPRISE, how="left", maintain_order="left")
    rows = rows.with_columns(pl.col(DATE).max().over(ENT).alias("__latest"))
    hit = _described(hits, rows, sector.criteria)
    table = _counted(base, hit, sector.criteria, ladders.counts)
    table, absent = _with_facts(table, rows, hit, ladders)
    rungs = [
        _Rung(ladder, step, number)
        for number, (ladder, step) in enumerate(
            (ladder, step) for ladder in ladders.ladders if not ladder.sectors or sector.id in ladder.sectors for step in ladder.steps
        )
    ]
    table = _placed(table, rungs, ladders, absent)
    table = _led(table, hit, sector.criteria)
    table = table.with_columns(_reasons(table, rungs, ladders, hit, sector.criteria).alias("reasons"))
    table = table.sort(
        ["level_rank", "major", "serious", "violation", "general", "undetermined", ENTERPRISE],
        descending=[True] * 6 + [False], nulls_last=True, maintain_order=True,
    )  # fmt: skip
    measures = _measures(table, rungs, ladders)
    table = table.rename({ENTERPRISE: "enterprise", REGION: "region"})
    columns = [measures if name == "measures" else table[name].to_arrow().cast(ENTERPRISES.field(name).type) for name in ENTERPRISES.names]
    return pa.Table.from_arrays(columns, schema=ENTERPRISES)


# Counting


def _described(hits: pl.DataFrame, rows: pl.DataFrame, criteria: Sequence[Criterion]) -> pl.DataFrame:
    """The hits with what counting needs: the enterprise, subject, day and state of the row, the hazard and rank of the criterion."""
    hazards = {name: n for n, name in enumerate(dict.fromkeys(c.hazard for c in criteria))}
    ranks = pl.Series([GRAVITY.index(c.grade) + 1 for c in criteria], dtype=pl.Int8)
    numbers = pl.Series([hazards[c.hazard] for c in criteria], dtype=pl.UInt32)
    state = rows.select(
        ENT,
        pl.col(SUBJECT).alias("subject"),
        pl.col(DATE).alias("day"),
        pl.col("__latest").alias("latest"),
        (pl.col(DATE_FIELD).is_not_null() if DATE_FIELD in rows.columns else pl.lit(True)).alias("dated"),
        (~pl.col(RECTIFIED).fill_null(False) if RECTIFIED in rows.columns else pl.lit(True)).alias("open"),
    )
    found = hits.select("index", "criterion", "certain", "suspected")
    return pl.concat([found, state[found["index"]]], how="horizontal").with_columns(
        numbers.gather(found["criterion"]).alias("hazard"), ranks.gather(found["criterion"]).alias("rank")
    )


def _counted(base: pl.DataFrame, hit: pl.DataFrame, criteria: Sequence[Criterion], counts: Mapping[str, Count]) -> pl.DataFrame:
    """The enterprises with their counts of hazards: by grade, `suspected`, `undetermined`, and each named count as an interval."""
    for still_open in (False, True):
        named = {name: count for name, count in counts.items() if count.open == still_open}
        if still_open and not named:
            continue
        part = hit.filter("open") if still_open else hit
        aggs = []
        for name, count in named.items():
            wide = dataclasses.replace(count, grades=())
            fits = pl.Series([wide.matches(c.grade, c.campaign, c.id, c.duty) for c in criteria], dtype=pl.Boolean)
            part = part.with_columns(fits.gather(part["criterion"]).alias(f"fits {name}"))
            aggs += [
                (pl.col(f"fits {name}") & pl.col("certain")).any().alias(f"sure {name}"),
                pl.col(f"fits {name}").any().alias(f"fits {name}"),
            ]
        for rank in range(1, len(GRAVITY) + 1):
            aggs.append(((pl.col("rank") == rank) & ~pl.col("certain")).any().alias(f"open {rank}"))
        hazards = part.group_by(ENT, "hazard").agg(
            pl.col("rank").filter("certain").max().fill_null(0).alias("top"), pl.col("suspected").any().alias("suspected"), *aggs
        )
        totals = [pl.sum_horizontal(pl.lit(0)).alias("__none")] if not named and still_open else []
        for name, count in named.items():
            low, high = _interval(name, count)
            totals += [low.sum().cast(pl.Int64).alias(name), high.sum().cast(pl.Int64).alias(name + HIGH)]
        if not still_open:
            totals += [(pl.col("top") == rank).sum().alias(grade) for rank, grade in enumerate(GRAVITY, 1)]
            unsure = pl.col("top") == 0
            totals += [unsure.sum().alias("undetermined"), (unsure & pl.col("suspected")).sum().alias("suspected")]
        base = base.join(hazards.group_by(ENT).agg(totals), on=ENT, how="left", maintain_order="left")
    added = [name for name in base.columns if name not in (ENTERPRISE, ENT, REGION, "rows", "date")]
    return base.with_columns(pl.col(added).fill_null(0)) if added else base


def _interval(name: str, count: Count) -> tuple[pl.Expr, pl.Expr]:
    """Whether a hazard certainly and possibly belongs to a count. Its grade will be that of its gravest finding: the gravest certain one,
    or that of an undetermined one graver still."""
    wanted = [rank for rank, grade in enumerate(GRAVITY, 1) if not count.grades or grade in count.grades]
    others = [rank for rank in range(1, len(GRAVITY) + 1) if rank not in wanted]
    top = pl.col("top")
    rising = {rank: pl.col(f"open {rank}") & (top < rank) for rank in range(1, len(GRAVITY) + 1)}
    sure, fits = pl.col(f"sure {name}"), pl.col(f"fits {name}")
    low = sure & top.is_in(wanted) & ~pl.any_horizontal([pl.lit(False), *(rising[rank] for rank in others)])
    high = fits & (top.is_in(wanted) | pl.any_horizontal([pl.lit(False), *(rising[rank] for rank in wanted)]))
    return low, high


# Facts


def _with_facts(table: pl.DataFrame, rows: pl.DataFrame, hit: pl.DataFrame, ladders: Ladders) -> tuple[pl.DataFrame, frozenset[str]]:
    """The enterprises with every fact that a ladder can ask for, numbers as intervals, and the names of those that the table lacks."""
    made = rows.group_by(ENT).agg([expr for name, field in ladders.facts.items() if name in rows.columns for expr in _across(name, field)])
    table = table.join(made, on=ENT, how="left", maintain_order="left")
    table = table.with_columns(pl.col("date").alias(LATEST.name), *(
        pl.lit(float(parameter.value)).alias(name) for name, parameter in ladders.parameters.items()
    ))  # fmt: skip
    repeated = _repeats(hit)
    table = table.join(repeated, on=ENT, how="left", maintain_order="left")
    table = table.with_columns(pl.col(REPEATS.name, REPEATS.name + HIGH).fill_null(0))
    absent = {name for name in ladders.facts if name not in rows.columns}
    for name in sorted(absent):
        value = blank_value(ladders.facts[name])
        if value is not None:
            table = table.with_columns(pl.lit(value).alias(name))
            absent.discard(name)
    if DEADLINE in rows.columns:
        table = table.join(_overdue(rows, hit), on=ENT, how="left", maintain_order="left")
    else:
        absent.add(OVERDUE.name)
    return table, frozenset(absent)


def _across(name: str, field: Field) -> list[pl.Expr]:
    """The value of a fact for an enterprise, from its rows. A blank is unknown: it leaves a maximum without an upper end, a minimum without
    a lower one, anything else unknown unless the other rows settle it."""
    value, whole = pl.col(name), pl.col(name).null_count() == 0
    how = field.across or {"bool": "any", "number": "max", "integer": "max"}.get(field.type, "latest")
    if how == "any":
        return [value.any(ignore_nulls=False).alias(name)]
    if how == "latest":
        last = value.filter(pl.col(DATE) == pl.col(DATE).max())
        return [pl.when((last.null_count() == 0) & (last.n_unique() == 1)).then(last.first()).alias(name)]
    if how == "sum":
        return [pl.when(whole).then(value.sum()).alias(name)]
    end = value.max() if how == "max" else value.min()
    sure = pl.when(whole).then(end)
    if not field.numeric:
        return [sure.alias(name)]
    return [(end if how == "max" else sure).alias(name), (sure if how == "max" else end).alias(name + HIGH)]


def _repeats(hit: pl.DataFrame) -> pl.DataFrame:
    """How often the same criterion came again on the same subject, on other days of the twelve months up to the last inspection: the most
    over the criteria. A row without a date of its own repeats nothing for certain."""
    recent = hit.filter(pl.col("day") >= pl.col("latest").dt.offset_by(f"-{REPEAT_MONTHS}mo"))
    sure = pl.col("day").filter(pl.col("certain") & pl.col("dated"))
    again = recent.group_by(ENT, "subject", "criterion").agg(sure.n_unique().alias("low"), pl.col("day").n_unique().alias("high"))
    return again.group_by(ENT).agg(
        (pl.col("low").max().cast(pl.Int64) - 1).clip(0).alias(REPEATS.name), (pl.col("high").max().cast(pl.Int64) - 1).clip(0).alias(REPEATS.name + HIGH)
    )


def _overdue(rows: pl.DataFrame, hit: pl.DataFrame) -> pl.DataFrame:
    """For how many days the oldest deadline has been missed, as an interval.

    A row that is rectified is not overdue. One that is recorded as not rectified is overdue up to the enterprise's last inspection. Without a
    record, it is for certain only as far as its own inspection still found the hazard; with a blank record it may be up to the last one.
    A finding without a deadline may be overdue by any number of days."""
    seen = hit.group_by("index").agg(pl.col("certain").any())
    joined = rows.join(seen, left_on=INDEX, right_on="index", how="left", maintain_order="left")
    state = pl.col(RECTIFIED) if RECTIFIED in rows.columns else pl.lit(None, dtype=pl.Boolean)
    done, recorded = state.fill_null(False), ~state.fill_null(True)
    at_last = (pl.col("__latest") - pl.col(DEADLINE)).dt.total_days().clip(0)
    at_own = (pl.col(DATE) - pl.col(DEADLINE)).dt.total_days().clip(0)
    found, certain = pl.col("certain").is_not_null(), pl.col("certain").fill_null(False)
    low = pl.when(done).then(0).when(recorded).then(at_last).when(certain).then(at_own).otherwise(0).fill_null(0)
    most = at_last if RECTIFIED in rows.columns else at_own
    high = pl.when(done | (pl.col(DEADLINE).is_null() & ~found)).then(0).otherwise(most)
    ends = joined.select(ENT, low.cast(pl.Int64).alias("low"), high.cast(pl.Int64).alias("high"))
    return ends.group_by(ENT).agg(
        pl.col("low").max().alias(OVERDUE.name), pl.when(pl.col("high").null_count() == 0).then(pl.col("high").max()).alias(OVERDUE.name + HIGH)
    )


# Steps


def _without(expr: Expr, absent: frozenset[str], negated: bool = False) -> Expr:
    """The condition with NOT pushed down to its parts and every part that reads an absent fact made false."""
    match expr:
        case Not(operand):
            return _without(operand, absent, not negated)
        case And(operands) | Or(operands):
            parts = tuple(_without(operand, absent, negated) for operand in operands)
            return And(parts) if isinstance(expr, And) != negated else Or(parts)
    if absent.intersection(fields_of(expr)):
        return Literal(False, expr.type)
    return Not(expr) if negated else expr


def _placed(table: pl.DataFrame, rungs: Sequence[_Rung], ladders: Ladders, absent: frozenset[str]) -> pl.DataFrame:
    """The enterprises with every step and due measure, `level_rank`, `level_possible_rank` and their names."""
    intervals = [name for name in ladders.fields() if name + HIGH in table.columns]
    compiler = Compiler([name for name in table.columns if name not in absent], intervals)
    found = pl.sum_horizontal("major", "serious", "general", "violation") > 0
    touched = found | (pl.col("undetermined") > 0)

    def both(expr: Expr) -> tuple[pl.Expr, pl.Expr]:
        return compiler.compile(expr).fill_null(False), compiler.compile(_without(expr, absent)).fill_null(True)

    steps, dues = [], []
    for rung in rungs:
        certain, possible = both(rung.step.when)
        steps += [(found & certain).alias(rung.certain), (touched & possible).alias(rung.possible)]
        for identity in rung.step.measures:
            when = ladders.measures[identity].when
            sure, perhaps = both(when) if when is not None else (pl.lit(True), pl.lit(True))
            due = pl.when(pl.col(rung.certain) & sure).then(2).when(pl.col(rung.possible) & perhaps).then(1).otherwise(0)
            dues.append(due.cast(pl.Int8).alias(rung.due(identity)))
    table = table.with_columns(steps).with_columns(dues)

    def highest(kind: str) -> pl.Expr:
        ranks = [pl.when(getattr(rung, kind)).then(rung.step.level.rank) for rung in rungs]
        return pl.max_horizontal([pl.lit(None, dtype=pl.Int32), *ranks]).cast(pl.Int8)

    names = {level.rank: level.name for level in ladders.levels}
    table = table.with_columns(highest("certain").alias("level_rank"), highest("possible").alias("level_possible_rank"))
    return table.with_columns(
        pl.col(f"{level}_rank").replace_strict(list(names), list(names.values()), default=None, return_dtype=pl.String).alias(level)
        for level in ("level", "level_possible")
    )


def _led(table: pl.DataFrame, hit: pl.DataFrame, criteria: Sequence[Criterion]) -> pl.DataFrame:
    """The enterprises with their leading criterion: the gravest, then the best founded, then the exactly fitting, then the first in the files."""
    def order(number: int) -> tuple[int, int, bool, int]:
        criterion = criteria[number]
        return -GRAVITY.index(criterion.grade), STATUSES.index(criterion.status), criterion.campaign_fit != "exact", number

    ordered = sorted(range(len(criteria)), key=order)
    places = pl.Series([place for place, _ in sorted(enumerate(ordered), key=lambda pair: pair[1])], dtype=pl.UInt32)
    sure = hit.filter("certain")
    first = sure.with_columns(places.gather(sure["criterion"]).alias("place")).group_by(ENT).agg(pl.col("place").min())
    facts = pl.DataFrame(
        [(place, c.id, c.grade, c.status, c.name, f"《{c.document.title}》（{c.document.number}）{c.clause}") for place, c in enumerate(criteria[n] for n in ordered)],
        schema={"place": pl.UInt32} | dict.fromkeys(("leading", "leading_grade", "leading_status", "leading_name", "leading_basis"), pl.String), orient="row",
    )  # fmt: skip
    first = first.join(facts, on="place", how="left").drop("place")
    return table.join(first, on=ENT, how="left", maintain_order="left")


# Measures


def _measures(table: pl.DataFrame, rungs: Sequence[_Rung], ladders: Ladders) -> pa.Array:
    """The due measures of each enterprise, built once for each pattern of due measures and period of the law."""
    dues = [(rung, identity, rung.due(identity)) for rung in rungs for identity in rung.step.measures]
    edges = sorted({
        day for _, identity, _ in dues for basis in ladders.measures[identity].basis
        for day in (basis.start, basis.end + dt.timedelta(1) if basis.end and basis.end < dt.date.max else None) if day is not None
    })  # fmt: skip
    patterns = table.select(
        pl.col("date").search_sorted if False else _period(edges).alias("period"), *[name for _, _, name in dues]
    ).with_row_index("row")  # fmt: skip
    keys = ["period", *[name for _, _, name in dues]]
    distinct = patterns.group_by(keys, maintain_order=True).agg(pl.col("row").first()).with_row_index("pattern")
    days = table["date"].gather(distinct["row"]).to_list()
    built = [_due(zip(dues, states, strict=True), day, ladders) for states, day in zip(distinct.select(keys[1:]).iter_rows(), days, strict=True)]
    which = patterns.join(distinct.select("pattern", *keys), on=keys, how="left", maintain_order="left")["pattern"]
    return pa.array(built, type=MEASURES).take(which.to_arrow())
