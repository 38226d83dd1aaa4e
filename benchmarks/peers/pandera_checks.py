"""pandera: one check a criterion on a pandas frame, the frame validated once, lazily; what fails a check is a row met."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd
import pandera.pandas as pa_checks
import polars as pl

from benchmarks.conditions import sure
from benchmarks.peers import Counts, Slice, Task
from benchmarks.peers.pandas_columns import Columns
from engine.tree import Expr

NAME = "pandera"


def prepare(part: Slice) -> Task:
    """One schema with a check a criterion, each over the whole frame."""
    frame = part.frame.to_arrow(compat_level=pl.CompatLevel.oldest()).to_pandas(types_mapper=pd.ArrowDtype)

    def check(expr: Expr) -> Any:
        return lambda table: ~Columns(table).of(expr).fillna(False).astype(bool)

    schema = pa_checks.DataFrameSchema(
        checks=[pa_checks.Check(check(sure(question.expr)), name=question.id, ignore_na=False) for question in part.questions]
    )

    def run() -> Counts:
        met: Counter[str] = Counter()
        try:
            schema.validate(frame, lazy=True)
        except pa_checks.errors.SchemaErrors as error:
            cases = error.failure_cases
            rows = cases[["check", "index"]].drop_duplicates()
            met.update(rows["check"].value_counts().to_dict())
        return {question.id: (met[question.id],) for question in part.questions}

    return Task(run, tuple(question.id for question in part.questions))
