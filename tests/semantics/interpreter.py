"""The meaning of a condition, a second time: row by row, in plain Python, sharing no evaluation with the engine.

It follows docs/semantics.md and nothing else, so that where the engine and it disagree one of them is wrong about the page. Unknown is
None. Numbers are exact fractions (a count is an interval of them); cells may be int, float, Decimal or Fraction, a float meaning the
decimal that it prints as. Speed does not matter here. Only the node classes come from the engine.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import TypeAlias

from engine.documents import Criterion
from engine.pack import Derived, Sector
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
    Met,
    Not,
    Or,
    Ref,
    Scale,
    Unknown,
    walk,
)


@dataclass(frozen=True)
class Interval:
    """A number known to lie between two others, both included."""

    low: Fraction
    high: Fraction


Value: TypeAlias = "bool | int | float | Decimal | Fraction | Interval | dt.date | str | None"
Row: TypeAlias = Mapping[str, Value]
"""One row: field or id of a criterion -> value. A field that is not a key is one whose column the table lacks."""

_TWELVE = Context(prec=12, rounding=ROUND_HALF_EVEN)


def evaluate(expr: Expr, row: Row) -> Value:
    """What the expression gives on the row: a truth value, an exact number (Fraction), a count (Interval), a date, a text, or None."""
    made = _value(expr, row)
    if isinstance(made, Interval) and not expr.type.interval:
        return made.low
    return made


def _value(expr: Expr, row: Row) -> bool | Interval | dt.date | str | None:
    match expr:
        case Unknown():
            return None
        case Literal(value):
            return _cell(value)
        case Ref(name):
            return _cell(row.get(name))
        case Met(criterion):
            return _truth(row.get(criterion))
        case IsNull(Ref(name)):
            return row[name] is None if name in row else None
        case Not(operand):
            truth = _truth(_value(operand, row))
            return None if truth is None else not truth
        case And(operands):
            return kleene_and([_truth(_value(operand, row)) for operand in operands])
        case Or(operands):
            return kleene_or([_truth(_value(operand, row)) for operand in operands])
        case Compare(op, left, right):
            return _compare(op, left, right, row)
        case CountMet(operands):
            return _count([_truth(_value(operand, row)) for operand in operands])
        case Contains(text, word):
            content = _value(text, row)
            return word in content if isinstance(content, str) else None
        case Arith(op, left, right):
            return _arithmetic(op, _number(_value(left, row)), _number(_value(right, row)))
        case Scale(operand, factor):
            return _arithmetic("*", _number(_value(operand, row)), Interval(factor, factor))
        case DaysBetween(left, right):
            later, earlier = _value(left, row), _value(right, row)
            if not isinstance(later, dt.date) or not isinstance(earlier, dt.date):
                return None
            days = Fraction(later.toordinal() - earlier.toordinal())
            return Interval(days, days)
        case AddMonths(date, count):
            return _add(add_months, _value(date, row), _number(_value(count, row)))
        case AddDays(date, count):
            return _add(lambda day, n: dt.date.fromordinal(day.toordinal() + n), _value(date, row), _number(_value(count, row)))
    raise AssertionError(f"a node without a meaning: {expr!r}")


def _cell(value: Value) -> bool | Interval | dt.date | str | None:
    if value is None or isinstance(value, bool | str | dt.date | Interval):
        return value
    exact = Fraction(Decimal(repr(value))) if isinstance(value, float) else Fraction(value)
    return Interval(exact, exact)


def _truth(value: object) -> bool | None:
    assert value is None or isinstance(value, bool)
    return value


def _number(value: object) -> Interval | None:
    assert value is None or isinstance(value, Interval)
    return value


def kleene_and(truths: Sequence[bool | None]) -> bool | None:
    """False if one is false, else unknown if one is unknown, else true."""
    return False if False in truths else None if None in truths else True


def kleene_or(truths: Sequence[bool | None]) -> bool | None:
    """True if one is true, else unknown if one is unknown, else false."""
    return True if True in truths else None if None in truths else False


def _count(truths: Sequence[bool | None]) -> Interval:
    return Interval(Fraction(truths.count(True)), Fraction(len(truths) - truths.count(False)))


def _compare(op: str, left_expr: Expr, right_expr: Expr, row: Row) -> bool | None:
    left, right = _value(left_expr, row), _value(right_expr, row)
    if left is None or right is None:
        return None
    if isinstance(left, Interval) and isinstance(right, Interval):
        if any(isinstance(node, Arith | Scale) for side in (left_expr, right_expr) for node in walk(side)):
            left, right = _rounded(left), _rounded(right)
        return _compare_intervals(op, left, right)
    if op in ("=", "<>"):
        return (left == right) is (op == "=")
    assert isinstance(left, dt.date) and isinstance(right, dt.date)
    days = Fraction(left.toordinal() - right.toordinal())
    return _compare_intervals(op, Interval(days, days), Interval(Fraction(0), Fraction(0)))


def _compare_intervals(op: str, left: Interval, right: Interval) -> bool | None:
    if op in ("<>", ">=", ">"):
        truth = _compare_intervals({"<>": "=", ">=": "<", ">": "<="}[op], left, right)
        return None if truth is None else not truth
    if op == "=":
        if left.high < right.low or right.high < left.low:
            return False
        return True if left.low == left.high == right.low == right.high else None
    if op == "<":
        return True if left.high < right.low else False if left.low >= right.high else None
    assert op == "<="
    return True if left.high <= right.low else False if left.low > right.high else None


def _rounded(value: Interval) -> Interval:
    return Interval(_twelve(value.low), _twelve(value.high))


def _twelve(value: Fraction) -> Fraction:
    """The value on twelve significant digits."""
    return Fraction(_TWELVE.divide(Decimal(value.numerator), Decimal(value.denominator)))


def _arithmetic(op: str, left: Interval | None, right: Interval | None) -> Interval | None:
    if left is None or right is None:
        return None
    if op == "+":
        return Interval(left.low + right.low, left.high + right.high)
    if op == "-":
        return Interval(left.low - right.high, left.high - right.low)
    if op == "/":
        if right.low <= 0 <= right.high:
            return None
        right = Interval(1 / right.high, 1 / right.low)
    ends = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
    return Interval(min(ends), max(ends))


def add_months(day: dt.date, months: int) -> dt.date:
    """The same day of the month so many months later, or that month's last day where it is shorter."""
    month = day.year * 12 + day.month - 1 + months
    first = dt.date(month // 12, month % 12 + 1, 1)
    last = (first.replace(day=28) + dt.timedelta(days=4)).replace(day=1) - dt.timedelta(days=1)
    return first.replace(day=min(day.day, last.day))


def _add(how: object, day: object, count: Interval | None) -> dt.date | None:
    if not isinstance(day, dt.date) or count is None or count.low != count.high or count.low.denominator != 1:
        return None
    assert callable(how)
    try:
        made = how(day, int(count.low))
    except (ValueError, OverflowError):  # beyond the calendar
        return None
    assert isinstance(made, dt.date)
    return made


def verdict(criterion: Criterion, row: Row, date: dt.date) -> tuple[str, bool]:
    """The verdict on a row judged on `date`, and whether it is suspected. `not_in_force` outside the criterion's days."""
    if date < criterion.start or (criterion.end is not None and date > criterion.end):
        return "not_in_force", False
    applies = True if criterion.applies is None else _truth(_value(criterion.applies, row))
    when = _truth(_value(criterion.when, row))
    if applies is False:
        return "not_applicable", False
    both = kleene_and([applies, when])
    if both is None:
        return "undetermined", applies is None and when is True
    return ("met" if both else "not_met"), False


def chain(sector: Sector, rows: Sequence[Row], dates: Sequence[dt.date]) -> list[Row]:
    """The rows with all derived fields and all criteria that MET refers to, in the order that the sector states."""
    whole: list[dict[str, Value]] = [dict(row) for row in rows]
    criteria = {criterion.id: criterion for criterion in sector.criteria}
    for name in sector.order:
        if name in sector.derived:
            values = _derive(sector.derived[name], whole)
        else:
            verdicts = [verdict(criteria[name], row, date)[0] for row, date in zip(whole, dates, strict=True)]
            values = [None if v == "undetermined" else v == "met" for v in verdicts]
        for row, value in zip(whole, values, strict=True):
            if row.get(name) is None:
                row[name] = value
    return list(whole)


def _derive(derived: Derived, rows: Sequence[Row]) -> list[Value]:
    if derived.child:  # rows of another table, which this interpreter is never given
        return [None for _ in rows]
    if not derived.how:
        return [_by_case(derived, row) for row in rows]
    ((_, operand),) = derived.cases
    groups: dict[object, list[Value]] = {}
    for row in rows:
        if row.get(derived.same) is not None:
            groups.setdefault(row[derived.same], []).append(_value(operand, row))
    results = {key: _aggregate(derived.how, values) for key, values in groups.items()}
    return [results.get(row.get(derived.same)) for row in rows]


def _by_case(derived: Derived, row: Row) -> Value:
    if derived.cases[0][0] == "":
        return _value(derived.cases[0][1], row)
    true = [value for value, expr in derived.cases if _value(expr, row) is True]
    return true[0] if len(true) == 1 else None


def _aggregate(how: str, values: Sequence[Value]) -> Value:
    if how == "count":
        return _count([_truth(value) for value in values])
    if how in ("any", "all"):
        truths = [_truth(value) for value in values]
        return kleene_or(truths) if how == "any" else kleene_and(truths)
    if None in values:
        return None
    if any(isinstance(value, dt.date) for value in values):
        dates = [value for value in values if isinstance(value, dt.date)]
        return min(dates) if how == "min" else max(dates)
    numbers = [value for value in values if isinstance(value, Interval)]
    if how == "sum":
        return Interval(sum((n.low for n in numbers), Fraction(0)), sum((n.high for n in numbers), Fraction(0)))
    pick = min if how == "min" else max
    return Interval(pick(n.low for n in numbers), pick(n.high for n in numbers))
