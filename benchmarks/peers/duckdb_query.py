"""The conditions by hand in SQL, by DuckDB: one query over the file that counts rows met and open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import duckdb

from benchmarks.peers import Counts, Task, Work
from benchmarks.translate import CannotSay, Dialect

NAME = "DuckDB"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


class _Sql(Dialect):
    def fact(self, name: str) -> str:
        return _quoted(name)

    def constant(self, value: bool | Decimal | dt.date | str) -> str:
        if isinstance(value, bool):
            return str(value).upper()
        if isinstance(value, dt.date):
            return f"DATE '{value}'"
        return (
            f"CAST({value} AS DOUBLE)"
            if isinstance(value, Decimal) and value != int(value)
            else str(value)
            if isinstance(value, Decimal)
            else _text(value)
        )

    def unknown(self) -> str:
        return "CAST(NULL AS BOOLEAN)"

    def opposite(self, truth: str) -> str:
        return f"(NOT {truth})"

    def both(self, truths: Sequence[str]) -> str:
        return f"({' AND '.join(truths)})"

    def either(self, truths: Sequence[str]) -> str:
        return f"({' OR '.join(truths)})"

    def compare(self, op: str, left: str, right: str) -> str:
        return f"({left} {op} {right})"

    def blank(self, name: str) -> str:
        return f"({_quoted(name)} IS NULL)"

    def holds(self, text: str, word: str) -> str:
        return f"contains({text}, {_text(word)})"

    def arithmetic(self, op: str, left: str, right: str) -> str:
        return f"({left} / NULLIF(CAST({right} AS DOUBLE), 0))" if op == "/" else f"({left} {op} {right})"

    def times(self, number: str, factor: Fraction) -> str:
        return f"({number} * CAST({float(factor)!r} AS DOUBLE))"

    def apart(self, left: str, right: str) -> str:
        return f"({left} - {right})"

    def months(self, date: str, count: int) -> str:
        return f"CAST({date} + INTERVAL ({count}) MONTH AS DATE)"

    def days(self, date: str, count: int) -> str:
        return f"({date} + {count})"

    def chosen(self, cases: Sequence[tuple[str, str]]) -> str:
        sure = " + ".join(f"CAST(COALESCE({truth}, FALSE) AS INTEGER)" for _, truth in cases)
        values = " ".join(f"WHEN {truth} THEN {_text(value)}" for value, truth in cases)
        return f"CASE WHEN {sure} = 1 THEN CASE {values} END END"

    def first(self, cell: str, value: str) -> str:
        return f"COALESCE({cell}, {value})"


def prepare(work: Work) -> Task:
    """One SQL text."""
    dialect, said, left_out, made = _Sql(), [], [], []
    for question in work.questions:
        try:
            truth = dialect.of(question.expr)
        except CannotSay:
            left_out.append(question.id)
            continue
        made.append(f"{truth} AS q{len(said)}")
        said.append(question.id)
    source = f"SELECT {', '.join(map(_quoted, work.columns))} FROM read_parquet({_text(str(work.path))})"
    for step in work.steps:
        kept = f"* EXCLUDE ({_quoted(step.name)})" if step.name in work.columns else "*"
        source = f"SELECT {kept}, {dialect.derived(step, step.name in work.columns)} AS {_quoted(step.name)} FROM ({source})"
    counts = ", ".join(f"count(*) FILTER (q{n}), count(*) FILTER (q{n} IS NULL)" for n in range(len(said)))
    query = f"SELECT {counts} FROM (SELECT {', '.join(made)} FROM ({source}))"

    def run() -> Counts:
        with duckdb.connect() as connection:
            found = connection.execute(query).fetchone()
        assert found is not None
        return {name: (found[2 * at], found[2 * at + 1]) for at, name in enumerate(said)}

    return Task(run, tuple(said), tuple(left_out))
