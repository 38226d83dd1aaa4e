"""What the rules say of a fact: that it is as things should be. Told from the conditions: a fact whose absence makes a hazard is good.

It decides what a word of judgement (合格, 不合格) in a cell means. Only this side is told from the rules: a fact that makes a hazard may also be
a mere circumstance (a site underground), of which 合格 says nothing. A field can declare its `sense` itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from engine.checking import Derived
from engine.documents import Criterion
from engine.fields import Field
from engine.tree import And, Compare, CountMet, Expr, Not, Or, Ref


def with_senses(fields: Mapping[str, Field], criteria: Iterable[Criterion], derived: Mapping[str, Derived]) -> dict[str, Field]:
    """The fields, those bools `good` that declare no sense and only ever make a hazard by being false."""
    signs: dict[str, set[bool]] = {}
    for criterion in criteria:
        _visit(criterion.when, True, signs, derived, ())
    return {
        name: dataclasses.replace(field, sense="good") if field.type == "bool" and not field.sense and signs.get(name) == {False} else field
        for name, field in fields.items()
    }


def _visit(expr: Expr, want: bool, signs: dict[str, set[bool]], derived: Mapping[str, Derived], inside: tuple[str, ...]) -> None:
    """Note with which sign the bools of a condition make it `want`, through the fields from which they follow."""
    match expr:
        case Not(operand):
            _visit(operand, not want, signs, derived, inside)
        case And(operands) | Or(operands):
            for operand in operands:
                _visit(operand, want, signs, derived, inside)
        case Compare(op, left, right):
            for side, at_least in ((left, (">", ">=")), (right, ("<", "<="))):
                if isinstance(side, CountMet):
                    for operand in side.operands:
                        _visit(operand, want is (op in at_least), signs, derived, inside)
                elif isinstance(side, Ref) and side.type.kind == "bool":
                    signs.setdefault(side.name, set()).update((True, False))
        case Ref(name, kind) if kind.kind == "bool":
            signs.setdefault(name, set()).add(want)
            follows = derived.get(name)
            if follows is not None and not follows.how and follows.cases[0][0] == "" and name not in inside:
                _visit(follows.cases[0][1], want, signs, derived, (*inside, name))
