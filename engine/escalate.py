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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from engine.columnar import HIGH, Compiler
from engine.documents import GRADE_NAMES, STATUSES, Criterion
from engine.fields import DATE_FIELD, Field
from engine.identity import ENTERPRISE, REGION, SUBJECT
from engine.ladder import LATEST, OVERDUE, REPEATS, Basis, Count, Ladder, Ladders, Step, blank_value
from engine.pack import Sector
from engine.result import ENTERPRISES, MEASURES
from engine.tree import And, Compare, Expr, Literal, Not, Or, Ref, fields_of, walk

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
    ranks = pl.Series([GRAVITY.index(c.grade) + 1 if c.grade else 0 for c in criteria], dtype=pl.Int8)
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
        totals = []
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
    ends = {"low": REPEATS.name, "high": REPEATS.name + HIGH}
    return again.group_by(ENT).agg([(pl.col(end).max().cast(pl.Int64) - 1).clip(0).alias(name) for end, name in ends.items()])


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


def _compiler(table: pl.DataFrame, ladders: Ladders, absent: frozenset[str]) -> Compiler:
    return Compiler([name for name in table.columns if name not in absent], [name for name in ladders.fields() if name + HIGH in table.columns])


def _placed(table: pl.DataFrame, rungs: Sequence[_Rung], ladders: Ladders, absent: frozenset[str]) -> pl.DataFrame:
    """The enterprises with every step and due measure, `level_rank`, `level_possible_rank` and their names."""
    compiler = _compiler(table, ladders, absent)
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
    chosen = [criteria[n] for n in ordered]
    facts = pl.DataFrame({
        "place": pl.Series(range(len(chosen)), dtype=pl.UInt32),
        "leading": pl.Series([c.id for c in chosen], dtype=pl.String),
        "leading_grade": pl.Series([c.grade for c in chosen], dtype=pl.String),
        "leading_status": pl.Series([c.status for c in chosen], dtype=pl.String),
        "leading_name": pl.Series([c.name for c in chosen], dtype=pl.String),
        "leading_basis": pl.Series([f"《{c.document.title}》（{c.document.number}）{c.clause}" for c in chosen], dtype=pl.String),
    })  # fmt: skip
    first = first.join(facts, on="place", how="left").drop("place")
    return table.join(first, on=ENT, how="left", maintain_order="left")


# Measures


def _measures(table: pl.DataFrame, rungs: Sequence[_Rung], ladders: Ladders) -> pa.Array:
    """The due measures of each enterprise, built once for each pattern of due measures and period of the law."""
    dues = [(rung, identity) for rung in rungs for identity in rung.step.measures]
    names = [rung.due(identity) for rung, identity in dues]
    edges = {day for _, identity in dues for basis in ladders.measures[identity].basis for day in _edges(basis)}
    period = pl.sum_horizontal([pl.lit(0), *((pl.col("date") >= day).cast(pl.Int32) for day in sorted(edges))])
    key = pl.concat_str([period.cast(pl.String), *(pl.col(name).cast(pl.String) for name in names)], separator=",")
    keyed = table.select("date", key.alias("key"), *names)
    distinct = keyed.unique("key", keep="first", maintain_order=True)
    built = [_due(dues, states[2:], states[0], ladders) for states in distinct.iter_rows()]
    where = pl.DataFrame({"key": distinct["key"], "at": pl.Series(range(distinct.height), dtype=pl.UInt32)})
    which = keyed.join(where, on="key", how="left", maintain_order="left")["at"]
    return pa.array(built, type=MEASURES).take(which.to_arrow())


def _edges(basis: Basis) -> Iterable[dt.date]:
    """The days on which a legal basis comes into force or has ceased to be."""
    if basis.start is not None:
        yield basis.start
    if basis.end is not None and basis.end < dt.date.max:
        yield basis.end + dt.timedelta(1)


