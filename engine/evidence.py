"""Hits -> the tables of findings and of undetermined ones: the values that decided each, and the facts that would settle it.

Which values decided a row is itself a question of the condition's truths, so it is asked in whole columns; what is missing is asked once
for each pattern of truths and blanks. No loop over rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from engine.acting import assigned, located
from engine.authorities import Authorities
from engine.chain import DATE, Chained, conditions_of, needed
from engine.columnar import HIGH, MET, Compiler
from engine.documents import Criterion
from engine.fields import DATE_FIELD
from engine.identity import ENTERPRISE, REGION, SUBJECT
from engine.judging import Judged
from engine.pack import Sector
from engine.result import FINDINGS, UNDETERMINED
from engine.settle import Knowledge, Ways, leaves, together
from engine.tables.table import Origin
from engine.tree import And, Compare, CountMet, Expr, Met, Not, Or, fields_of, walk

_PAIR = pl.Struct({"field": pl.String, "column": pl.String, "value": pl.String})
_PAIRS = pl.List(_PAIR)
_WAYS = pl.List(pl.List(pl.String))


@dataclass(frozen=True)
class Leaves:
    """What the verdict of a criterion hangs on: `direct` leaves of its conditions, `all` with those of the derivations behind them, and
    the `fields` that they read, derivations included, in the order of first use."""

    direct: tuple[Expr, ...]
    all: tuple[Expr, ...]
    fields: tuple[str, ...]


def leaves_of(criterion: Criterion, sector: Sector) -> Leaves:
    """The leaves of a criterion, through MET and derivations."""
    todo = list(conditions_of(criterion))
    direct: dict[Expr, None] = dict.fromkeys(leaf for expr in todo for leaf in leaves(expr))
    by_id = {c.id: c for c in sector.criteria}
    whole: dict[Expr, None] = {}
    fields: dict[str, None] = {}
    done: set[str] = set()
    while todo:
        expr = todo.pop(0)
        whole.update(dict.fromkeys(leaves(expr)))
        for node in walk(expr):
            if isinstance(node, Met) and node.criterion in by_id and node.criterion not in done:
                done.add(node.criterion)
                todo += conditions_of(by_id[node.criterion])
        for name in fields_of(expr):
            fields[name] = None
            derived = sector.derived.get(name)
            if derived is not None and name not in done:
                done.add(name)
                fields.update(dict.fromkeys([derived.same] if derived.same else []))
                if not derived.how:  # what an aggregate looks at lies in other rows
                    todo += [case for _, case in derived.cases]
    return Leaves(tuple(direct), tuple(whole), tuple(fields))


def supporting(expr: Expr, want: bool, truth: Mapping[Expr, bool | None]) -> list[Expr]:
    """The leaves that make `expr` `want`, or would if the open ones turned out so: branches that are certainly the other way are left out."""
    match expr:
        case Not(operand):
            return supporting(operand, not want, truth)
        case And(operands) | Or(operands):
            found = [supporting(operand, want, truth) for operand in operands]
            if isinstance(expr, Or) is want:
                found = [some for operand, some in zip(operands, found, strict=True) if settled(operand, truth) is not (not want)]
            return [leaf for some in found for leaf in some]
        case Compare(_, left, right) if isinstance(left, CountMet) or isinstance(right, CountMet):
            counted = [operand for side in (left, right) if isinstance(side, CountMet) for operand in side.operands]
            return [leaf for operand in counted for leaf in supporting(operand, True, truth)]
    return [expr] if truth.get(expr) is want else []


def settled(expr: Expr, truth: Mapping[Expr, bool | None]) -> bool | None:
    """The truth of `expr` by that of its leaves."""
    match expr:
        case Not(operand):
            made = settled(operand, truth)
            return None if made is None else not made
        case And(operands) | Or(operands):
            parts = [settled(operand, truth) for operand in operands]
            decisive = isinstance(expr, Or)
            return decisive if decisive in parts else None if None in parts else not decisive
    value = getattr(expr, "value", None)
    return value if isinstance(value, bool) else truth.get(expr)


def knowledge_of(sector: Sector, truth: Mapping[Expr, bool | None], blank: Sequence[str]) -> Knowledge:
    """What one row tells: the truth of its leaves, and the fields that are blank on it."""
    missing = frozenset(blank)
    known = frozenset(name for name in sector.fields if name not in missing)
    return Knowledge(sector, lambda leaf: truth.get(leaf), known, askable=lambda name: name != DATE_FIELD)


def ways_to_settle(criterion: Criterion, knowledge: Knowledge) -> Ways:
    """The smallest sets of facts with which an undetermined criterion could be met, and otherwise would not be."""
    return together([knowledge.ways(expr, True) for expr in conditions_of(criterion)])


def blank_mask(chained: Chained, name: str) -> pl.Expr:
    """Whether a field is not known on a row: blank, or a count that is only known as an interval."""
    if name not in chained.frame.columns:
        return pl.lit(True)
    if name in chained.intervals:
        return pl.col(name).ne_missing(pl.col(name + HIGH)) | pl.col(name).is_null()
    return pl.col(name).is_null()


def shown(chained: Chained, sector: Sector, name: str) -> pl.Expr:
    """The values of a field as text, null where blank; an interval as 2～3."""
    if name not in chained.frame.columns:
        return pl.lit(None, dtype=pl.String)
    column, kind = pl.col(name), sector.fields[name].type
    if kind == "bool":
        return pl.when(column).then(pl.lit("是")).when(~column).then(pl.lit("否"))
    low = _number_text(column, kind)
    if name not in chained.intervals:
        return low
    high = _number_text(pl.col(name + HIGH), kind)
    both = pl.when(low == high).then(low).otherwise(pl.format("{}～{}", low, high))
    return pl.coalesce(both, pl.format("不少于 {}", low), pl.format("不超过 {}", high))


def _number_text(column: pl.Expr, kind: str) -> pl.Expr:
    """A number without a needless fraction; what is no number as it is."""
    if kind != "number":
        return column.cast(pl.String)
    whole = (column == column.floor()) & (column.abs() < 1e15)
    near = (column * 1e9).round() / 1e9
    digits = pl.when(column.abs() < 1e6).then(near).otherwise(column).cast(pl.String)
    return pl.when(whole).then(column.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(digits)


def build(judged: Judged, origins: Sequence[Origin], certain: bool, authorities: Authorities | None = None) -> pa.Table:
    """The findings (`certain`), or else the undetermined ones, as tables of FINDINGS or UNDETERMINED; `authorities` tell who must act."""
    wanted = judged.hits.filter(pl.col("certain") == certain).with_row_index("__hit")
    parts = []
    for n in wanted["criterion"].unique().sort().to_list():
        mine = wanted.filter(pl.col("criterion") == n)
        parts.append(_explained(mine, judged, judged.sector.criteria[n], origins, certain))
    schema = FINDINGS if certain else UNDETERMINED
    if not parts:
        return schema.empty_table()
    details = pl.concat(parts).sort("__hit")
    frame = judged.chained.frame
    index = wanted["index"]
    about = _about(judged.sector)
    static = about[wanted["criterion"].cast(pl.UInt32)]
    table = frame["__table"].gather(index)
    files = pl.Series([o.file for o in origins], dtype=pl.String).gather(table)
    sheets = pl.Series([o.sheet for o in origins], dtype=pl.String).gather(table)
    made = static.with_columns(
        frame[ENTERPRISE].gather(index).alias("enterprise"), frame[SUBJECT].gather(index).alias("subject"),
        frame[REGION].gather(index).alias("region"), pl.lit(judged.sector.id).alias("sector"), frame[DATE].gather(index).alias("date"),
        details["evidence"], _or_null(files).alias("file"), _or_null(sheets).alias("sheet"),
        frame["__row"].gather(index).cast(pl.Int64).alias("row"),
    )  # fmt: skip
    known = authorities or Authorities()
    made = assigned(located(made, made["region"], known), made["sector"], known)
    if not certain:
        made = made.with_columns(details["missing"], wanted["suspected"])
        size = pl.col("missing").list.eval(pl.element().list.len()).list.min().fill_null(99)
        made = made.sort(~pl.col("suspected"), size, maintain_order=True)
    return made.select(schema.names).to_arrow().cast(schema)


def _or_null(text: pl.Series) -> pl.Series:
    return text.set(text == "", None)


def _about(sector: Sector) -> pl.DataFrame:
    def column(values: list[str]) -> pl.Series:
        return _or_null(pl.Series(values, dtype=pl.String))

    criteria = sector.criteria
    return pl.DataFrame({
        "criterion": column([c.id for c in criteria]), "name": column([c.name for c in criteria]), "clause": column([c.clause for c in criteria]),
        "document": column([c.document.number for c in criteria]), "title": column([c.document.title for c in criteria]),
        "in_force_from": pl.Series([c.start for c in criteria], dtype=pl.Date), "in_force_to": pl.Series([c.end for c in criteria], dtype=pl.Date),
        "grade": column([c.grade for c in criteria]), "status": column([c.status for c in criteria]), "duty": column([c.duty for c in criteria]),
        "campaign": column([c.campaign for c in criteria]), "remedy": column([c.remedy for c in criteria]),
    })  # fmt: skip


def _explained(mine: pl.DataFrame, judged: Judged, criterion: Criterion, origins: Sequence[Origin], certain: bool) -> pl.DataFrame:
    """Evidence (and what is missing) for the hits of one criterion: __hit, evidence, missing."""
    sector, chained = judged.sector, judged.chained
    wanted = needed(sector, conditions_of(criterion))
    names = [name for name in chained.frame.columns if name in wanted or name.removesuffix(HIGH) in wanted or name.startswith(MET)]
    rows = chained.frame.select(*dict.fromkeys([*names, "__table"]))[mine["index"]].with_columns(mine["__hit"])
    compiler = chained.compiler()
    masks: dict[str, list[pl.Expr]] = {}
    for leaf, mask in [pair for expr in conditions_of(criterion) for pair in _supports(expr, True, compiler, [])]:
        for name in expanded([leaf], chained, sector):
            masks.setdefault(name, []).append(mask)
    pairs = [_pair(chained, sector, name, origins, pl.any_horizontal(found)) for name, found in masks.items()]
    evidence = pl.concat_list(pairs).list.drop_nulls() if pairs else pl.lit([], dtype=_PAIRS)
    made = rows.lazy().with_columns(evidence.cast(_PAIRS).alias("evidence")).select("__hit", "evidence").collect()
    return made if certain else made.with_columns(_missing(rows, judged, criterion).alias("missing"))


def _supports(expr: Expr, want: bool, compiler: Compiler, guards: list[pl.Expr]) -> list[tuple[Expr, pl.Expr]]:
    """As `supporting`, for whole columns: the leaves, each with the rows on which it counts."""
    match expr:
        case Not(operand):
            return _supports(operand, not want, compiler, guards)
        case And(operands) | Or(operands):
            found = []
            for operand in operands:
                branch = compiler.compile(operand) if want else ~compiler.compile(operand)
                more = [*guards, branch.fill_null(True)] if isinstance(expr, Or) is want else guards
                found += _supports(operand, want, compiler, more)
            return found
        case Compare(_, left, right) if isinstance(left, CountMet) or isinstance(right, CountMet):
            counted = [operand for side in (left, right) if isinstance(side, CountMet) for operand in side.operands]
            return [pair for operand in counted for pair in _supports(operand, True, compiler, guards)]
    truth = compiler.compile(expr)
    return [(expr, pl.all_horizontal([(truth if want else ~truth).fill_null(False), *guards]))]


def _missing(rows: pl.DataFrame, judged: Judged, criterion: Criterion) -> pl.Series:
    """For each row the smallest sets of facts that would settle it. They hang only on which leaves are true, false or unknown and which
    fields are blank, so the logic is asked once for each such pattern."""
    sector, chained = judged.sector, judged.chained
    parts = leaves_of(criterion, sector)
    compiler = chained.compiler()
    marks = [_mark(compiler.compile(leaf)) for leaf in parts.all] + [blank_mask(chained, name).cast(pl.Int8).cast(pl.String) for name in parts.fields]
    patterns = rows.lazy().with_columns(pl.concat_str(marks).alias("__pattern")).select("__pattern").collect()["__pattern"]
    distinct = patterns.unique(maintain_order=True)
    ways = []
    for text in distinct.to_list():
        truth = {leaf: {"1": True, "0": False}.get(mark) for leaf, mark in zip(parts.all, text, strict=False)}
        blank = [name for name, mark in zip(parts.fields, text[len(parts.all) :], strict=True) if mark == "1"]
        ways.append([sorted(way) for way in ways_to_settle(criterion, knowledge_of(sector, truth, blank))])
    codes = patterns.cast(pl.Enum(distinct)).to_physical()
    return pl.Series(ways, dtype=_WAYS).gather(codes)


def _mark(truth: pl.Expr) -> pl.Expr:
    return pl.when(truth).then(pl.lit("1")).when(~truth).then(pl.lit("0")).otherwise(pl.lit("-"))


def expanded(reasons: Sequence[Expr], chained: Chained, sector: Sector) -> list[str]:
    """The fields of the leaves, each derived one followed by what it was derived from."""
    names: dict[str, None] = {}
    todo = [name for leaf in reasons for name in fields_of(leaf)]
    while todo:
        name = todo.pop(0)
        if name in names:
            continue
        names[name] = None
        if name in sector.derived and name not in chained.given:
            todo = [*sector.derived[name].reads, *todo]
    return list(names)


def _pair(chained: Chained, sector: Sector, name: str, origins: Sequence[Origin], mask: pl.Expr) -> pl.Expr:
    headers = [origin.headers.get(name) for origin in origins]
    if len(set(headers)) == 1:
        column = pl.lit(headers[0], dtype=pl.String)
    else:
        column = pl.lit(pl.Series(headers, dtype=pl.String).implode()).list.get(pl.col("__table").cast(pl.UInt32))
    value = shown(chained, sector, name)
    pair = pl.struct(pl.lit(name).alias("field"), column.alias("column"), value.alias("value"))
    return pl.when(mask & value.is_not_null()).then(pair)
