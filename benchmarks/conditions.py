"""The conditions of a sector as plain trees for other engines: each criterion one expression over the columns of the table.

`questions` ties applicability, condition and days in force together; derived fields stay fields, given by `steps`, which say how each is
derived. `sure` pushes NOT down to the leaves, for engines that know two truth values only: where it holds, the criterion is met.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from engine.chain import conditions_of, needed
from engine.documents import Criterion
from engine.fields import DATE_FIELD
from engine.pack import Sector
from engine.tables.columns import read_column
from engine.tree import (
    BOOL,
    DATE,
    AddDays,
    AddMonths,
    And,
    Arith,
    Compare,
    Contains,
    CountMet,
    DaysBetween,
    Expr,
    IsNull,
    Literal,
    Met,
    Not,
    Or,
    Ref,
    Scale,
    Unknown,
    fields_of,
    type_of,
    walk,
)  # fmt: skip

DAY = Ref(DATE_FIELD, DATE)
NEGATED = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


@dataclass(frozen=True)
class Question:
    """One criterion: `expr` is true where it is met and unknown where it is open."""

    id: str
    expr: Expr


@dataclass(frozen=True)
class Step:
    """A derived field: `cases` are (value, condition) of an enum; else one case ("", expression). A cell filled in wins."""

    name: str
    kind: str
    cases: tuple[tuple[str, Expr], ...]


def at_work(sector: Sector) -> list[Criterion]:
    """The criteria that take part in judging."""
    return [criterion for criterion in sector.criteria if criterion.status != "uncertain" and not criterion.suspended]


def in_force(criterion: Criterion) -> list[Expr]:
    """The days in force as comparisons with 检查日期."""
    days: list[Expr] = [Compare(">=", DAY, Literal(criterion.start, DATE))]
    return days if criterion.end is None else [*days, Compare("<=", DAY, Literal(criterion.end, DATE))]


class _Plain:
    """Rewrites trees: MET written out, and what reads a field that is neither a column nor derived becomes unknown."""

    def __init__(self, sector: Sector, columns: Collection[str]):
        self.by_id = {criterion.id: criterion for criterion in sector.criteria}
        self.known = {*columns, *sector.derived, DATE_FIELD}

    def criterion(self, criterion: Criterion) -> Expr:
        return And((*in_force(criterion), *(self.of(expr) for expr in conditions_of(criterion))))

    def of(self, expr: Expr) -> Expr:
        match expr:
            case Met(criterion):
                return self.criterion(self.by_id[criterion])
            case Not(operand):
                return Not(self.of(operand))
            case And(operands):
                return And(tuple(self.of(operand) for operand in operands))
            case Or(operands):
                return Or(tuple(self.of(operand) for operand in operands))
        return Unknown() if expr.type.kind == "bool" and not set(fields_of(expr)) <= self.known else expr


def questions(sector: Sector, columns: Collection[str]) -> list[Question]:
    """All criteria at work. `columns` are those of the table."""
    plain = _Plain(sector, columns)
    return [Question(criterion.id, plain.criterion(criterion)) for criterion in at_work(sector)]


def steps(sector: Sector, columns: Collection[str]) -> list[Step]:
    """The columns in which a blank means something, then the derived fields that the criteria need, each after all that it needs. Those that
    look at other rows are not of this kind."""
    wanted = needed(sector, [expr for criterion in at_work(sector) for expr in conditions_of(criterion)])
    plain = _Plain(sector, columns)
    made = []
    for name in columns:
        field = sector.fields[name]
        if name in wanted and field.blank is not None:
            value = read_column(pl.Series([field.blank], dtype=pl.String), field).values.item()
            made.append(Step(name, field.type, (("", Literal(value, type_of(field))),)))
    for name in sector.order:
        derived = sector.derived.get(name)
        if derived is None or name not in wanted:
            continue
        assert not derived.how and not derived.child, f"{name}: an aggregate"
        made.append(Step(name, derived.field.type, tuple((value, plain.of(expr)) for value, expr in derived.cases)))
    return made


def sure(expr: Expr, want: bool = True) -> Expr:
    """An expression of And, Or and leaves that is true where `expr` is certainly `want`; a leaf over a blank counts as not true."""
    match expr:
        case Not(operand):
            return sure(operand, not want)
        case And(operands) | Or(operands):
            parts = tuple(sure(operand, want) for operand in operands)
            return And(parts) if isinstance(expr, And) is want else Or(parts)
        case Compare(op, left, Literal(bool(value))) if op in ("=", "<>"):
            return sure(left, want is (value is (op == "=")))
        case Compare(op, left, right):
            return expr if want else Compare(NEGATED[op], left, right)
        case Unknown():
            return Literal(False, BOOL)
        case Literal(bool(value)):
            return Literal(value is want, BOOL)
    return expr if want else Not(expr)


def simple(expr: Expr) -> bool:
    """Whether an expression is made of facts, comparisons of facts with constants or with each other, and AND, OR, NOT alone: what any rule
    engine can state. Dates that are reckoned and arithmetic are not."""
    return not any(isinstance(node, AddMonths | AddDays | DaysBetween | Arith | Scale | CountMet | Contains | Met) for node in walk(expr))


def number_of_day(day: dt.date) -> int:
    """A day as a number, for engines without dates."""
    return (day - dt.date(1970, 1, 1)).days


def null_tests(expr: Expr) -> bool:
    """Whether the expression asks if a cell is blank."""
    return any(isinstance(node, IsNull) for node in walk(expr))