def _due(dues: Sequence[tuple[_Rung, str]], states: Sequence[int], day: dt.date, ladders: Ladders) -> list[dict[str, object]]:
    """The measures of one pattern, those of the highest step first, each once: where it is certain, else where it may come. One of which no
    legal basis is in force on the day is left out."""
    due = [(rung, identity, state) for (rung, identity), state in zip(dues, states, strict=True) if state]
    due.sort(key=lambda one: (-one[2], -one[0].step.level.rank))
    chosen: dict[str, tuple[_Rung, int]] = {}
    for rung, identity, state in due:
        chosen.setdefault(identity, (rung, state))
    made = []
    for identity, (rung, state) in sorted(chosen.items(), key=lambda item: (-item[1][0].step.level.rank, item[1][0].number)):
        measure = ladders.measures[identity]
        basis = measure.basis_on(day)
        if measure.basis and not basis:
            continue
        made.append({
            "id": identity, "name": measure.name, "order": measure.order, "decided_by": measure.decided_by, "time_limit": measure.time_limit,
            "basis": [one.text() for one in basis], "status": measure.status, "ladder": rung.ladder.title, "step": rung.step.number,
            "certain": state == 2,
        })  # fmt: skip
    return made


# Reasons


def _reasons(table: pl.DataFrame, rungs: Sequence[_Rung], ladders: Ladders, hit: pl.DataFrame, criteria: Sequence[Criterion]) -> pl.Series:
    """Why each enterprise stands where it does, as sentences: its hazards by grade with their clauses, the steps that put it on its level with
    the facts that they name, and what it would come to if what is open turns out so."""
    clauses = _clauses(hit, criteria)
    table = table.join(clauses, on=ENT, how="left", maintain_order="left")
    texts: list[pl.Expr] = []
    for rank, grade in reversed(list(enumerate(GRAVITY, 1))):
        said = pl.format(f"{GRADE_NAMES[grade]}隐患 {{}} 项（{{}}）。", grade, f"clauses {rank}")
        texts.append(pl.when(pl.col(grade) > 0).then(said))
    fields = ladders.fields()
    compiler = _compiler(table, ladders, frozenset())
    for rung in _said(table, rungs, "certain", "level_rank"):
        parts = []
        for name, grounds in _grounds(rung.step.when, ladders).items():
            part = _fact_text(name, fields[name], rung.step.when, table)
            if part is not None:
                holds = [compiler.compile(ground).fill_null(False) for ground in grounds]
                parts.append(pl.when(pl.any_horizontal(holds)).then(part) if holds else part)
        said = pl.concat_str([pl.lit(f"达到{rung.named}“{rung.step.level.name}”："), _joined(parts), pl.lit("。")])
        texts.append(pl.when(pl.col(rung.certain) & (pl.col("level_rank") == rung.step.level.rank)).then(said))
    rising = pl.col("level_possible_rank") > pl.col("level_rank").fill_null(-1)
    for rung in _said(table.filter(rising), rungs, "possible", "level_possible_rank"):
        said = pl.concat_str([_if(rung.step.when, ladders, fields, table), pl.lit(f"，可达{rung.step.level.name}（{rung.named}）。")])
        texts.append(pl.when(rising & pl.col(rung.possible) & (pl.col("level_possible_rank") == rung.step.level.rank)).then(said))
    texts.append(pl.lit(None, dtype=pl.String))
    return table.select(pl.concat_list(texts).list.drop_nulls().alias("reasons"))["reasons"]


def _said(table: pl.DataFrame, rungs: Sequence[_Rung], kind: str, level: str) -> list[_Rung]:
    """The steps that put at least one of the enterprises on its level."""
    if not rungs:
        return []
    marks = table.select((pl.col(getattr(rung, kind)) & (pl.col(level) == rung.step.level.rank)).any().alias(str(rung.number)) for rung in rungs)
    return [rung for rung, mark in zip(rungs, marks.row(0), strict=True) if mark]


def _clauses(hit: pl.DataFrame, criteria: Sequence[Criterion]) -> pl.DataFrame:
    """For each enterprise and grade the clauses of its hazards, the first few of them: the leading one of each hazard, and the others that
    state the same duty."""
    names = pl.Series([f"{c.document.number} {c.clause}" for c in criteria], dtype=pl.String)
    sure = hit.filter("certain").select(ENT, "hazard", "rank", "criterion").unique().sort("rank", "criterion", descending=[True, False])
    sure = sure.with_columns(names.gather(sure["criterion"]).alias("name"))
    others = pl.col("name").slice(1)
    also = pl.when(pl.len() > 1).then(pl.concat_str([pl.lit("，另见 "), others.str.join("、")])).otherwise(pl.lit(""))
    hazards = sure.group_by(ENT, "hazard", maintain_order=True).agg(
        pl.col("rank").first(), pl.col("criterion").first(), pl.concat_str([pl.col("name").first(), also]).alias("clause")
    )
    hazards = hazards.sort(ENT, "criterion")
    made = hit.select(ENT).unique()
    for rank in range(1, len(GRAVITY) + 1):
        listed = hazards.filter(pl.col("rank") == rank).group_by(ENT, maintain_order=True).agg(
            pl.concat_str([
                pl.col("clause").head(NAMED_CLAUSES).str.join("；"),
                pl.when(pl.len() > NAMED_CLAUSES).then(pl.lit("等")).otherwise(pl.lit("")),
            ]).alias(f"clauses {rank}")
        )  # fmt: skip
        made = made.join(listed, on=ENT, how="left")
    return made


