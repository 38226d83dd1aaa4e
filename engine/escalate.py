"""Findings -> enterprises -> level and measures: which rung (处置级别) an enterprise stands on, for certain and at most, and what is due.

Everything is done in whole columns over one row an enterprise. A count of hazards is an interval from those that are certain to those that
are possible, so a ladder's condition is true, false or open: the level is the highest step that is certainly true, `level_possible` the
highest that is not certainly false. Only what the table leaves open raises `level_possible`: a part of a condition that needs a fact for
which the table has no column counts as false there. Python looks at criteria, steps and distinct patterns of due measures, never at single
enterprises. The meaning is written down in docs/ladders.md.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl
import pyarrow as pa

from engine.acting import assigned, located
from engine.authorities import Authorities
from engine.columnar import HIGH, Compiler
from engine.documents import GRADE_NAMES, STATUSES, Criterion
from engine.fields import Field
from engine.identity import ENTERPRISE as KEY, REGION
from engine.ladder import LATEST, Basis, Ladder, Ladders, Step
from engine.result import ENTERPRISES, MEASURES
from engine.rollup import ENT, GRAVITY, Enterprises, Roll, of_sectors, total
from engine.tree import And, Compare, Expr, Literal, Not, Or, Ref, fields_of, walk

NAMED_CLAUSES = 3


@dataclass(frozen=True)
class Rung:
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

    @property
    def columns(self) -> list[str]:
        """All columns of the step."""
        return [self.certain, self.possible, *(self.due(identity) for identity in self.step.measures)]

    def due(self, measure: str) -> str:
        """0: not due, 1: due if what is open turns out so, 2: due."""
        return f"__due{self.number} {measure}"

    @property
    def named(self) -> str:
        return f"“{self.ladder.title}”第{self.step.number}步"


@dataclass(frozen=True)
class _Scope:
    """The ladders that look at the same sectors: their rungs, and the enterprises with what those sectors found."""

    rungs: Sequence[Rung]
    table: pl.DataFrame
    absent: frozenset[str]


def escalate(ladders: Ladders, roll: Roll, authorities: Authorities | None = None) -> pa.Table:
    """Put each enterprise of the partial sums on its rung. A ladder that names sectors looks only at what was found in those. `authorities`
    tell who must act in its place and all its sectors.

    Returns a table with the schema ENTERPRISES, one row an enterprise, gravest first. `level` is null where no step certainly holds,
    `level_possible` where none can hold; so both are where an enterprise has no finding and nothing undetermined."""
    whole = total(roll, ladders)
    scopes = [_placed(scope, ladders) for scope in _scopes(roll, ladders, whole)]
    table = whole.table
    for scope in scopes:
        ranks = scope.table.select(ENT, *(name for rung in scope.rungs for name in rung.columns))
        table = table.join(ranks, on=ENT, how="left", maintain_order="left")
    table = _ranked(table, [rung for scope in scopes for rung in scope.rungs], ladders)
    table = _led(table, whole.hit, roll.criteria)
    table = table.with_columns(_reasons(table, scopes, ladders, whole.hit, roll.criteria).alias("reasons"))
    table = table.sort(
        ["level_rank", "major", "serious", "violation", "general", "undetermined", KEY],
        descending=[True] * 6 + [False], nulls_last=True, maintain_order=True,
    )  # fmt: skip
    measures = _measures(table, [rung for scope in scopes for rung in scope.rungs], ladders)
    known, ids = authorities or Authorities(), [sector.id for sector in roll.sectors]
    named = pl.element().replace_strict(list(range(len(ids))), ids, return_dtype=pl.String)
    sectors = table["sectors"].list.eval(named).list.join(",")
    table = assigned(located(table, table[REGION], known), sectors, known)
    table = table.rename({KEY: "enterprise", REGION: "region"})
    columns = [measures if name == "measures" else table[name].to_arrow().cast(ENTERPRISES.field(name).type) for name in ENTERPRISES.names]
    return pa.Table.from_arrays(columns, schema=ENTERPRISES)


def _scopes(roll: Roll, ladders: Ladders, whole: Enterprises) -> list[_Scope]:
    """The ladders at work, by the sectors that they look at."""
    present = tuple(sector.id for sector in roll.sectors)
    rungs: dict[tuple[str, ...], list[Rung]] = {}
    number = 0
    for ladder in ladders.ladders:
        looked_at = tuple(sector for sector in present if not ladder.sectors or sector in ladder.sectors)
        for step in ladder.steps if looked_at else ():
            rungs.setdefault(looked_at, []).append(Rung(ladder, step, number))
            number += 1
    scopes = []
    for looked_at, mine in rungs.items():
        made = whole if looked_at == present else total(of_sectors(roll, looked_at), ladders)
        scopes.append(_Scope(mine, made.table, made.absent))
    return scopes


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


def _placed(scope: _Scope, ladders: Ladders) -> _Scope:
    """The enterprises with every step and due measure."""
    table = scope.table
    compiler = _compiler(table, ladders, scope.absent)
    found = pl.sum_horizontal("major", "serious", "general", "violation") > 0
    touched = found | (pl.col("undetermined") > 0)

    def both(expr: Expr) -> tuple[pl.Expr, pl.Expr]:
        return compiler.compile(expr).fill_null(False), compiler.compile(_without(expr, scope.absent)).fill_null(True)

    steps, dues = [], []
    for rung in scope.rungs:
        certain, possible = both(rung.step.when)
        steps += [(found & certain).alias(rung.certain), (touched & possible).alias(rung.possible)]
        for identity in rung.step.measures:
            when = ladders.measures[identity].when
            sure, perhaps = both(when) if when is not None else (pl.lit(True), pl.lit(True))
            due = pl.when(pl.col(rung.certain) & sure).then(2).when(pl.col(rung.possible) & perhaps).then(1).otherwise(0)
            dues.append(due.cast(pl.Int8).alias(rung.due(identity)))
    return replace(scope, table=table.with_columns(steps).with_columns(dues))


def _ranked(table: pl.DataFrame, rungs: Sequence[Rung], ladders: Ladders) -> pl.DataFrame:
    """The enterprises with `level_rank`, `level_possible_rank` and their names. An enterprise without a row in a ladder's sectors is not on it."""
    table = table.with_columns(pl.col(name).fill_null(0 if name.startswith("__due") else False) for rung in rungs for name in rung.columns)

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
        return -GRAVITY.index(criterion.grade) if criterion.grade else 0, STATUSES.index(criterion.status), criterion.campaign_fit != "exact", number

    ordered = sorted(range(len(criteria)), key=order)
    places = pl.Series([place for place, _ in sorted(enumerate(ordered), key=lambda pair: pair[1])], dtype=pl.UInt32)
    sure = hit.filter("sure")
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


