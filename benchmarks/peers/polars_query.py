"""The conditions by hand in Polars: one lazy query over the file, streamed, that counts rows met and open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from operator import and_, or_

import polars as pl

from benchmarks.peers import Counts, Task, Work
from benchmarks.translate import CannotSay, Dialect

NAME = "Polars"

_OPS = {"=": pl.Expr.eq, "<>": pl.Expr.ne, "<": pl.Expr.lt, "<=": pl.Expr.le, ">": pl.Expr.gt, ">=": pl.Expr.ge}


class _Polars(Dialect):
    def fact(self, name: str) -> pl.Expr:
        return pl.col(name)

    def constant(self, value: bool | Decimal | dt.date | str) -> pl.Expr:
        if isinstance(value, Decimal):
            return pl.lit(int(value) if value == int(value) else float(value))
        return pl.lit(value)

    def unknown(self) -> pl.Expr:
        return pl.lit(None, dtype=pl.Boolean)

    def opposite(self, truth: pl.Expr) -> pl.Expr:
        return ~truth

    def both(self, truths: Sequence[pl.Expr]) -> pl.Expr:
        return reduce(and_, truths)

    def either(self, truths: Sequence[pl.Expr]) -> pl.Expr:
        return reduce(or_, truths)

    def compare(self, op: str, left: pl.Expr, right: pl.Expr) -> pl.Expr:
        return _OPS[op](left, right)

    def blank(self, name: str) -> pl.Expr:
        return pl.col(name).is_null()

    def holds(self, text: pl.Expr, word: str) -> pl.Expr:
        return text.str.contains(word, literal=True)

    def arithmetic(self, op: str, left: pl.Expr, right: pl.Expr) -> pl.Expr:
        if op == "/":
            return left / pl.when(right != 0).then(right)
        return left + right if op == "+" else left - right if op == "-" else left * right

    def times(self, number: pl.Expr, factor: Fraction) -> pl.Expr:
        return number * float(factor)

    def apart(self, left: pl.Expr, right: pl.Expr) -> pl.Expr:
        return (left - right).dt.total_days()

    def months(self, date: pl.Expr, count: int) -> pl.Expr:
        return date.dt.offset_by(f"{count}mo")

    def days(self, date: pl.Expr, count: int) -> pl.Expr:
        return date.dt.offset_by(f"{count}d")

    def chosen(self, cases: Sequence[tuple[str, pl.Expr]]) -> pl.Expr:
        truths = [(value, truth.fill_null(False)) for value, truth in cases]
        sure = pl.sum_horizontal([truth.cast(pl.Int32) for _, truth in truths])
        return pl.when(sure == 1).then(pl.coalesce([pl.when(truth).then(pl.lit(value)) for value, truth in truths]))

    def first(self, cell: pl.Expr, value: pl.Expr) -> pl.Expr:
        return pl.coalesce(cell, value)


def prepare(work: Work) -> Task:
    """One lazy query."""
    dialect, said, left_out, made = _Polars(), [], [], []
    for question in work.questions:
        try:
            truth = dialect.of(question.expr)
        except CannotSay:
            left_out.append(question.id)
            continue
        made += [truth.sum().alias(f"{len(said)} met"), truth.is_null().sum().alias(f"{len(said)} open")]
        said.append(question.id)
    query = pl.scan_parquet(work.path).select(work.columns)
    for step in work.steps:
        query = query.with_columns(dialect.derived(step, step.name in work.columns).alias(step.name))
    query = query.select(made)

    def run() -> Counts:
        found = query.collect(engine="streaming").row(0, named=True)
        return {name: (found[f"{at} met"], found[f"{at} open"]) for at, name in enumerate(said)}

    return Task(run, tuple(said), tuple(left_out))
