"""Contradictions: what no honest row of a sector can say at once, as declared beside its fields. A row that does is a data defect, not a hazard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping as Map
from dataclasses import dataclass

from engine.checking import check_text
from engine.fields import Field
from engine.rulefile import Items, Mapping, Scalar, Shape, Source
from engine.tree import BOOL, Expr, criteria_of, fields_of

KEY = "contradictions"


@dataclass(frozen=True)
class Contradiction:
    """`when` is the condition that no honest row can meet, `message` says in Chinese what cannot be; `fields` are those it reads."""

    when: Expr
    message: str
    fields: tuple[str, ...]


def read_contradictions(
    declared: Iterable[tuple[Mapping | None, Source]], fields: Map[str, Field], intervals: frozenset[str]
) -> tuple[Contradiction, ...]:
    """The contradictions of the dictionaries `declared` (top of a `fields.yaml` and its source), checked as conditions over `fields`; problems go to
    the sources."""
    made: list[Contradiction] = []
    for top, source in declared:
        node = top.get(KEY) if top is not None else None
        if node is None:
            continue
        if not isinstance(node, Items):
            source.problem(node, f"{KEY} 应当是列表（每项以 - 开头）：- {{when: 条件, message: 说明}}。")
            continue
        for item in node.items:
            one = _read(source, Shape(source, item, f"{KEY} 的一项", ("when", "message"), ("when", "message")), fields, intervals)
            if one is not None:
                made.append(one)
    return tuple(dict.fromkeys(made))


def _read(source: Source, shape: Shape, fields: Map[str, Field], intervals: frozenset[str]) -> Contradiction | None:
    scalar, message = shape.scalar("when"), shape.text("message")
    if not isinstance(scalar, Scalar) or not message:
        return None
    when = check_text(source, scalar, fields, BOOL, intervals, f"矛盾“{message}”的 when")
    if when is None:
        return None
    if criteria_of(when):
        source.problem(scalar, f"矛盾“{message}”的 when 不能用 MET：矛盾说的是表里的事实，不是判定。")
        return None
    return Contradiction(when, message, tuple(dict.fromkeys(fields_of(when))))