def _measures(table: pl.DataFrame, rungs: Sequence[Rung], ladders: Ladders) -> pa.Array:
    """The due measures of each enterprise, built once for each pattern of due measures and period of the law."""
    dues = [(rung, identity) for rung in rungs for identity in rung.step.measures]
    names = [rung.due(identity) for rung, identity in dues]
    edges = {day for _, identity in dues for basis in ladders.measures[identity].basis for day in _edges(basis)}
    period = pl.sum_horizontal([pl.lit(0), *((pl.col("date") >= day).cast(pl.Int32) for day in sorted(edges))])
    digits = [pl.sum_horizontal([pl.col(name).cast(pl.UInt64) * 3**place for place, name in enumerate(part)]) for part in _chunks(names, 40)]
    key = pl.struct(period.alias("period"), *(digit.alias(f"digit{n}") for n, digit in enumerate(digits)))
    keyed = table.select("date", key.alias("key"), *names)
    distinct = keyed.unique("key", keep="first", maintain_order=True)
    built = [due_measures(dues, states[2:], states[0], ladders) for states in distinct.iter_rows()]
    where = pl.DataFrame({"key": distinct["key"], "at": pl.Series(range(distinct.height), dtype=pl.UInt32)})
    which = keyed.join(where, on="key", how="left", maintain_order="left")["at"]
    return pa.array(built, type=MEASURES).take(which.to_arrow())


def _chunks(names: Sequence[str], size: int) -> list[Sequence[str]]:
    return [names[start : start + size] for start in range(0, len(names), size)]


