"""The tree of a checked condition: a small set of frozen nodes, each with its type. Pure data: nothing here parses, judges or prints.

`condition.py` makes it from text; `columnar.py` turns it into Polars; the tests have an interpreter of their own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

from engine.fields import Field
from engine.units import UNITS, Unit


@dataclass(frozen=True)
class Type:
    """What an expression is: a kind of field, the unit of a number (None: a bare literal, which takes the other side's unit), the
    values of an enum, and whether a number is only known as an interval."""

    kind: str
    unit: Unit | None = None
    values: tuple[str, ...] = ()
    interval: bool = False


BOOL = Type("bool")
DATE = Type("date")
TEXT = Type("text")
DAYS = Type("integer", UNITS["日"])


@dataclass(frozen=True)
class Ref:
    """A field."""

    name: str
    type: Type


@dataclass(frozen=True)
class Literal:
    """A constant: bool, Decimal, date or text."""

    value: bool | Decimal | dt.date | str
    type: Type


@dataclass(frozen=True)
class Not:
    """Kleene's not."""

    operand: Expr
    type: Type = BOOL


@dataclass(frozen=True)
class And:
    """Kleene's and of two or more operands."""

    operands: tuple[Expr, ...]
    type: Type = BOOL


@dataclass(frozen=True)
class Or:
    """Kleene's or of two or more operands."""

    operands: tuple[Expr, ...]
    type: Type = BOOL


@dataclass(frozen=True)
class Compare:
    """`left op right`, op one of = <> < <= > >=; both sides are in the same unit."""

    op: str
    left: Expr
    right: Expr
    type: Type = BOOL


@dataclass(frozen=True)
class IsNull:
    """Whether the cell of a field is blank: a question about the table, not about the world."""

    operand: Ref
    type: Type = BOOL


@dataclass(frozen=True)
class Arith:
    """`left op right`, op one of + - * /, on numbers; `-` on two dates is `DaysBetween`."""

    op: str
    left: Expr
    right: Expr
    type: Type


@dataclass(frozen=True)
class Scale:
    """A number times an exact factor: a conversion of units, or a change of sign."""

    operand: Expr
    factor: Fraction
    type: Type


@dataclass(frozen=True)
class DaysBetween:
    """`left - right` of two dates, in days."""

    left: Expr
    right: Expr
    type: Type = DAYS


@dataclass(frozen=True)
class AddMonths:
    """A date some months later, clamped to the last day of that month."""

    date: Expr
    count: Expr
    type: Type = DATE


@dataclass(frozen=True)
class AddDays:
    """A date some days later."""

    date: Expr
    count: Expr
    type: Type = DATE


@dataclass(frozen=True)
class Contains:
    """Whether a text holds a word."""

    text: Expr
    word: str
    type: Type = BOOL


@dataclass(frozen=True)
class CountMet:
    """How many of the conditions hold: an interval, from those certainly true to those not certainly false."""

    operands: tuple[Expr, ...]
    type: Type = Type("integer", None, (), True)


@dataclass(frozen=True)
class Met:
    """Whether another criterion is met on the row (false when it is not met or does not apply)."""

    criterion: str
    type: Type = BOOL


@dataclass(frozen=True)
class Unknown:
    """A truth value that nothing in the table can settle: a comparison with NULL in an IN list."""

    type: Type = BOOL


Expr: TypeAlias = (
    "Unknown | Ref | Literal | Not | And | Or | Compare | IsNull | Arith | Scale | DaysBetween | AddMonths | AddDays | Contains | CountMet | Met"
)


def children(expr: Expr) -> tuple[Expr, ...]:
    """The direct operands of a node."""
    match expr:
        case And(operands) | Or(operands) | CountMet(operands):
            return operands
        case Not(x) | Scale(x) | IsNull(x) | Contains(x):
            return (x,)
        case Compare(_, a, b) | Arith(_, a, b) | DaysBetween(a, b) | AddMonths(a, b) | AddDays(a, b):
            return (a, b)
    return ()


def walk(expr: Expr) -> Iterator[Expr]:
    """The node and all below it, depth first."""
    yield expr
    for child in children(expr):
        yield from walk(child)


def fields_of(expr: Expr) -> tuple[str, ...]:
    """The names of the fields that the expression reads, in the order of first use."""
    return tuple(dict.fromkeys(node.name for node in walk(expr) if isinstance(node, Ref)))


def criteria_of(expr: Expr) -> tuple[str, ...]:
    """The ids of the criteria that the expression refers to with MET."""
    return tuple(dict.fromkeys(node.criterion for node in walk(expr) if isinstance(node, Met)))


def type_of(field: Field) -> Type:
    """The type of a reference to `field`."""
    return Type(field.type, field.unit if field.numeric else None, field.values)
