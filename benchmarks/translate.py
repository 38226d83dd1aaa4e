"""A condition's tree -> another engine's own terms. `Dialect` walks the tree once for all; a peer says what each node is in its terms."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from benchmarks.conditions import Step, number_of_day, sure
from engine.tree import (
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
    Not,
    Or,
    Ref,
    Scale,
    Unknown,
    fields_of,
)  # fmt: skip


class CannotSay(Exception):
    """The engine has no words for this condition."""


class Dialect:
    """A walk over a tree with three truth values. A peer overrides what it can say; what it leaves out it cannot say."""

    def of(self, expr: Expr) -> Any:
        """The expression in the peer's terms. Raises CannotSay."""
        match expr:
            case Ref(name):
                return self.fact(name)
            case Literal(value):
                return self.constant(value)
            case Unknown():
                return self.unknown()
            case Not(operand):
                return self.opposite(self.of(operand))
            case And(operands):
                return self.both([self.of(operand) for operand in operands])
            case Or(operands):
                return self.either([self.of(operand) for operand in operands])
            case Compare(op, left, right):
                if isinstance(left, CountMet) or isinstance(right, CountMet):
                    raise CannotSay("a count known as an interval")
                return self.compare(op, self.of(left), self.of(right))
            case IsNull(Ref(name)):
                return self.blank(name)
            case Contains(text, word):
                return self.holds(self.of(text), word)
            case Arith(op, left, right):
                return self.arithmetic(op, self.of(left), self.of(right))
            case Scale(operand, factor):
                return self.times(self.of(operand), factor)
            case DaysBetween(left, right):
                return self.apart(self.of(left), self.of(right))
            case AddMonths(date, Literal(Decimal() as count)):
                return self.months(self.of(date), int(count))
            case AddDays(date, Literal(Decimal() as count)):
                return self.days(self.of(date), int(count))
        raise CannotSay(type(expr).__name__)

    def derived(self, step: Step, given: bool) -> Any:
        """The value of a derived field; `given`: there is a column whose cells win."""
        if step.cases[0][0] == "":
            value = self.of(step.cases[0][1])
        else:
            value = self.chosen([(value, self.of(expr)) for value, expr in step.cases])
        return self.first(self.fact(step.name), value) if given else value

    def fact(self, name: str) -> Any:
        """A column."""
        raise CannotSay("fact")

    def constant(self, value: bool | Decimal | dt.date | str) -> Any:
        """A constant."""
        raise CannotSay("constant")

    def unknown(self) -> Any:
        """An unknown truth."""
        raise CannotSay("unknown")

    def opposite(self, truth: Any) -> Any:
        """Kleene's not."""
        raise CannotSay("opposite")

    def both(self, truths: Sequence[Any]) -> Any:
        """Kleene's and."""
        raise CannotSay("both")

    def either(self, truths: Sequence[Any]) -> Any:
        """Kleene's or."""
        raise CannotSay("either")

    def compare(self, op: str, left: Any, right: Any) -> Any:
        """A comparison."""
        raise CannotSay("compare")

    def blank(self, name: str) -> Any:
        """Whether a cell is blank."""
        raise CannotSay("blank")

    def holds(self, text: Any, word: str) -> Any:
        """Whether a text holds a word."""
        raise CannotSay("holds")

    def arithmetic(self, op: str, left: Any, right: Any) -> Any:
        """Plus, minus, times, over; over zero is unknown."""
        raise CannotSay("arithmetic")

    def times(self, number: Any, factor: Fraction) -> Any:
        """A number times a constant."""
        raise CannotSay("times")

    def apart(self, left: Any, right: Any) -> Any:
        """Days from `right` to `left`."""
        raise CannotSay("apart")

    def months(self, date: Any, count: int) -> Any:
        """A date some months later."""
        raise CannotSay("months")

    def days(self, date: Any, count: int) -> Any:
        """A date some days later."""
        raise CannotSay("days")

    def chosen(self, cases: Sequence[tuple[str, Any]]) -> Any:
        """The value whose truth alone is certain."""
        raise CannotSay("chosen")

    def first(self, cell: Any, value: Any) -> Any:
        """The cell, or the value where it is blank."""
        raise CannotSay("first")


class Sentence:
    """A condition as the text of a language with two truth values: NOT pushed down to the leaves, and every leaf false over a blank. Facts go
    by short names, days are numbers. A peer overrides the words."""

    AND, OR, TRUE, FALSE = " and ", " or ", "true", "false"
    EQUAL, UNEQUAL = "==", "!="

    def __init__(self, names: dict[str, str]):
        self.names = names

    def of(self, expr: Expr) -> str:
        """The text that is true where `expr` is certainly true. Raises CannotSay."""
        return self._text(sure(expr))

    def _text(self, expr: Expr) -> str:
        match expr:
            case And(operands):
                return self.joined(self.AND, [self._text(operand) for operand in operands])
            case Or(operands):
                return self.joined(self.OR, [self._text(operand) for operand in operands])
            case Ref(name):
                return self.truth(self.names[name], True)
            case Not(Ref(name)):
                return self.truth(self.names[name], False)
            case Literal(bool(value)):
                return self.TRUE if value else self.FALSE
            case IsNull(Ref(name)):
                return self.null(self.names[name], True)
            case Not(IsNull(Ref(name))):
                return self.null(self.names[name], False)
            case Compare(op, left, right) if isinstance(left, Ref | Literal) and isinstance(right, Ref | Literal):
                known = [self.names[name] for name in fields_of(expr)]
                return self.comparison({"=": self.EQUAL, "<>": self.UNEQUAL}.get(op, op), self._term(left), self._term(right), known)
        raise CannotSay(type(expr).__name__)

    def _term(self, expr: Ref | Literal) -> str:
        if isinstance(expr, Ref):
            return self.variable(self.names[expr.name])
        value = expr.value
        if isinstance(value, dt.date):
            value = Decimal(number_of_day(value))
        if isinstance(value, Decimal):
            return str(int(value)) if value == int(value) else str(float(value))
        return self.word(str(value))

    def joined(self, word: str, parts: Sequence[str]) -> str:
        """Parts joined by AND or OR."""
        return f"({word.join(parts)})"

    def variable(self, name: str) -> str:
        """A fact."""
        return name

    def word(self, text: str) -> str:
        """A text constant."""
        return f"'{text}'"

    def truth(self, name: str, want: bool) -> str:
        """Whether a fact is certainly true, or certainly false."""
        return f"{self.variable(name)} == {self.TRUE if want else self.FALSE}"

    def null(self, name: str, want: bool) -> str:
        """Whether a fact is blank, or is not."""
        return f"{self.variable(name)} {self.EQUAL if want else self.UNEQUAL} null"

    def comparison(self, op: str, left: str, right: str, known: Sequence[str]) -> str:
        """A comparison, false where one of the facts `known` is blank."""
        guards = [self.null(name, False) for name in dict.fromkeys(known)]
        return self.joined(self.AND, [*guards, f"{left} {op} {right}"])
