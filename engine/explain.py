"""Why, why not, what to ask next: one criterion on one row, in words. For a person's question, so row by row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from engine.chain import DATE, conditions_of
from engine.columnar import Compiler, rounded
from engine.documents import Criterion
from engine.evidence import Leaves, blank_mask, expanded, knowledge_of, leaves_of, settled, shown, supporting, ways_to_settle
from engine.identity import ENTERPRISE, SUBJECT
from engine.judging import Judged
from engine.tables.table import Origin
from engine.tree import And, Compare, Contains, CountMet, DaysBetween, Expr, IsNull, Literal, Not, Or, Ref
from engine.wording import OPPOSITE, text_of, value_text

MAX_CLEARS = 6


@dataclass(frozen=True)
class Explanation:
    """One verdict explained. `verdict` is met, not_met, undetermined, not_applicable or not_in_force; `values` are (field, header or "",
    text) of what decided it; `failed` (not met, not applicable) says in Chinese which parts failed and by how much; `clears` (met) lists
    the smallest sets of changes that would clear it; `missing` (undetermined) the smallest sets of facts that would settle it."""

    criterion: Criterion
    enterprise: str
    subject: str
    file: str
    sheet: str
    row: int
    date: dt.date
    verdict: str
    suspected: bool
    values: tuple[tuple[str, str, str], ...]
    failed: tuple[str, ...]
    clears: tuple[tuple[str, ...], ...]
    missing: tuple[tuple[str, ...], ...]


def explain_rows(judged: Judged, origins: Sequence[Origin], rows: Sequence[int], criteria: Sequence[Criterion]) -> list[Explanation]:
    """Explain each of `criteria` on each of `rows` (positions in the frame), in the order of the rows."""
    made: list[tuple[int, int, Explanation]] = []
    frame = judged.chained.frame[list(rows)]
    for order, criterion in enumerate(criteria):
        made += [(row, order, one) for row, one in zip(rows, _explain(judged, origins, frame, criterion), strict=True)]
    return [one for _, _, one in sorted(made, key=lambda item: item[:2])]


def _explain(judged: Judged, origins: Sequence[Origin], frame: pl.DataFrame, criterion: Criterion) -> list[Explanation]:
    sector, chained = judged.sector, judged.chained
    parts = leaves_of(criterion, sector)
    compiler = chained.compiler()
    truths = frame.with_columns(pl.Series([True]).new_from_index(0, frame.height).alias("__true")).select(
        [pl.coalesce(compiler.compile(leaf), pl.lit(None, dtype=pl.Boolean)).alias(f"l{n}") for n, leaf in enumerate(parts.all)]
        + [blank_mask(chained, name).alias(f"b{n}") for n, name in enumerate(parts.fields)]
        + [shown(chained, sector, name).alias(f"v{n}") for n, name in enumerate(parts.fields)]
        + [compiler.compile(expr).alias(f"c{n}") for n, expr in enumerate(conditions_of(criterion))]
        + [pl.col(DATE), pl.col(ENTERPRISE), pl.col(SUBJECT), pl.col("__table"), pl.col("__row")]
    )
    return [_one(row, frame[n], parts, criterion, judged, origins, compiler) for n, row in enumerate(truths.iter_rows(named=True))]


def _one(
    row: dict[str, object], frame: pl.DataFrame, parts: Leaves, criterion: Criterion, judged: Judged, origins: Sequence[Origin], compiler: Compiler
) -> Explanation:
    truth = {leaf: row[f"l{n}"] for n, leaf in enumerate(parts.all)}
    blank = [name for n, name in enumerate(parts.fields) if row[f"b{n}"]]
    texts = {name: row[f"v{n}"] for n, name in enumerate(parts.fields)}
    exprs = conditions_of(criterion)
    values = [row[f"c{n}"] for n in range(len(exprs))]
    applies, when = (True, values[0]) if criterion.applies is None else (values[0], values[1])
    day = row[DATE]
    assert isinstance(day, dt.date)
    verdict = _verdict(criterion, day, applies, when)
    origin = origins[int(str(row["__table"]))]
    want = verdict != "not_met" and verdict != "not_applicable"
    reasons: list[Expr] = []
    failed: list[str] = []
    if verdict in ("met", "undetermined"):
        reasons = [leaf for expr in exprs for leaf in supporting(expr, want, truth)]  # type: ignore[arg-type]
    elif verdict != "not_in_force":
        part = criterion.applies if verdict == "not_applicable" and criterion.applies is not None else criterion.when
        reasons = supporting(part, False, truth)  # type: ignore[arg-type]
        failed = [_failure(leaf, frame, compiler, truth) for leaf in dict.fromkeys(reasons)]  # type: ignore[arg-type]
    names = [name for name in expanded(reasons, judged.chained, judged.sector) if texts.get(name) is not None]
    knowledge = knowledge_of(judged.sector, truth, blank)  # type: ignore[arg-type]
    return Explanation(
        criterion=criterion,
        enterprise=str(row[ENTERPRISE]),
        subject=str(row[SUBJECT] or ""),
        file=origin.file,
        sheet=origin.sheet,
        row=int(str(row["__row"])),
        date=day,
        verdict=verdict,
        suspected=verdict == "undetermined" and when is True,
        values=tuple((name, origin.headers.get(name, ""), str(texts[name])) for name in names),
        failed=tuple(failed),
        clears=_clears(criterion.when, frame, compiler, truth) if verdict == "met" else (),  # type: ignore[arg-type]
        missing=tuple(tuple(sorted(way)) for way in ways_to_settle(criterion, knowledge)) if verdict == "undetermined" else (),
    )


def _verdict(criterion: Criterion, day: dt.date, applies: object, when: object) -> str:
    if day < criterion.start or (criterion.end is not None and day > criterion.end):
        return "not_in_force"
    if applies is False:
        return "not_applicable"
    if when is False:
        return "not_met"
    return "met" if applies is True and when is True else "undetermined"


def _failure(leaf: Expr, frame: pl.DataFrame, compiler: Compiler, truth: dict[Expr, bool | None]) -> str:
    """Why a leaf stands in the way, and for numbers and dates by how much."""
    if isinstance(leaf, Compare):
        distance = _distance(leaf, frame, compiler)
        holds = truth.get(leaf)
        said = text_of(leaf) if holds else f"{text_of(leaf.left)} {OPPOSITE[leaf.op]} {text_of(leaf.right)}"
        return f"{said}{distance}"
    if isinstance(leaf, Ref):
        return f"{leaf.name}为{value_text(truth.get(leaf))}"
    return _said(leaf, bool(truth.get(leaf)))


def _said(leaf: Expr, holds: bool) -> str:
    """A question about a cell, answered."""
    if isinstance(leaf, Contains):
        return f"{text_of(leaf.text)}里{'有' if holds else '没有'}“{leaf.word}”"
    if isinstance(leaf, IsNull):
        return f"{leaf.operand.name}{'空着' if holds else '已填写'}"
    return f"{text_of(leaf)}{'成立' if holds else '不成立'}"


def _distance(leaf: Compare, frame: pl.DataFrame, compiler: Compiler) -> str:
    sides = []
    for side in (leaf.left, leaf.right):
        if side.type.kind in ("number", "integer"):
            number = rounded(compiler.number(side))
            low, high = frame.select(number.low.alias("low"), number.high.alias("high")).row(0)
            sides.append(low if low == high else None)
        else:
            sides.append(frame.select(compiler.compile(side).alias("v"))["v"][0])
    left, right = sides
    if left is None or right is None:
        return ""
    unit = leaf.left.type.unit or leaf.right.type.unit
    symbol = "" if unit is None or str(unit) == "1" else f" {unit}"
    if isinstance(left, dt.date) and isinstance(right, dt.date):
        return f"（{left} 与 {right}，相差 {abs((left - right).days)} 天）"
    if isinstance(left, float | int) and not isinstance(left, bool) and isinstance(right, float | int):
        word = "天" if isinstance(leaf.left, DaysBetween) else symbol
        gap = f"{float(left):.12g}{word} 与 {float(right):.12g}{word}，相差 {abs(float(left) - float(right)):.12g}{word}"
        return f"（{gap}）"
    return f"（实为“{value_text(left)}”）"


def _clears(when: Expr, frame: pl.DataFrame, compiler: Compiler, truth: dict[Expr, bool | None]) -> tuple[tuple[str, ...], ...]:
    """The smallest sets of changes after which `when` would no longer hold."""

    def flips(expr: Expr, want: bool) -> list[tuple[Expr, ...]]:
        """Sets of leaves to change so that `expr` becomes `want`."""
        if settled(expr, truth) is want:
            return [()]
        match expr:
            case Not(operand):
                return flips(operand, not want)
            case And(operands) | Or(operands):
                if isinstance(expr, And) is want:
                    made: list[tuple[Expr, ...]] = [()]
                    for operand in operands:
                        made = [tuple(dict.fromkeys(a + b)) for a in made for b in flips(operand, want)][:MAX_CLEARS]
                    return made
                return sorted((one for operand in operands for one in flips(operand, want)), key=len)[:MAX_CLEARS]
            case Literal():
                return []
            case Compare(_, left, right) if isinstance(left, CountMet) or isinstance(right, CountMet):
                counted = [operand for side in (left, right) if isinstance(side, CountMet) for operand in side.operands]
                held: list[tuple[Expr, ...]] = [(operand,) for operand in counted if settled(operand, truth) is True]
                return held[:MAX_CLEARS]
        return [(expr,)]

    found = sorted(flips(when, False), key=len)
    smallest = [one for one in found if one and len(one) == len(found[0])] if found else []
    return tuple(tuple(_change(leaf, frame, compiler, truth) for leaf in one) for one in smallest[:MAX_CLEARS])


def _change(leaf: Expr, frame: pl.DataFrame, compiler: Compiler, truth: dict[Expr, bool | None]) -> str:
    if isinstance(leaf, Ref):
        return f"{leaf.name}由{value_text(truth.get(leaf))}改为{value_text(not truth.get(leaf))}"
    if isinstance(leaf, Compare):
        holds = truth.get(leaf)
        op = OPPOSITE[leaf.op] if holds else leaf.op
        return f"使 {text_of(leaf.left)} {op} {text_of(leaf.right)}{_distance(leaf, frame, compiler)}"
    return f"改到{_said(leaf, not truth.get(leaf))}"
