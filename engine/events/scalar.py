"""The values of one inspection: what `columnar.py` does to whole columns, done to a single row in plain Python.

Numbers after arithmetic, dates, counts and texts are worked out here, before a message goes to the rules; what is true of them becomes a fact of
that message. The same steps in the same order on the same floats as in `columnar.py`, so that both engines find the same limits: where one is
changed, the other must be. A value that is not known is None. Conditions (AND, OR, NOT) never come here: they are the rules' business.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from engine.columnar import HIGH, MET, TOLERANCE
from engine.tree import (
    AddDays,
    AddMonths,
    Arith,
    Compare,
    Contains,
    CountMet,
    DaysBetween,
    Expr,
    IsNull,
    Literal,
    Met,
    Ref,
    Scale,
    Unknown,
)

Facts: TypeAlias = "Mapping[str, Any]"
"""Name -> value, of one row. A name that is not there is a field whose column is lacking; the upper end of an interval is under name + HIGH."""
Value: TypeAlias = "Callable[[Facts], Any]"
"""A compiled expression: the value that it has on a row, None where it is not known."""

_MONTHS = (12, 9999 * 12 + 11)
_DAYS = (1, 3_652_059)  # 0001-01-01 and 9999-12-31, as ordinals


@dataclass(frozen=True)
class Number:
    """A compiled number: its two ends (the same function for one known exactly), whether arithmetic made it, and the magnitude of its
    terms (None: that of the value)."""

    low: Value
    high: Value
    exact: bool = True
    size: Value | None = None

    @property
    def point(self) -> bool:
        """Whether it is one number, not an interval."""
        return self.low is self.high

    def magnitude(self) -> Value:
        """The size of the terms, never negative."""
        if self.size is not None:
            return self.size
        low, high = _absolute(self.low), _absolute(self.high)
        return low if self.point else _greatest(low, high)


class Scalar:
    """Compiles expressions. `intervals` are the fields held as two values (name, name + HIGH), `rounded` those that arithmetic made."""

    def __init__(self, intervals: Collection[str] = (), rounded: Collection[str] = ()):
        self.intervals, self.rounded = intervals, rounded

    def value(self, expr: Expr) -> Value:
        """A truth, a date, a text, or a number (for an interval: its lower end)."""
        if expr.type.kind in ("number", "integer"):
            return self.number(expr).low
        match expr:
            case Ref(name):
                return _same(_known(name), _known(name + HIGH)) if name in self.intervals else _known(name)
            case Literal(value):
                return lambda facts: value
            case Unknown():
                return lambda facts: None
            case Met(criterion):
                return _known(MET + criterion)
            case IsNull(Ref(name)):
                upper = name + HIGH
                return lambda facts: facts[name] is None and facts.get(upper) is None if name in facts else None
            case Contains(text, word):
                whole = self.value(text)
                return lambda facts: None if (said := whole(facts)) is None else word in said
            case Compare(op, left, right):
                if left.type.kind in ("number", "integer"):
                    return compare(op, self.number(left), self.number(right))
                if left.type.kind == "date":
                    return compare(op, Number(*self.days(left)), Number(*self.days(right)))
                return _ordered(op, self.value(left), self.value(right))
            case AddMonths() | AddDays():
                first, last = self.days(expr)
                return first if first is last else _same(first, last)
        raise AssertionError(f"not a value of a row: {expr!r}")

    def days(self, expr: Expr) -> tuple[Value, Value]:
        """The first and the last day that a date can be: the same function where it is one day."""
        match expr:
            case Ref(name) if name in self.intervals:
                return _known(name), _known(name + HIGH)
            case AddMonths(date, count) | AddDays(date, count):
                move, by = _months if isinstance(expr, AddMonths) else _days, integral(self.number(count))
                first, last = self.days(date)
                low = _both(move, first, by)
                return low, low if first is last else _both(move, last, by)
        one = self.value(expr)
        return one, one

    def number(self, expr: Expr) -> Number:
        """A number, as its two ends."""
        match expr:
            case Ref(name):
                low = _known(name)
                high = _known(name + HIGH) if name in self.intervals else low
                return Number(low, high, name not in self.rounded)
            case Literal(value):
                text = float(value)  # type: ignore[arg-type]
                made = int(text) if text == int(text) and abs(text) < 2**53 else text
                same: Value = lambda facts: made  # noqa: E731
                return Number(same, same)
            case CountMet(operands):
                truths = [self.value(operand) for operand in operands]
                return Number(lambda facts: sum(t(facts) is True for t in truths), lambda facts: sum(t(facts) is not False for t in truths))
            case DaysBetween(left, right):
                (first, last), (before, after) = self.days(left), self.days(right)
                low = _both(_between, first, after)
                return Number(low, low if first is last and before is after else _both(_between, last, before))
            case Scale(operand, factor):
                return _scaled(self.number(operand), factor.numerator, factor.denominator)
            case Arith(op, left, right):
                return _arithmetic(op, _float(self.number(left)), _float(self.number(right)))
        raise AssertionError(f"not a number: {expr!r}")


def _known(name: str) -> Value:
    return lambda facts: facts.get(name)


def _one(how: Callable[[Any], Any], a: Value) -> Value:
    def made(facts: Facts) -> Any:
        x = a(facts)
        return None if x is None else how(x)

    return made


def _both(how: Callable[[Any, Any], Any], a: Value, b: Value) -> Value:
    def made(facts: Facts) -> Any:
        x = a(facts)
        if x is None:
            return None
        y = b(facts)
        return None if y is None else how(x, y)

    return made


def _absolute(a: Value) -> Value:
    return _one(abs, a)


def _greatest(*values: Value) -> Value:
    """The greatest of those that are known."""
    return lambda facts: max((x for value in values if (x := value(facts)) is not None), default=None)


_OPS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b, "<>": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}  # fmt: skip


def _ordered(op: str, a: Value, b: Value) -> Value:
    return _both(_OPS[op], a, b)


def _float(number: Number) -> Number:
    low = _one(float, number.low)
    return Number(low, low if number.point else _one(float, number.high), number.exact, number.size)


def _scaled(number: Number, numerator: int, denominator: int) -> Number:
    def by(value: Value) -> Value:
        def made(facts: Facts) -> float | None:
            x = value(facts)
            if x is None:
                return None
            x = float(x)
            x = x * float(numerator) if numerator != 1 else x
            return float(x / float(denominator)) if denominator != 1 else float(x)

        return made

    size = _absolute(by(number.size)) if number.size is not None else None
    low = by(number.low)
    high = low if number.point else by(number.high)
    return Number(low, high, False, size) if numerator >= 0 else Number(high, low if not number.point else high, False, size)


def integral(number: Number) -> Value:
    """A number as an integer, None where it is none or only an interval."""

    def made(facts: Facts) -> int | None:
        low = number.low(facts)
        if low is None or (not number.point and number.high(facts) != low):
            return None
        value = float(low)
        if not math.isfinite(value) or abs(value) >= 1e15:
            return None
        nearest = round(value)
        return nearest if abs(value - nearest) <= TOLERANCE * max(abs(value), 1.0) else None

    return made


def _between(later: dt.date, earlier: dt.date) -> int:
    return later.toordinal() - earlier.toordinal()


def _same(low: Value, high: Value) -> Value:
    """The value where both ends agree, None where only bounds are known."""
    return _both(lambda a, b: a if a == b else None, low, high)


def _months(day: dt.date, months: int) -> dt.date | None:
    total = day.year * 12 + day.month - 1 + months
    if not _MONTHS[0] <= total <= _MONTHS[1]:
        return None
    year, month = divmod(total, 12)
    last = 31 if month == 11 else (dt.date(year, month + 2, 1) - dt.timedelta(1)).day
    return dt.date(year, month + 1, min(day.day, last))


def _days(day: dt.date, days: int) -> dt.date | None:
    ordinal = day.toordinal() + days
    return dt.date.fromordinal(ordinal) if _DAYS[0] <= ordinal <= _DAYS[1] else None


def _plus(a: float, b: float) -> float:
    return a + b


def _minus(a: float, b: float) -> float:
    return a - b


def _times(a: float, b: float) -> float:
    return a * b


def _over(a: float, b: float) -> float:
    return a / b


def _arithmetic(op: str, left: Number, right: Number) -> Number:
    point = left.point and right.point
    if op in "+-":
        low = _both(_plus, left.low, right.low) if op == "+" else _both(_minus, left.low, right.high)
        high = low if point else (_both(_plus, left.high, right.high) if op == "+" else _both(_minus, left.high, right.low))
        return Number(low, high, False, _both(_plus, left.magnitude(), right.magnitude()))
    if op == "/":
        over = _unless_zero(right.low, right)
        if point:
            value = _both(_over, left.low, over)
            return Number(value, value, False, None if left.size is None else _both(_over, left.size, _absolute(over)))
        under = over if right.point else _unless_zero(right.high, right)
        inverse = _one(lambda x: 1 / x, under)
        right = Number(inverse, inverse if right.point else _one(lambda x: 1 / x, over), False)
    size = None if left.size is None and right.size is None else _both(_times, left.magnitude(), right.magnitude())
    if point:
        value = _both(_times, left.low, right.low)
        return Number(value, value, False, size)
    return _product(left, right, size)


def _product(left: Number, right: Number, size: Value | None) -> Number:
    """The ends of a product. An end that is not known leaves both open, unless the other factor is one number, whose sign tells which."""
    if left.point:
        left, right = right, left
    if right.point:
        factor = right.low
        low, high = _both(_times, left.low, factor), _both(_times, left.high, factor)

        def ordered(rising: Value, falling: Value) -> Value:
            return lambda facts: None if (sign := factor(facts)) is None else rising(facts) if sign >= 0 else falling(facts)

        return Number(ordered(low, high), ordered(high, low), False, size)
    ends = [_both(_times, a, b) for a in (left.low, left.high) for b in (right.low, right.high)]

    def end(how: Callable[[list[float]], float]) -> Value:
        def made(facts: Facts) -> float | None:
            known = [value(facts) for value in ends]
            return None if None in known else how(known)

        return made

    return Number(end(min), end(max), False, size)


def _unless_zero(value: Value, divisor: Number) -> Value:
    """The value, None where the divisor may be zero."""
    magnitude = divisor.magnitude()

    def made(facts: Facts) -> float | None:
        low = divisor.low(facts)
        if divisor.point:
            size = magnitude(facts)
            if low is None or size is None or abs(low) <= TOLERANCE * size:
                return None
        else:
            high = divisor.high(facts)
            known_side = (low is not None and low > 0) or (high is not None and high < 0)
            if not known_side:
                return None
        x: float | None = value(facts)
        return x or None

    return made


def compare(op: str, left: Number, right: Number) -> Value:
    """The truth of `left op right`, on twelve digits where arithmetic made one of them."""
    if op in (">", ">="):
        return compare({">": "<", ">=": "<="}[op], right, left)
    exact = left.exact and right.exact
    if exact and left.point and right.point:
        return _ordered(op, left.low, right.low)
    if exact:
        below, at_most = _OPS["<"], _OPS["<="]

        def slack(facts: Facts) -> float | None:
            return 0.0
    else:
        left, right = _float(left), _float(right)
        sizes = _both(_plus, left.magnitude(), right.magnitude())

        def slack(facts: Facts) -> float | None:
            size = sizes(facts)
            return None if size is None else size * TOLERANCE

    def lower(strict: bool, a: Value, b: Value) -> Value:
        """Whether a is below b, for certain on the digits that count."""

        def made(facts: Facts) -> bool | None:
            x, y = a(facts), b(facts)
            if x is None or y is None:
                return None
            if exact:
                return below(x, y) if strict else at_most(x, y)
            room, difference = slack(facts), x - y
            if room is None or not math.isfinite(difference):
                return None
            return bool(difference < -room if strict else difference <= room)

        return made

    if left.point and right.point:
        a, b = left.low, right.low
        if op in ("<", "<="):
            return lower(op == "<", a, b)
        under, over = lower(False, a, b), lower(True, a, b)
        equal = _both(lambda x, y: x and not y, under, over)
        return equal if op == "=" else _one(lambda x: not x, equal)
    if op == "<":
        return _decided([lower(True, left.high, right.low)], [lower(False, right.high, left.low)])
    if op == "<=":
        return _decided([lower(False, left.high, right.low)], [lower(True, right.high, left.low)])
    apart = [lower(True, left.high, right.low), lower(True, right.high, left.low)]
    equal = _decided([lower(False, left.high, right.low), lower(False, right.high, left.low)], apart)
    return equal if op == "=" else _one(lambda x: not x, equal)


def _decided(all_true: list[Value], any_false: list[Value]) -> Value:
    """True where all of the first are certain, False where one of the second is, else None."""

    def made(facts: Facts) -> bool | None:
        if all(test(facts) is True for test in all_true):
            return True
        return False if any(test(facts) is True for test in any_false) else None

    return made


def rounded(number: Number) -> Number:
    """A number made by arithmetic, on twelve digits of its terms: what a derived field holds."""
    size = number.magnitude()

    def on_digits(value: Value) -> Value:
        def made(facts: Facts) -> float | None:
            x, terms = value(facts), size(facts)
            if x is None:
                return None
            x = float(x)
            if terms is None or not terms > 0 or not math.isfinite(terms):
                return x
            step = 10.0 ** (math.floor(math.log10(terms)) - 14)
            whole = x / step if step else math.inf
            return round(whole) * step if abs(whole) < 2**52 else x

        return made

    low = on_digits(number.low)
    return Number(low, low if number.point else on_digits(number.high), False)
