"""The conditions by hand in pandas, on Arrow columns, whose `&` and `|` know blanks. What several conditions have in common is reckoned once."""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from typing import Any

import pandas as pd
import pyarrow as pa

from benchmarks.peers import Counts, Task, Work
from benchmarks.translate import CannotSay, Dialect
from engine.tree import Expr

NAME = "pandas"

_TRUTH = pd.ArrowDtype(pa.bool_())
_DATE = pd.ArrowDtype(pa.date32())
_OPS = {"=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_MIRROR = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


class Columns(Dialect):
    """Conditions over a frame, reckoned as they are met with."""

    def __init__(self, frame: pd.DataFrame):
        self.frame, self.known = frame, {}  # type: ignore[var-annotated]

    def of(self, expr: Expr) -> Any:
        """The column of an expression, reckoned once."""
        found = self.known.get(expr)
        if found is None:
            found = self.known[expr] = super().of(expr)
        return found

    def fact(self, name: str) -> Any:
        return self.frame[name]

    def constant(self, value: bool | Decimal | dt.date | str) -> Any:
        return (int(value) if value == int(value) else float(value)) if isinstance(value, Decimal) else value

    def unknown(self) -> Any:
        return pd.Series(pd.NA, index=self.frame.index, dtype=_TRUTH)

    def opposite(self, truth: Any) -> Any:
        return ~truth

    def both(self, truths: Sequence[Any]) -> Any:
        return reduce(operator.and_, truths)

    def either(self, truths: Sequence[Any]) -> Any:
        return reduce(operator.or_, truths)

    def compare(self, op: str, left: Any, right: Any) -> Any:
        if not isinstance(left, pd.Series):
            return _OPS[_MIRROR[op]](right, left)
        return _OPS[op](left, right)

    def blank(self, name: str) -> Any:
        return self.frame[name].isna().astype(_TRUTH)

    def holds(self, text: Any, word: str) -> Any:
        return text.str.contains(word, regex=False)

    def arithmetic(self, op: str, left: Any, right: Any) -> Any:
        if op == "/":
            return left.astype("double[pyarrow]") / right.where(right != 0) if isinstance(right, pd.Series) else left / right
        return left + right if op == "+" else left - right if op == "-" else left * right

    def times(self, number: Any, factor: Fraction) -> Any:
        return number * float(factor)

    def apart(self, left: Any, right: Any) -> Any:
        return left.astype("int32[pyarrow]") - right.astype("int32[pyarrow]")

    def months(self, date: Any, count: int) -> Any:
        return (date.astype("datetime64[s]") + pd.DateOffset(months=count)).astype("timestamp[s][pyarrow]").astype(_DATE)

    def days(self, date: Any, count: int) -> Any:
        return (date.astype("int32[pyarrow]") + count).astype("int32[pyarrow]").astype(_DATE)

    def chosen(self, cases: Sequence[tuple[str, Any]]) -> Any:
        truths = [(value, truth.fillna(False)) for value, truth in cases]
        sure = sum(truth.astype("int32[pyarrow]") for _, truth in truths)
        made = pd.Series(pd.NA, index=self.frame.index, dtype=pd.ArrowDtype(pa.string()))
        for value, truth in truths:
            made = made.mask((truth & (sure == 1)).astype(bool), value)
        return made

    def first(self, cell: Any, value: Any) -> Any:
        if not isinstance(value, pd.Series):
            return cell.fillna(value)
        return cell.combine_first(value) if cell.dtype == value.dtype else cell.astype(value.dtype).combine_first(value)


def read(work: Work) -> pd.DataFrame:
    """The columns of the file, as Arrow columns, with the derived ones."""
    frame = pd.read_parquet(work.path, columns=list(work.columns), dtype_backend="pyarrow")
    dialect = Columns(frame)
    for step in work.steps:
        frame[step.name] = dialect.derived(step, step.name in work.columns)
        dialect.known.clear()
    return frame


def prepare(work: Work) -> Task:
    """Reading and judging, one criterion after the other."""
    said, left_out = [], []
    for question in work.questions:
        try:
            _Sayable().of(question.expr)
            said.append(question)
        except CannotSay:
            left_out.append(question.id)

    def run() -> Counts:
        dialect = Columns(read(work))
        found = {}
        for question in said:
            truth = dialect.of(question.expr)
            found[question.id] = (int(truth.sum()), int(truth.isna().sum()))
        return found

    return Task(run, tuple(question.id for question in said), tuple(left_out))


class _Sayable(Dialect):
    """Whether pandas has words for a condition, asked without data."""

    def _yes(self, *_: object) -> bool:
        return True

    fact = constant = opposite = both = either = compare = blank = holds = arithmetic = times = apart = months = days = chosen = first = _yes  # type: ignore[assignment]
    unknown = _yes  # type: ignore[assignment]
