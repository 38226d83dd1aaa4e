"""Other engines, one a file, on the same conditions. Each module has `NAME` and `prepare`, which compiles what it can say and gives back a task.

Whole columns (`polars_query`, `duckdb_query`, `pandas_columns`): the task reads the file and counts for each criterion the rows met and the
rows open. Row by row (the others): the task takes the rows of a slice and counts the rows met.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from benchmarks.conditions import Question, Step, simple
from benchmarks.translate import CannotSay, Sentence
from engine.tree import fields_of

Counts = Mapping[str, tuple[int, ...]]
"""For each criterion the rows met (and, from whole columns, the rows open)."""


@dataclass(frozen=True)
class Work:
    """What a peer is given: the file and the columns that it needs of it, the derived fields, the criteria."""

    path: Path
    columns: tuple[str, ...]
    steps: tuple[Step, ...]
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Slice:
    """Rows for an engine that takes one at a time: facts by short names, days as numbers, blanks left as None; derived facts are filled in
    beforehand, which is in the peer's favour. `frame` is the same in columns, under the fields' own names and with dates.
    `questions` are those that are made of plain facts and comparisons."""

    frame: pl.DataFrame
    rows: list[dict[str, object]]
    names: dict[str, str]
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Task:
    """A peer made ready: `run` does the work and counts; `left_out` are the ids of the criteria that it cannot say."""

    run: Callable[[], Counts]
    said: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def slice_of(frame: pl.DataFrame, questions: tuple[Question, ...]) -> Slice:
    """The rows of a frame with derived facts (as the judgement leaves it) for engines that take one at a time."""
    plain = {question: fields_of(question.expr) for question in questions if simple(question.expr)}
    wanted = sorted({name for names in plain.values() for name in names} & set(frame.columns))
    names = {name: f"f{number}" for number, name in enumerate(wanted)}
    chosen = tuple(question for question, facts in plain.items() if set(facts) <= set(names))
    rows = frame.select(_plain(frame.schema[name], name).alias(short) for name, short in names.items()).to_dicts()
    return Slice(frame.select(pl.col(name).cast(_written(frame.schema[name])) for name in names), rows, names, chosen)


def _written(kind: pl.DataType) -> pl.DataType:
    return pl.String() if isinstance(kind, pl.Enum | pl.Categorical) else kind


def _plain(kind: pl.DataType, name: str) -> pl.Expr:
    if kind == pl.Date:
        return pl.col(name).to_physical().cast(pl.Int64)
    return pl.col(name).cast(_written(kind))


def sayable(language: Sentence, questions: tuple[Question, ...]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The text of each criterion in a language, and the ids of those that it cannot say."""
    said: dict[str, str] = {}
    left_out = []
    for question in questions:
        try:
            said[question.id] = language.of(question.expr)
        except CannotSay:
            left_out.append(question.id)
    return said, tuple(left_out)