def _edges(basis: Basis) -> Iterable[dt.date]:
    """The days on which a legal basis comes into force or has ceased to be."""
    if basis.start is not None:
        yield basis.start
    if basis.end is not None and basis.end < dt.date.max:
        yield basis.end + dt.timedelta(1)


def due_measures(dues: Sequence[tuple[Rung, str]], states: Sequence[int], day: dt.date, ladders: Ladders) -> list[dict[str, object]]:
    """The measures of one pattern, those of the highest step first, each once: where it is certain, else where it may come. One of which no
    legal basis is in force on the day is left out."""
    due = [(rung, identity, state) for (rung, identity), state in zip(dues, states, strict=True) if state]
    due.sort(key=lambda one: (-one[2], -one[0].step.level.rank))
    chosen: dict[str, tuple[Rung, int]] = {}
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


def _reasons(table: pl.DataFrame, scopes: Sequence[_Scope], ladders: Ladders, hit: pl.DataFrame, criteria: Sequence[Criterion]) -> pl.Series:
    """Why each enterprise stands where it does, as sentences: its hazards by grade with their clauses, the steps that put it on its level with
    the facts that they name, and what it would come to if what is open turns out so."""
    clauses = _clauses(hit, criteria)
    table = table.join(clauses, on=ENT, how="left", maintain_order="left")
    texts: list[pl.Expr] = []
    for rank, grade in reversed(list(enumerate(GRAVITY, 1))):
        said = pl.format(f"{GRADE_NAMES[grade]}隐患 {{}} 项（{{}}）。", grade, f"clauses {rank}")
        texts.append(pl.when(pl.col(grade) > 0).then(said))
    made = [table.select(pl.concat_list(texts).list.drop_nulls().alias("reasons"))["reasons"]]
    ranks = table.select(ENT, "level_rank", "level_possible_rank")
    for rising in (False, True):
        for scope in scopes:
            inside = ranks.join(scope.table, on=ENT, how="left", maintain_order="left")
            made.append(inside.with_columns(_steps_said(inside, scope.rungs, ladders, rising).alias("reasons"))["reasons"])
    return pl.DataFrame([part.alias(str(n)) for n, part in enumerate(made)]).select(pl.concat_list(pl.all()))["0"]


def _steps_said(table: pl.DataFrame, rungs: Sequence[Rung], ladders: Ladders, rising: bool) -> pl.Expr:
    """The sentences on the steps that put an enterprise on its level, or (`rising`) could put it on a higher one."""
    texts: list[pl.Expr] = [pl.lit(None, dtype=pl.String)]
    fields = ladders.fields()
    if not rising:
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
    else:
        higher = pl.col("level_possible_rank") > pl.col("level_rank").fill_null(-1)
        for rung in _said(table.filter(higher), rungs, "possible", "level_possible_rank"):
            said = pl.concat_str([_if(rung.step.when, ladders, fields, table), pl.lit(f"，可达{rung.step.level.name}（{rung.named}）。")])
            texts.append(pl.when(higher & pl.col(rung.possible) & (pl.col("level_possible_rank") == rung.step.level.rank)).then(said))
    return pl.concat_list(texts).list.drop_nulls()


def _said(table: pl.DataFrame, rungs: Sequence[Rung], kind: str, level: str) -> list[Rung]:
    """The steps that put at least one of the enterprises on its level."""
    if not rungs:
        return []
    marks = table.select((pl.col(getattr(rung, kind)) & (pl.col(level) == rung.step.level.rank)).any().alias(str(rung.number)) for rung in rungs)
    return [rung for rung, mark in zip(rungs, marks.row(0), strict=True) if mark]


def _clauses(hit: pl.DataFrame, criteria: Sequence[Criterion]) -> pl.DataFrame:
    """For each enterprise and grade the clauses of its hazards, the first few of them: the leading one of each hazard, and the others that
    state the same duty."""
    names = pl.Series([f"{c.document.number} {c.clause}" for c in criteria], dtype=pl.String)
    sure = hit.filter("sure").select(ENT, "hazard", "rank", "criterion").sort("rank", "criterion", descending=[True, False])
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
