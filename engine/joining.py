"""The rows of child tables put to the rows of an inspection table: what follows from all rows that belong to an enterprise or a subject.

The same enterprise on two days is two questions, for a look-up hangs on the edition in force; so the child rows are judged once for each
enterprise, subject and day, not once a row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from engine.chain import CHILD, DATE, Chained, derive_all
from engine.checking import Derived
from engine.children import Child, Lookup, key_of
from engine.columnar import HIGH
from engine.fields import DATE_FIELD
from engine.identity import ENTERPRISE, SUBJECT
from engine.pack import Sector
from engine.problems import InputError

_PAIR, _VALUE = "__pair", "__value"
MAX_PAIRS = 100_000_000
_SPLIT = r"[、,，;；/]"


@dataclass(frozen=True)
class Joined:
    """The table with a column CHILD + name (and, for an interval, HIGH) for each field that follows from child rows; `missed` lists the
    cells that no look-up knows: child (name), `__table`, `__row`, field, value."""

    frame: pl.DataFrame
    missed: pl.DataFrame


MISSED = {"child": pl.String, "__table": pl.UInt16, "__row": pl.UInt32, "field": pl.String, "value": pl.String, "wanted": pl.String}


def join_children(frame: pl.DataFrame, sector: Sector, tables: Mapping[str, pl.DataFrame]) -> Joined:
    """Put the child `tables` (name -> typed frame with ENTERPRISE and SUBJECT) to a frame that has ENTERPRISE, SUBJECT and DATE.

    A child row with a subject of its own belongs to the rows of that subject, one without to all rows of its enterprise. Rows to which no
    child row belongs know nothing. Raises InputError when the tables belong together in too many ways."""
    missed = [pl.DataFrame(schema=MISSED)]
    for name, rows in tables.items():
        child = sector.children[name]
        wanted = [derived for derived in sector.derived.values() if derived.child == name]
        if not wanted:
            continue
        keys = frame.select(ENTERPRISE, SUBJECT, DATE).unique(maintain_order=True).with_row_index(_PAIR)
        pairs = _paired(keys, rows, child)
        looked_up, lost = _looked_up(pairs, child)
        missed.append(lost)
        chained = derive_all(looked_up, child, (_PAIR,))
        made = keys
        for derived in wanted:
            made = made.join(_aggregated(chained, derived), on=_PAIR, how="left", maintain_order="left")
        frame = frame.join(made.drop(_PAIR), on=[ENTERPRISE, SUBJECT, DATE], how="left", nulls_equal=True, maintain_order="left")
    return Joined(frame, pl.concat(missed).unique(maintain_order=True))


def _paired(keys: pl.DataFrame, rows: pl.DataFrame, child: Child) -> pl.DataFrame:
    size = keys.join(rows.group_by(ENTERPRISE).len(), on=ENTERPRISE, how="inner")["len"].sum()
    if size > MAX_PAIRS:
        raise InputError(f"子表“{child.name}”与检查表配出 {size:,} 行，超过 {MAX_PAIRS:,}。请按检查对象或日期拆开，或核对单位名称是否过于笼统。")
    mine = rows.drop([name for name in (DATE_FIELD, DATE) if name in rows.columns]).rename({SUBJECT: "__own"})
    pairs = keys.join(mine, on=ENTERPRISE, how="inner", maintain_order="left_right")
    fits = pl.col("__own").is_null() | pl.col(SUBJECT).is_null() | (pl.col("__own") == pl.col(SUBJECT))
    return pairs.filter(fits).with_columns(pl.col(DATE).alias(DATE_FIELD))


# Look-ups


def _looked_up(pairs: pl.DataFrame, child: Child) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows with what their look-ups say where the table itself says nothing, and the cells that none knows."""
    missed = [pl.DataFrame(schema=MISSED)]
    for name, lookups in child.lookups.items():
        found = [value for lookup in lookups for value in _found(pairs, lookup)]
        kind = pl.Int64 if child.fields[name].type == "integer" else pl.Float64
        value = pl.coalesce(*found, pl.lit(None, dtype=pl.Float64)).cast(kind)
        ends = [end for end in (name, name + HIGH) if end in pairs.columns]
        told = pl.any_horizontal([pl.lit(False), *(pl.col(end).is_not_null() for end in ends)])
        pairs = pairs.with_columns([pl.when(told).then(pl.col(end)).otherwise(value).alias(end) for end in ends] or value.alias(name))
        keys = list(dict.fromkeys(field for lookup in lookups for field, _ in lookup.keys if field in pairs.columns))
        if keys:
            asked = pl.coalesce([pl.col(key).cast(pl.String) for key in keys])
            known = [pl.col(end).is_not_null() for end in (name, name + HIGH) if end in pairs.columns]
            lost = pairs.filter(~pl.any_horizontal(known) & asked.is_not_null())
            missed.append(lost.select(
                pl.lit(child.name).alias("child"), pl.col("__table").cast(pl.UInt16), pl.col("__row").cast(pl.UInt32),
                pl.lit(keys[0]).alias("field"), asked.alias("value"), pl.lit(name).alias("wanted"),
            ))  # fmt: skip
    return pairs, pl.concat(missed)