def _named(expr: Expr, ladders: Ladders) -> list[str]:
    """The counts and facts that a condition names, without the parameters and the date."""
    return [name for name in fields_of(expr) if name not in ladders.parameters and name != LATEST.name]


def _grounds(expr: Expr, ladders: Ladders) -> dict[str, list[Expr]]:
    """For each name in a condition the alternatives by which it made the condition true; none for a name that is needed in any case."""
    made: dict[str, list[Expr]] = {}
    parts = expr.operands if isinstance(expr, And) else (expr,)
    for part in parts:
        for ground in part.operands if isinstance(part, Or) else ():
            for name in _named(ground, ladders):
                made.setdefault(name, []).append(ground)
    for part in parts:
        if not isinstance(part, Or):
            made.update({name: [] for name in _named(part, ladders)})
    return {name: made[name] for name in _named(expr, ladders)}


def _joined(parts: Sequence[pl.Expr]) -> pl.Expr:
    if not parts:
        return pl.lit("所列条件成立")
    text = pl.concat_list(list(parts)).list.drop_nulls().list.join("、")
    return pl.when(text != "").then(text).otherwise(pl.lit("所列条件成立"))


def _fact_text(name: str, field: Field, when: Expr, table: pl.DataFrame) -> pl.Expr | None:
    """What an enterprise's value of a fact is, null where it says nothing: a zero, a no where a yes was asked for, a blank."""
    if name not in table.columns:
        return None
    value = pl.col(name)
    if field.type == "bool":
        denied = any(isinstance(node, Not) and node.operand == Ref(name, node.operand.type) for node in walk(when))
        said = pl.when(value).then(pl.lit(name))
        return said.when(~value).then(pl.lit(f"{name}为否")) if denied else said
    if not field.numeric:
        compared = [node for node in walk(when) if isinstance(node, Compare) and node.left == Ref(name, node.left.type)]
        asked = {str(node.right.value) for node in compared if isinstance(node.right, Literal)}
        return pl.when(value.cast(pl.String).is_in(sorted(asked))).then(pl.format("{}为{}", pl.lit(name), value.cast(pl.String)))
    unit = field.unit.symbol if field.unit and field.unit.symbol != "1" else ""
    whole = pl.when(value == value.floor()).then(value.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(value.cast(pl.String))
    return pl.when(value > 0).then(pl.concat_str([pl.lit(f"{name} "), whole, pl.lit(f" {unit}".rstrip())]))


def _if(when: Expr, ladders: Ladders, fields: Mapping[str, Field], table: pl.DataFrame) -> pl.Expr:
    """What would have to turn out so: how many open hazards, and which facts that stand blank."""
    names = [name for name in _named(when, ladders) if name in table.columns]
    spread = [pl.col(name + HIGH) - pl.col(name) for name in names if name in ladders.counts]
    hazards = pl.lit(None, dtype=pl.String)
    if spread:
        most = pl.max_horizontal(spread)
        hazards = pl.when(most > 0).then(pl.format(" {} 项待核实成立", most))
    facts = []
    for name in names:
        if name in ladders.counts:
            continue
        other = pl.col(name + HIGH) if name + HIGH in table.columns else pl.col(name)
        blank = (other != pl.col(name)).fill_null(True)
        facts.append(pl.when(blank).then(pl.lit(f"“{name}”查明属实" if fields[name].type == "bool" else f"“{name}”查明达到")))
    either = "或" if any(isinstance(node, Or) for node in walk(when)) else "、"
    known = pl.concat_list(facts).list.drop_nulls().list.join(either) if facts else pl.lit("")
    text = pl.concat_list(hazards, pl.when(known != "").then(known)).list.drop_nulls().list.join("、")
    return pl.concat_str([pl.lit("如"), pl.when(text != "").then(text).otherwise(pl.lit("待核实事项成立"))])
