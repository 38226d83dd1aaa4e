"""Derived facts: fields that follow from others and criteria that others refer to, put on the frame in the sector's order.

A filled-in cell wins over what it derives to; where the two differ that is a contradiction, a data defect and not a verdict.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from engine.checking import Derived
from engine.children import Child
from engine.columnar import HIGH, MET, Compiler, Number, rounded
from engine.documents import Criterion
from engine.fields import DATE_FIELD
from engine.pack import Sector
from engine.tree import Arith, Expr, Ref, Scale, criteria_of, fields_of, walk

DATE = "__date"
CHILD = "__child "
_CLASH = "__clash "


@dataclass(frozen=True)
class Chained:
    """A frame with all that the criteria need: `intervals` and `rounded` as in `columnar.Compiler`; `given` are the columns of the table
    itself; `clashes` (index UInt32, field, cell, derived: String) the contradictions found."""

    frame: pl.DataFrame
    intervals: frozenset[str]
    rounded: frozenset[str]
    given: frozenset[str]
    clashes: pl.DataFrame

    def compiler(self) -> Compiler:
        """A compiler for the frame."""
        return Compiler(self.frame.columns, self.intervals, self.rounded)


def in_force(criterion: Criterion) -> pl.Expr:
    """Whether the criterion is in force on the day that a row is judged on."""
    day = pl.col(DATE)
    return day >= criterion.start if criterion.end is None else day.is_between(criterion.start, criterion.end)


def needed(sector: Sector, exprs: Iterable[Expr]) -> frozenset[str]:
    """The names of all fields and the ids of all criteria that the expressions need, through derivations and MET."""
    criteria = {criterion.id: criterion for criterion in sector.criteria}
    found: set[str] = set()
    todo = [name for expr in exprs for name in (*fields_of(expr), *criteria_of(expr))]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        if name in sector.derived:
            derived = sector.derived[name]
            todo += derived.reads
            todo += [one for _, expr in derived.cases for one in criteria_of(expr)]
        elif name in criteria:
            for expr in conditions_of(criteria[name]):
                todo += [*fields_of(expr), *criteria_of(expr)]
    return frozenset(found)


def conditions_of(criterion: Criterion) -> tuple[Expr, ...]:
    """`when`, and `applies` where there is one."""
    return (criterion.when,) if criterion.applies is None else (criterion.applies, criterion.when)


def chain(frame: pl.DataFrame, sector: Sector, criteria: Iterable[Criterion], within: Sequence[str] = ()) -> Chained:
    """Put on `frame` every derived field and every MET column that `criteria` need, and the derived facts of an enterprise. The frame has `DATE` and one column a field; `within`
    are columns that further divide the groups of aggregates."""
    wanted = needed(sector, [expr for criterion in criteria for expr in conditions_of(criterion)] + [one.when for one in sector.contradictions])
    for name, derived in sector.derived.items():  # what the ladders ask of an enterprise, where the table has something to derive it from
        if derived.field.across and any(one in frame.columns for one in derived.reads):
            wanted |= needed(sector, [expr for _, expr in derived.cases]) | {name}
    given = frozenset(name for name in frame.columns if name in sector.fields)
    made = _Chain(frame.lazy(), set(frame.columns), sector, tuple(within))
    by_id = {criterion.id: criterion for criterion in sector.criteria}
    for name in sector.order:
        if name not in wanted:
            continue
        if name in sector.derived:
            made.derive(sector.derived[name])
        else:
            made.met(by_id[name])
    return _finished(made, given)


def derive_all(frame: pl.DataFrame, child: Child, within: Sequence[str]) -> Chained:
    """Put every derived field on the frame of a child table; its aggregates do not go beyond the groups of `within`."""
    given = frozenset(name for name in frame.columns if name in child.fields)
    made = _Chain(frame.lazy(), set(frame.columns), child, tuple(within))
    for name in child.order:
        made.derive(child.derived[name])
    return _finished(made, given)


def _finished(made: _Chain, given: frozenset[str]) -> Chained:
    whole = made.lazy.collect()
    clashes = [_clashes(whole, name) for name in made.checked]
    empty = pl.DataFrame(schema={"index": pl.UInt32, "field": pl.String, "cell": pl.String, "derived": pl.String})
    return Chained(
        whole.drop([c for c in whole.columns if c.startswith(_CLASH)]),
        frozenset(made.intervals), frozenset(made.rounded), given, pl.concat([empty, *clashes], rechunk=True),
    )  # fmt: skip


def _clashes(whole: pl.DataFrame, name: str) -> pl.DataFrame:
    rows = whole.with_row_index("index").filter(pl.col(_CLASH + name).is_not_null())
    cell = pl.col(name).cast(pl.String) if name in whole.columns else pl.lit(None, dtype=pl.String)
    return rows.select(pl.col("index").cast(pl.UInt32), pl.lit(name).alias("field"), cell.alias("cell"), pl.col(_CLASH + name).alias("derived"))


class _Chain:
    def __init__(self, lazy: pl.LazyFrame, columns: set[str], sector: Sector | Child, within: tuple[str, ...]):
        self.lazy, self.columns, self.sector, self.within = lazy, columns, sector, within
        self.intervals = {name for name in sector.fields if name in columns and name + HIGH in columns}
        self.rounded: set[str] = set()
        self.checked: list[str] = []

    def _compiler(self) -> Compiler:
        return Compiler(self.columns, self.intervals, self.rounded)

    def derive(self, derived: Derived) -> None:
        name = derived.field.name
        if derived.child:
            number, value = self._from_child(derived)
        elif derived.how:
            number, value = self._aggregate(derived)
        elif derived.field.numeric:
            expr = derived.cases[0][1]
            number, value = self._compiler().number(expr), None
            if any(isinstance(node, Arith | Scale) or (isinstance(node, Ref) and node.name in self.rounded) for node in walk(expr)):
                number = rounded(number)
                self.rounded.add(name)
        else:
            number, value = None, self._value(derived)
        if number is not None:
            self._put_number(derived, number)
        else:
            assert value is not None
            constant = not derived.reads and not derived.child and not any(criteria_of(expr) for _, expr in derived.cases)
            if derived.field.type == "date" and not derived.how:
                first, last = self._compiler().days(derived.cases[0][1])
                self._put(name, first, constant, None if first is last else last)
            else:
                self._put(name, value, constant)

    def _put(self, name: str, value: pl.Expr, constant: bool, high: pl.Expr | None = None) -> None:
        """Fill in what is blank, of a date with bounds both ends (`high`). What is taken for granted (`constant`) contradicts nothing."""
        there, two_ends = name in self.columns, high is not None or name in self.intervals
        cell = pl.col(name)
        if not there and high is None:
            self.lazy = self.lazy.with_columns(value.alias(name))
        elif not two_ends:
            if not constant:
                text = pl.when(value.cast(pl.String) != cell.cast(pl.String)).then(_shown(value, self.sector.fields[name].type))
                self._check(name, pl.coalesce(pl.col(_CLASH + name), text) if _CLASH + name in self.columns else text)
            self.lazy = self.lazy.with_columns(pl.coalesce(cell, value).alias(name))
        else:
            last = value if high is None else high
            if there:
                top = pl.col(name + HIGH) if name in self.intervals else cell
                if not constant:
                    self._check(name, pl.when((last < cell) | (value > top)).then(value.cast(pl.String)))
                told = cell.is_not_null() | top.is_not_null()
                value, last = pl.when(told).then(cell).otherwise(value), pl.when(told).then(top).otherwise(last)
            self.lazy = self.lazy.with_columns(value.alias(name), last.alias(name + HIGH))
            self.intervals.add(name)
            self.columns.add(name + HIGH)
        self.columns.add(name)

    def _check(self, name: str, text: pl.Expr) -> None:
        self.lazy = self.lazy.with_columns(text.alias(_CLASH + name))
        self.columns.add(_CLASH + name)
        if name not in self.checked:
            self.checked.append(name)

    def _put_number(self, derived: Derived, number: Number) -> None:
        name = derived.field.name
        integer = derived.field.type == "integer"
        low = number.low.round().cast(pl.Int64) if integer else number.low.cast(pl.Float64)
        high = low if number.point else (number.high.round().cast(pl.Int64) if integer else number.high.cast(pl.Float64))
        if name in self.columns:
            cell = pl.col(name)
            top = pl.col(name + HIGH) if name in self.intervals else cell
            slack = 1e-9 * pl.max_horizontal(cell.cast(pl.Float64).abs(), top.cast(pl.Float64).abs(), pl.lit(1.0))
            text = pl.when((top < low - slack) | (cell > high + slack)).then(pl.coalesce(low, high).cast(pl.String))
            self._check(name, text)
            point = number.point and name not in self.intervals
            told = cell.is_not_null() | top.is_not_null()
            derived_high = high
            low = pl.when(told).then(cell).otherwise(low)
            high = low if point else pl.when(told).then(top).otherwise(derived_high)
        else:
            point = number.point
        made = [low.alias(name)]
        if not point:
            made.append(high.alias(name + HIGH))
            self.intervals.add(name)
            self.columns.add(name + HIGH)
        self.lazy = self.lazy.with_columns(made)
        self.columns.add(name)

    def _value(self, derived: Derived) -> pl.Expr:
        compiler = self._compiler()
        if derived.cases[0][0] == "":
            made = compiler.compile(derived.cases[0][1])
            return made.cast(pl.Enum(list(derived.field.values))) if derived.field.type == "enum" else made
        kind = pl.Enum(list(derived.field.values))
        truths = [(value, compiler.compile(expr).fill_null(False)) for value, expr in derived.cases]
        sure = pl.sum_horizontal([truth.cast(pl.Int32) for _, truth in truths])
        first = pl.coalesce([pl.when(truth).then(pl.lit(value)) for value, truth in truths])
        both = pl.when(sure > 1).then(
            pl.concat_str([pl.when(truth).then(pl.lit(value)) for value, truth in truths], separator="、", ignore_nulls=True)
        )
        name = derived.field.name
        if name in self.columns:
            both = pl.when(pl.col(name).is_null()).then(both)
        self._check(name, both)
        return pl.when(sure == 1).then(first).cast(kind)

    def _from_child(self, derived: Derived) -> tuple[Number | None, pl.Expr | None]:
        """What `joining` made of the child rows; nothing where no child table was given."""
        name, field = CHILD + derived.field.name, derived.field
        there = name in self.columns
        if not field.numeric:
            dtype = {"bool": pl.Boolean(), "date": pl.Date()}.get(field.type, pl.String())
            return None, pl.col(name) if there else pl.lit(None, dtype=dtype)
        low = pl.col(name) if there else pl.lit(None, dtype=pl.Float64)
        high = pl.col(name + HIGH) if there else low
        return Number(low, high, exact=derived.how == "count"), None

    def _aggregate(self, derived: Derived) -> tuple[Number | None, pl.Expr | None]:
        (_, expr), same = derived.cases[0], derived.same
        if same not in self.columns:
            if derived.field.numeric:
                unknown = pl.lit(None, dtype=pl.Float64)
                return Number(unknown, unknown), None
            return None, pl.lit(None, dtype=pl.Date if derived.field.type == "date" else pl.Boolean)
        key = pl.col(same)
        keys = [pl.when(key == pl.col(same + HIGH)).then(key) if same in self.intervals else key, *map(pl.col, self.within)]

        def over(value: pl.Expr) -> pl.Expr:
            return pl.when(keys[0].is_not_null()).then(value.over(keys))

        how = derived.how
        if how in ("count", "any", "all"):
            truth = self._compiler().compile(expr)
            if how == "count":
                low, high = truth.fill_null(False).cast(pl.Int64).sum(), truth.fill_null(True).cast(pl.Int64).sum()
                return Number(over(low), over(high)), None
            return None, over(truth.any(ignore_nulls=False) if how == "any" else truth.all(ignore_nulls=False))
        if not derived.field.numeric:
            value = self._compiler().compile(expr)
            return None, over(pl.when(value.null_count() == 0).then(value.min() if how == "min" else value.max()))
        number = self._compiler().number(expr)

        def total(value: pl.Expr, least: float | None = None) -> pl.Expr:
            value = value if least is None else value.fill_null(least)
            made = value.sum() if how == "sum" else value.min() if how == "min" else value.max()
            return over(pl.when(value.null_count() == 0).then(made))

        low = total(number.low, derived.least)
        high = low if number.point and derived.least is None else total(number.high)
        if how != "sum" and number.exact:
            return Number(low, high), None
        self.rounded.add(derived.field.name)
        size = over(number.magnitude().cast(pl.Float64).sum())
        return rounded(Number(low, high, False, size)), None

    def met(self, criterion: Criterion) -> None:
        compiler = self._compiler()
        both = [compiler.compile(expr) for expr in conditions_of(criterion)]
        verdict = both[0] if len(both) == 1 else both[0] & both[1]
        self.lazy = self.lazy.with_columns(pl.when(in_force(criterion)).then(verdict).otherwise(False).alias(MET + criterion.id))
        self.columns.add(MET + criterion.id)


def _shown(value: pl.Expr, kind: str) -> pl.Expr:
    return pl.when(value).then(pl.lit("是")).otherwise(pl.lit("否")) if kind == "bool" else value.cast(pl.String)


def dated(frame: pl.DataFrame, as_of: dt.date) -> pl.DataFrame:
    """The frame with `DATE`: the row's own 检查日期, else `as_of`, which then stands for 检查日期 in conditions too."""
    given = pl.col(DATE_FIELD).fill_null(as_of) if DATE_FIELD in frame.columns else pl.lit(as_of, dtype=pl.Date)
    return frame.with_columns(given.alias(DATE)).with_columns(pl.col(DATE).alias(DATE_FIELD))
