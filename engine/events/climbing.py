"""The ladders as rules: which conditions of steps and measures certainly hold for an enterprise, and which possibly do.

The facts of an enterprise (its counts of hazards with both ends, what its rows say of it, the parameters) are asserted as one message, as an
inspection's are. A condition is possible unless it is certainly false; there a part that reads a fact for which no column was ever seen
counts as false, as in `escalate.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.columnar import HIGH
from engine.events.judging import Rulebook
from engine.events.program import Compiler
from engine.ladder import Ladders
from engine.tree import BOOL, And, Expr, Literal, Not, Or, Ref, fields_of

ABSENT = "__absent"
"""Among the facts of an enterprise: the names of those for which no table had a column."""


@dataclass(frozen=True)
class Footing:
    """For each condition (place in `conditions_of`) whether it is certain, and whether it is possible."""

    certain: tuple[bool, ...]
    possible: tuple[bool, ...]


def conditions_of(ladders: Ladders) -> tuple[Expr, ...]:
    """All conditions of steps and measures, once each."""
    steps = [step.when for ladder in ladders.ladders for step in ladder.steps]
    return tuple(dict.fromkeys([*steps, *(measure.when for measure in ladders.measures.values() if measure.when is not None)]))


class Climber:
    """Judges enterprises."""

    def __init__(self, name: str, ladders: Ladders):
        fields = ladders.fields()
        self._wide = [name for name, field in fields.items() if field.numeric and name not in ladders.parameters]
        compiler = Compiler(self._wide)
        self._marks: dict[tuple[str, ...], str] = {}
        conditions = conditions_of(ladders)
        self._certain = [compiler.proposition(expr) for expr in conditions]
        self._possible = [compiler.proposition(self._at_most(expr, False)) for expr in conditions]
        self._book = Rulebook(name, compiler.finished())

    def climb(self, facts: Mapping[str, Any]) -> Footing:
        """Where an enterprise stands: name -> value of its counts and facts (name + HIGH for an upper end), and ABSENT."""
        absent = facts[ABSENT]
        row = {name: value for name, value in facts.items() if name.removesuffix(HIGH) not in absent}
        for name in self._wide:
            if name in row:
                row.setdefault(name + HIGH, row[name])
        for names, mark in self._marks.items():
            row[mark] = absent.isdisjoint(names)
        truth = self._book.run(row)
        return Footing(
            tuple(truth.get(number) is True for number in self._certain), tuple(truth.get(number) is not False for number in self._possible)
        )

    def _at_most(self, expr: Expr, negated: bool) -> Expr:
        """The condition with NOT pushed down and each part true only where its facts have columns."""
        match expr:
            case Not(operand):
                return self._at_most(operand, not negated)
            case And(operands) | Or(operands):
                parts = tuple(self._at_most(operand, negated) for operand in operands)
                return And(parts) if isinstance(expr, And) != negated else Or(parts)
            case Literal():
                return Not(expr) if negated else expr
        names = fields_of(expr)
        mark = self._marks.setdefault(names, f"__seen {len(self._marks)}")
        return And((Ref(mark, BOOL), Not(expr) if negated else expr))
