"""A condition is SQL: DuckDB, given the same text and the same cells, finds the same truth.

Two things are left out, being where the meaning is ours: division by zero (set to NULL in DuckDB, as in docs/semantics.md), and limits after
arithmetic that binary fractions cannot hold (only quarters are added and multiplied here).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import duckdb
import pytest
from hypothesis import given, settings

from engine.columnar import evaluate as evaluate_columns
from engine.condition import parse

from . import interpreter
from .conditions import MACROS, Choice, Text, conditions, dictionary, facts, frame_of, rows

CHOICE = Choice(binary_exact=True)
_TYPES = {"bool": "BOOLEAN", "enum": "VARCHAR", "number": "DOUBLE", "integer": "BIGINT", "date": "DATE", "text": "VARCHAR"}
Ask = Callable[[str, list[dict[str, object]]], list[bool | None]]


@pytest.fixture(scope="module")
def ask_duckdb() -> Iterator[Ask]:
    """Asks DuckDB for the truth of a condition on each row."""
    connection = duckdb.connect()
    connection.execute("SET ieee_floating_point_ops = false")
    connection.execute("SET threads = 1")
    for macro in MACROS:
        connection.execute(macro)
    columns = ", ".join(f'"{name}" {_TYPES[field.type]}' for name, field in facts().items())
    connection.execute(f"CREATE TABLE t (n INTEGER, {columns})")

    def ask(condition: str, cells: list[dict[str, object]]) -> list[bool | None]:
        connection.execute("DELETE FROM t")
        connection.executemany(
            f"INSERT INTO t VALUES ({', '.join('?' * (len(facts()) + 1))})", [[n, *(row[name] for name in facts())] for n, row in enumerate(cells)]
        )
        return [truth for (truth,) in connection.execute(f"SELECT {condition} FROM t ORDER BY n").fetchall()]

    yield ask
    connection.close()


@settings(max_examples=400)
@given(condition=conditions(CHOICE), cells=rows(CHOICE))
def test_the_interpreter_agrees_with_duckdb(ask_duckdb: Ask, condition: Text, cells: list[dict[str, object]]) -> None:
    expr, errors = parse(condition.rule, dictionary())
    assert expr is not None, (condition.rule, errors)
    assert [interpreter.evaluate(expr, row) for row in cells] == ask_duckdb(condition.duckdb, cells)  # type: ignore[arg-type]


@settings(max_examples=400)
@given(condition=conditions(CHOICE), cells=rows(CHOICE))
def test_the_engine_agrees_with_duckdb(ask_duckdb: Ask, condition: Text, cells: list[dict[str, object]]) -> None:
    expr, errors = parse(condition.rule, dictionary())
    assert expr is not None, (condition.rule, errors)
    assert evaluate_columns(expr, frame_of(cells), dictionary()).to_list() == ask_duckdb(condition.duckdb, cells)
