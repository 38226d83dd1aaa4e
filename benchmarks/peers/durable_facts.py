"""durable_rules: one rule a criterion, in one session; a row is asserted as a fact and then retracted. A property that is
left out matches nothing, which is what is wanted of a blank; to ask whether one is blank is left out."""

from __future__ import annotations

import itertools
import operator
from functools import reduce
from typing import Any

from durable import lang

from benchmarks.conditions import number_of_day, sure
from benchmarks.peers import Counts, Slice, Task
from benchmarks.translate import CannotSay
from engine.tree import And, Compare, Expr, Literal, Not, Or, Ref

NAME = "durable_rules"

_OPS = {"=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_MIRROR = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
AT_ONCE = 150
_NUMBERS = itertools.count()


def _condition(expr: Expr, names: dict[str, str]) -> Any:
    match expr:
        case And(operands):
            return reduce(operator.and_, [_condition(operand, names) for operand in operands])
        case Or(operands):
            return reduce(operator.or_, [_condition(operand, names) for operand in operands])
        case Ref(name):
            return getattr(lang.m, names[name]) == True  # noqa: E712  (builds a condition)
        case Not(Ref(name)):
            return getattr(lang.m, names[name]) == False  # noqa: E712
        case Compare(op, Ref(name), Literal(value)):
            return _OPS[op](getattr(lang.m, names[name]), _constant(value))
        case Compare(op, Literal(value), Ref(name)):
            return _OPS[_MIRROR[op]](getattr(lang.m, names[name]), _constant(value))
        case Compare(op, Ref(left), Ref(right)):
            one, other = names[left], names[right]  # without the guards a blank on the right matches
            there = (+getattr(lang.m, one)) & (+getattr(lang.m, other))
            return there & _OPS[op](getattr(lang.m, one), getattr(lang.m, other))
    raise CannotSay(type(expr).__name__)


def _constant(value: Any) -> Any:
    if hasattr(value, "toordinal"):
        return number_of_day(value)
    return value if isinstance(value, str) else int(value) if value == int(value) else float(value)


def _marker(fired: set[int], at: int) -> Any:
    def mark(_: object) -> None:
        fired.add(at)  # a rule fires once for each alternative of an OR that holds

    return mark


def prepare(part: Slice) -> Task:
    """Rulesets of up to `AT_ONCE` rules, each with one that matches everything, for larger ones are refused."""
    conditions: list[tuple[str, Any]] = []
    left_out: list[str] = []
    for question in part.questions:
        try:
            conditions.append((question.id, _condition(sure(question.expr), part.names)))
        except CannotSay:
            left_out.append(question.id)
    fired: set[int] = set()
    rulesets: list[str] = []
    for first in range(0, len(conditions), AT_ONCE):
        ruleset = lang.ruleset(f"bench{next(_NUMBERS)}")
        with ruleset:
            for at, (_, condition) in enumerate(conditions[first : first + AT_ONCE], start=first):
                lang.when_all(condition)(_marker(fired, at))
            lang.when_all(+lang.m.every)(lambda _: None)
        rulesets.append(ruleset.name)
    numbers = itertools.count()

    def run() -> Counts:
        met = [0] * len(conditions)
        for row in part.rows:
            fact = {key: cell for key, cell in row.items() if cell is not None}
            fact["every"], fact["id"] = 1, next(numbers)
            for name in rulesets:
                lang.assert_fact(name, fact)
                lang.retract_fact(name, fact)
            for at in fired:
                met[at] += 1
            fired.clear()
        return {one: (met[at],) for at, (one, _) in enumerate(conditions)}

    return Task(run, tuple(one for one, _ in conditions), tuple(left_out))
