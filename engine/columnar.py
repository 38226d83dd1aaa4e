"""A checked condition -> a Polars expression. Kleene's logic is Polars' own; what is ours is intervals, exact limits and dates.

The meaning is that of docs/semantics.md. A number is compiled as its two ends (equal, unless it is a count) and the magnitude of the terms
that it was added up from, by which comparisons after arithmetic are made on twelve significant digits. Nothing here knows what a criterion is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import polars as pl

from engine.fields import Field
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
)

HIGH = "__high"
MET = "MET "
TOLERANCE = 5e-13
"""Half a unit of the twelfth significant digit, as a share of the terms."""

_MONTHS = (12, 9999 * 12 + 11)
_DAYS = (-719_162, 2_932_896)  # 0001-01-01 and 9999-12-31, in days from 1970-01-01
_DTYPES: Mapping[str, pl.DataType] = {
    "bool": pl.Boolean(), "enum": pl.String(), "number": pl.Float64(), "integer": pl.Int64(), "date": pl.Date(), "text": pl.String(),
}  # fmt: skip


@dataclass(frozen=True)
class Number:
    """A compiled number: its lower and upper end (the same expression for one known exactly), whether arithmetic made it, and the
    magnitude of its terms (None: that of the value)."""

    low: pl.Expr
    high: pl.Expr
    exact: bool = True
    size: pl.Expr | None = None

    @property
    def point(self) -> bool:
        """Whether it is one number, not an interval."""
        return self.low is self.high

    def magnitude(self) -> pl.Expr:
        """The size of the terms, never negative."""
        if self.size is not None:
            return self.size
        return self.low.abs() if self.point else pl.max_horizontal(self.low.abs(), self.high.abs())


class Compiler:
    """Compiles for a frame with the given `columns`: a field without a column is unknown on every row. `intervals` are numbers and dates held in
    two columns, their ends (`name`, `name` + HIGH; null: no bound on that side), `rounded` fields that arithmetic made. Criteria referred to with MET are Boolean columns MET + id."""

    def __init__(self, columns: Collection[str], intervals: Collection[str] = (), rounded: Collection[str] = ()):
        self.columns, self.intervals, self.rounded = frozenset(columns), frozenset(intervals), frozenset(rounded)

    def compile(self, expr: Expr) -> pl.Expr:
        """The expression of a condition, a date, a text or a number (for an interval: its lower end)."""
        if expr.type.kind in ("number", "integer"):
            return self.number(expr).low
        return self._plain(expr)

    def number(self, expr: Expr) -> Number:
        """The expression of a number, as its two ends."""
        match expr:
            case Ref(name) if name in self.columns:
                low = pl.col(name)
                return Number(low, pl.col(name + HIGH) if self._two_ends(name) else low, name not in self.rounded)
            case Ref():
                unknown = pl.lit(None, dtype=pl.Float64)
                return Number(unknown, unknown)
            case Literal(value):
                text = float(value)  # type: ignore[arg-type]
                whole = text == int(text) and abs(text) < 2**53
                made = pl.lit(int(text), dtype=pl.Int64) if whole else pl.lit(text)
                return Number(made, made)
            case CountMet(operands):
                truths = [self._plain(operand) for operand in operands]
                low = pl.sum_horizontal([truth.fill_null(False).cast(pl.Int32) for truth in truths])
                return Number(low, pl.sum_horizontal([truth.fill_null(True).cast(pl.Int32) for truth in truths]))
            case DaysBetween(left, right):
                ends = [_days(end) for side in (left, right) for end in self.days(side)]
                low = ends[0] - ends[3]
                return Number(low, low if ends[0] is ends[1] and ends[2] is ends[3] else ends[1] - ends[2])
            case Scale(operand, factor):
                return self._scaled(self.number(operand), factor.numerator, factor.denominator)
            case Arith(op, left, right):
                return _arithmetic(op, _float(self.number(left)), _float(self.number(right)))
        raise AssertionError(f"not a number: {expr!r}")

    def days(self, expr: Expr) -> tuple[pl.Expr, pl.Expr]:
        """The first and the last day that a date can be: the same expression where it is one day."""
        match expr:
            case Ref(name) if name in self.columns and self._two_ends(name):
                return pl.col(name), pl.col(name + HIGH)
            case AddMonths(date, count) | AddDays(date, count):
                move = self._add_months if isinstance(expr, AddMonths) else self._add_days
                first, last = self.days(date)
                low = move(first, count)
                return low, low if first is last else move(last, count)
        one = self._plain(expr)
        return one, one

    def _two_ends(self, name: str) -> bool:
        return name in self.intervals and name + HIGH in self.columns

    def _is_blank(self, name: str) -> pl.Expr:
        blank = pl.col(name).is_null()
        return blank & pl.col(name + HIGH).is_null() if self._two_ends(name) else blank

    def _plain(self, expr: Expr) -> pl.Expr:
        """The expression of what is no number; a date of which only bounds are known is unknown here."""
        match expr:
            case Ref(name) if name in self.columns:
                return pl.when(pl.col(name) == pl.col(name + HIGH)).then(pl.col(name)) if self._two_ends(name) else pl.col(name)
            case Ref(_, kind):
                return pl.lit(None, dtype=_DTYPES[kind.kind])
            case Literal(value):
                return pl.lit(value)
            case Unknown():
                return pl.lit(None, dtype=pl.Boolean)
            case Met(criterion):
                return pl.col(MET + criterion) if MET + criterion in self.columns else pl.lit(None, dtype=pl.Boolean)
            case Not(operand):
                return ~self._plain(operand)
            case And(operands):
                made = self._plain(operands[0])
                for operand in operands[1:]:
                    made = made & self._plain(operand)
                return made
            case Or(operands):
                made = self._plain(operands[0])
                for operand in operands[1:]:
                    made = made | self._plain(operand)
                return made
            case IsNull(Ref(name)):
                return self._is_blank(name) if name in self.columns else pl.lit(None, dtype=pl.Boolean)
            case Contains(text, word):
                return self._plain(text).str.contains(word, literal=True)
            case Compare():
                return self._compare(expr)
            case AddMonths() | AddDays():
                low, high = self.days(expr)
                return low if low is high else pl.when(low == high).then(low)
        raise AssertionError(f"a node without a meaning: {expr!r}")

    def _compare(self, expr: Compare) -> pl.Expr:
        left, right = expr.left, expr.right
        if left.type.kind in ("number", "integer"):
            return _compare_numbers(expr.op, self.number(left), self.number(right))
        if left.type.kind == "date":
            a, b = Number(*self.days(left)), Number(*self.days(right))
            return _ordered(expr.op, a.low, b.low) if a.point and b.point else _compare_numbers(expr.op, a, b)
        one, other = self._plain(left), self._plain(right)
        kinds = {left.type.kind, right.type.kind}
        if kinds <= {"enum", "text"} and not isinstance(left, Literal) and not isinstance(right, Literal):
            one, other = one.cast(pl.String), other.cast(pl.String)
        return _ordered(expr.op, one, other)

    def _add_days(self, date: pl.Expr, count: Expr) -> pl.Expr:
        days = _days(date) + _integral(self.number(count))
        return pl.when(days.is_between(*_DAYS)).then(days).cast(pl.Int32).cast(pl.Date)

    def _add_months(self, date: pl.Expr, count: Expr) -> pl.Expr:
        if isinstance(count, Literal):
            months = float(count.value)  # type: ignore[arg-type]
            if months != int(months) or abs(months) > _MONTHS[1]:
                return pl.lit(None, dtype=pl.Date)
            if abs(months) <= 1_200:
                return date.dt.offset_by(f"{int(months)}mo")
        moved = _integral(self.number(count))
        total = date.dt.year().cast(pl.Int64) * 12 + date.dt.month() - 1 + moved
        return date.dt.offset_by(pl.format("{}mo", pl.when(total.is_between(*_MONTHS)).then(moved)))

    @staticmethod
    def _scaled(number: Number, numerator: int, denominator: int) -> Number:
        """Times an exact factor: multiplied and divided by integers, so that 0.1 t is 100 kg."""

        def by(value: pl.Expr) -> pl.Expr:
            value = value.cast(pl.Float64)
            value = value * float(numerator) if numerator != 1 else value
            return value / float(denominator) if denominator != 1 else value

        size = by(number.size).abs() if number.size is not None else None
        low = by(number.low)
        high = low if number.point else by(number.high)
        return Number(low, high, False, size) if numerator >= 0 else Number(high, low if not number.point else high, False, size)


_OPS: Mapping[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "=": lambda a, b: a == b, "<>": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}  # fmt: skip


_MIRROR = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _days(date: pl.Expr) -> pl.Expr:
    """A date as the number of its day."""
    return date.cast(pl.Int32).cast(pl.Int64)


def _ordered(op: str, a: pl.Expr, b: pl.Expr) -> pl.Expr:
    """`a op b`, a constant on the right: Polars makes one row of a constant compared with a column that is blank on every row."""
    if not a.meta.root_names() and b.meta.root_names():
        return _OPS[_MIRROR[op]](b, a)
    return _OPS[op](a, b)


def _float(number: Number) -> Number:
    low = number.low.cast(pl.Float64)
    return Number(low, low if number.point else number.high.cast(pl.Float64), number.exact, number.size)


def _integral(number: Number) -> pl.Expr:
    """A number as an integer, unknown where it is none or only an interval."""
    value = number.low.cast(pl.Float64)
    nearest = value.round()
    sure = (value - nearest).abs() <= TOLERANCE * pl.max_horizontal(value.abs(), pl.lit(1.0))
    if not number.point:
        sure = sure & (number.low == number.high)
    return pl.when(sure & (nearest.abs() < 1e15)).then(nearest).cast(pl.Int64)


def _arithmetic(op: str, left: Number, right: Number) -> Number:
    point = left.point and right.point
    if op in "+-":
        low = left.low + right.low if op == "+" else left.low - right.high
        high = low if point else (left.high + right.high if op == "+" else left.high - right.low)
        return Number(low, high, False, left.magnitude() + right.magnitude())
    if op == "/":
        zero = right.low.abs() <= TOLERANCE * right.magnitude()
        if not right.point:
            zero = (right.low <= 0) & (right.high >= 0)
        over = pl.when(~zero).then(right.low)
        under = over if right.point else pl.when(~zero).then(right.high)
        if point:
            value = left.low / over
            return Number(value, value, False, None if left.size is None else left.size / over.abs())
        inverse = 1 / under
        right = Number(inverse, inverse if right.point else 1 / over, False)
    size = None if left.size is None and right.size is None else left.magnitude() * right.magnitude()
    if point:
        value = left.low * right.low
        return Number(value, value, False, size)
    return _product(left, right, size)


def _product(left: Number, right: Number, size: pl.Expr | None) -> Number:
    """The ends of a product. An end that is not known leaves both open, unless the other factor is one number, whose sign tells which."""
    if left.point:
        left, right = right, left
    if right.point:
        factor = right.low
        low = pl.when(factor >= 0).then(left.low * factor).otherwise(left.high * factor)
        return Number(low, pl.when(factor >= 0).then(left.high * factor).otherwise(left.low * factor), False, size)
    ends = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
    whole = pl.all_horizontal([end.is_not_null() for end in ends])
    return Number(pl.when(whole).then(pl.min_horizontal(ends)), pl.when(whole).then(pl.max_horizontal(ends)), False, size)


def _compare_numbers(op: str, left: Number, right: Number) -> pl.Expr:
    if op in (">", ">="):
        return _compare_numbers({">": "<", ">=": "<="}[op], right, left)
    exact = left.exact and right.exact
    if exact and left.point and right.point:
        return _ordered(op, left.low, right.low)
    if not exact:
        left, right = _float(left), _float(right)
    slack = None if exact else (left.magnitude() + right.magnitude()) * TOLERANCE

    def below(a: pl.Expr, b: pl.Expr) -> pl.Expr:
        return _ordered("<", a, b) if slack is None else _finite(a - b, lambda difference: difference < -slack)

    def at_most(a: pl.Expr, b: pl.Expr) -> pl.Expr:
        return _ordered("<=", a, b) if slack is None else _finite(a - b, lambda difference: difference <= slack)

    if left.point and right.point:
        a, b = left.low, right.low
        if op in ("<", "<="):
            return below(a, b) if op == "<" else at_most(a, b)
        equal = at_most(a, b) & ~below(a, b)
        return equal if op == "=" else ~equal
    if op == "<":
        return _decided(below(left.high, right.low), at_most(right.high, left.low))
    if op == "<=":
        return _decided(at_most(left.high, right.low), below(right.high, left.low))
    same = at_most(left.high, right.low) & at_most(right.high, left.low)
    equal = _decided(same, below(left.high, right.low) | below(right.high, left.low))
    return equal if op == "=" else ~equal


def _finite(difference: pl.Expr, test: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
    """The test, unknown where the numbers went beyond what a float holds."""
    return pl.when(difference.is_finite()).then(test(difference))


def _decided(true: pl.Expr, false: pl.Expr) -> pl.Expr:
    return pl.when(true).then(True).when(false).then(False)


def rounded(number: Number) -> Number:
    """A number made by arithmetic, on twelve digits of its terms: what a derived field holds."""

    def on_digits(value: pl.Expr) -> pl.Expr:
        step = (10.0 ** (size.log10().floor() - 14)).fill_nan(None)
        whole = value.cast(pl.Float64) / step
        made = pl.when(whole.abs() < 2**52).then(whole.round() * step).otherwise(value.cast(pl.Float64))
        return pl.when(size > 0).then(made).otherwise(value.cast(pl.Float64))

    size = number.magnitude().cast(pl.Float64)
    low = on_digits(number.low)
    return Number(low, low if number.point else on_digits(number.high), False)


def evaluate(
    expr: Expr, frame: pl.DataFrame, fields: Mapping[str, Field], intervals: Collection[str] = (), rounded_fields: Collection[str] = ()
) -> pl.Series:
    """The value of `expr` on each row of `frame`, null where unknown. A field without a column is unknown on every row. `fields` is the
    dictionary against which it was checked; counts give their lower end."""
    known = [name for name in frame.columns if name in fields or name.endswith(HIGH) or name.startswith(MET)]
    made = Compiler(known, intervals, rounded_fields).compile(expr)
    return frame.with_columns(made.alias("__value"))["__value"]