def _found(pairs: pl.DataFrame, lookup: Lookup) -> list[pl.Expr]:
    day = pl.col(DATE)
    inside = pl.lit(True)
    if lookup.start is not None:
        inside = inside & (day >= lookup.start)
    if lookup.end is not None:
        inside = inside & (day <= lookup.end)
    if lookup.ranged:
        return [pl.when(inside).then(_ranged(lookup, lookup.ranged + HIGH in pairs.columns))] if lookup.ranged in pairs.columns else []
    made: list[pl.Expr] = []
    for field, values in lookup.keys:
        if field not in pairs.columns:
            continue
        texts = pairs[field].cast(pl.String)
        known = {text: _value(text, values, lookup.choose) for text in texts.unique().drop_nulls().to_list()}
        known = {text: value for text, value in known.items() if value is not None}
        if known:
            mapped = pl.col(field).cast(pl.String).replace_strict(list(known), list(known.values()), default=None, return_dtype=pl.Float64)
            made.append(pl.when(inside).then(mapped))
    return made


def _value(text: str, values: Mapping[str, float], choose: str) -> float | None:
    """The value of a key; of several in one cell the least or the greatest, if all are known."""
    whole = values.get(key_of(text))
    if whole is not None:
        return whole
    parts = [values.get(key_of(part)) for part in re.split(_SPLIT, text) if part.strip()]
    known = [part for part in parts if part is not None]
    if len(parts) < 2 or len(known) != len(parts):
        return None
    return min(known) if choose == "min" else max(known)


def _ranged(lookup: Lookup, two_ends: bool) -> pl.Expr:
    """The value of the range in which the number lies; nothing where only its bounds are known."""
    column = pl.when(pl.col(lookup.ranged) == pl.col(lookup.ranged + HIGH)).then(pl.col(lookup.ranged)) if two_ends else pl.col(lookup.ranged)
    made: pl.Expr = pl.lit(None, dtype=pl.Float64)
    for low, high, value in lookup.ranges:
        fits = column >= low if high is None else column.is_between(low, high)
        made = pl.when(fits).then(value).otherwise(made)
    return made


# Aggregates


def _aggregated(chained: Chained, derived: Derived) -> pl.DataFrame:
    """One row a pair with the aggregate, as CHILD + name and for an interval its upper end."""
    compiler, frame = chained.compiler(), chained.frame
    (_, expr), how = derived.cases[0], derived.how
    name = CHILD + derived.field.name
    certain = compiler.compile(derived.where).fill_null(False) if derived.where is not None else pl.lit(True)
    possible = compiler.compile(derived.where).fill_null(True) if derived.where is not None else pl.lit(True)
    if how in ("count", "any", "all"):
        truth = compiler.compile(expr)
        marked = frame.with_columns(truth.alias(_VALUE), certain.alias("__certain"), possible.alias("__possible"))
        value, sure, may = pl.col(_VALUE), pl.col("__certain"), pl.col("__possible")
        if how == "count":
            low, high = (value.fill_null(False) & sure).cast(pl.Int64).sum(), (value.fill_null(True) & may).cast(pl.Int64).sum()
            return marked.group_by(_PAIR).agg(low.alias(name), high.alias(name + HIGH))
        holds = pl.when(sure).then(True).when(~may).then(False)
        both = (holds & value) if how == "any" else (~holds | value)
        made = both.any(ignore_nulls=False) if how == "any" else both.all(ignore_nulls=False)
        return marked.group_by(_PAIR).agg(made.alias(name))
    if not derived.field.numeric:
        marked = frame.with_columns(compiler.compile(expr).alias(_VALUE), certain.alias("__certain"), possible.alias("__possible"))
        mine = marked.filter("__possible")
        end = pl.col(_VALUE).min() if how == "min" else pl.col(_VALUE).max()
        whole = (pl.col(_VALUE).null_count() == 0) & pl.col("__certain").all()
        return mine.group_by(_PAIR).agg(pl.when(whole).then(end).alias(name))
    number = compiler.number(expr)
    marked = frame.with_columns(
        number.low.cast(pl.Float64).alias("__low"), number.high.cast(pl.Float64).alias("__high"), certain.alias("__certain"), possible.alias("__possible"),
    ).filter("__possible")  # fmt: skip
    low, high, sure = pl.col("__low"), pl.col("__high"), pl.col("__certain")
    ends: list[pl.Expr]
    if how == "sum":
        least = derived.least
        term = low if least is None else low.fill_null(least)
        below = pl.when(sure).then(term).otherwise(pl.min_horizontal(term, pl.lit(0.0)))
        above = pl.when(sure).then(high).otherwise(pl.max_horizontal(high, pl.lit(0.0)))
        ends = [pl.when(term.null_count() == 0).then(below.sum()), pl.when(high.null_count() == 0).then(above.sum())]
    elif how == "max":
        ends = [low.filter(sure).max(), pl.when(high.null_count() == 0).then(high.max())]
    else:
        ends = [pl.when(low.null_count() == 0).then(low.min()), high.filter(sure).min()]
    return marked.group_by(_PAIR).agg(ends[0].alias(name), ends[1].alias(name + HIGH))
