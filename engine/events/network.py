"""Propositions -> rules for durable_rules: for each one a rule that fires where it is certainly true and one where it is certainly false.

A proposition is a condition whose leaves are facts of one message: a truth, or a comparison of a value with a constant. NOT is pushed down
to the leaves by Kleene's laws; a fact that is not known is not in the message, where neither `=` nor `<>` matches it, so that a proposition
that fires neither rule is open. What the native library can bear is counted here, for beyond it it fails or dies: 255 properties a
message, 64 nodes waiting at a time, 31 marks of AND and OR a rule. Rules are therefore dealt out to as many rulesets as it takes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from engine.tree import And, Compare, Expr, Literal, Not, Or, Ref, walk

MAX_WAITING, MAX_FACTS, MAX_GROUPS, MAX_OPERANDS = 56, 200, 12, 12
_RULE_WAITING = 24
_ALWAYS, _NEVER = '{"sid":"0"}', '{"sid":"1"}'
_NAMES = {"<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte", "<>": "$neq"}
_DENIED = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


@dataclass(frozen=True)
class Rules:
    """The rules of one ruleset: `conditions` are (name, JSON), the name being the number of a proposition behind + or -; `facts` are the
    names of the facts that its messages carry and how each is written there."""

    conditions: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, Callable[[Any], str | None]], ...]

    def message(self, facts: Mapping[str, Any]) -> str:
        """The facts that are known, as the inside of a JSON object that begins with a comma."""
        made = []
        for name, write in self.facts:
            value = facts.get(name)
            if value is not None:
                text = write(value)
                if text is not None:
                    made.append(text)
        return "".join(made)


def simple(expr: Expr) -> bool:
    """Whether a leaf can be left to the rules: a truth, or a comparison of a field with a constant (`network` must know its exact value)."""
    return isinstance(expr, Ref) or (isinstance(expr, Compare) and isinstance(expr.left, Ref) and isinstance(expr.right, Literal))


def bearable(expr: Expr) -> bool:
    """Whether a proposition is small enough to be a rule."""
    nodes = list(walk(expr))
    if sum(isinstance(node, And | Or) for node in nodes) > MAX_GROUPS:
        return False
    if any(isinstance(node, And | Or) and len(node.operands) > MAX_OPERANDS for node in nodes):
        return False
    return max(_waiting(expr, True), _waiting(expr, False)) <= _RULE_WAITING


def rulesets(propositions: Iterable[tuple[int, Expr]]) -> list[Rules]:
    """The rules of numbered propositions, in as many rulesets as the library needs."""
    made: list[Rules] = []
    dealt = _Dealt()
    for number, expr in propositions:
        if not dealt.takes(expr):
            made.append(dealt.rules())
            dealt = _Dealt()
        dealt.add(number, expr)
    return [*made, dealt.rules()] if dealt.conditions else made


class _Dealt:
    """One ruleset in the making."""

    def __init__(self) -> None:
        self.conditions: list[tuple[str, str]] = []
        self.waiting = 0
        self.properties: dict[str, str] = {}
        self.kinds: dict[str, str] = {}
        self.words: dict[str, dict[str, int]] = {}

    def takes(self, expr: Expr) -> bool:
        waiting = self.waiting + _waiting(expr, True) + _waiting(expr, False)
        names = {node.name for node in walk(expr) if isinstance(node, Ref)}
        return not self.conditions or (waiting <= MAX_WAITING and len(names | set(self.properties)) <= MAX_FACTS)

    def add(self, number: int, expr: Expr) -> None:
        self.waiting += _waiting(expr, True) + _waiting(expr, False)
        self.conditions += [(f"+{number}", self._condition(expr, True)), (f"-{number}", self._condition(expr, False))]

    def rules(self) -> Rules:
        facts = tuple((name, _writer(key, self.kinds[name], self.words.get(name, {}))) for name, key in self.properties.items())
        return Rules(tuple(self.conditions), facts)

    def _condition(self, expr: Expr, want: bool) -> str:
        """The condition under which the proposition is certainly `want`."""
        match expr:
            case Not(operand):
                return self._condition(operand, not want)
            case And(operands) | Or(operands):
                joined = ",".join(self._condition(operand, want) for operand in operands)
                return f'{{"{"$and" if isinstance(expr, And) is want else "$or"}":[{joined}]}}'
            case Literal(value):
                return _ALWAYS if value is want else _NEVER
            case Ref(name):
                return f'{{"{self._property(expr)}":{"true" if want else "false"}}}'
            case Compare(op, Ref(name) as left, Literal(value)):
                key = self._property(left)
                constant = self._constant(name, left.type.kind, value)
                op = op if want else _DENIED[op]
                return f'{{"{key}":{constant}}}' if op == "=" else f'{{"{_NAMES[op]}":{{"{key}":{constant}}}}}'
        raise AssertionError(f"not for the rules: {expr!r}")

    def _property(self, ref: Ref) -> str:
        self.kinds[ref.name] = ref.type.kind
        return self.properties.setdefault(ref.name, f"f{len(self.properties)}")

    def _constant(self, name: str, kind: str, value: object) -> str:
        if kind in ("enum", "text"):  # a word goes by its number: what people wrote never reaches the library
            words = self.words.setdefault(name, {})
            return str(words.setdefault(str(value), len(words)))
        if kind == "date":
            assert isinstance(value, dt.date)
            return str(value.toordinal())
        return _number(float(value))  # type: ignore[arg-type]


def _number(value: float) -> str:
    """A number in the notation that the library's parser knows: digits with a point, no exponent."""
    text = f"{Decimal(repr(float(value))):f}"
    return text if "." in text else f"{text}.0"


def _writer(key: str, kind: str, words: Mapping[str, int]) -> Callable[[Any], str | None]:
    head = f',"{key}":'
    if kind == "bool":
        true, false = f"{head}true", f"{head}false"
        return lambda value: true if value else false
    if kind in ("enum", "text"):
        return lambda value: f"{head}{words.get(value, -1)}"
    if kind == "date":
        return lambda value: f"{head}{value.toordinal()}"
    return lambda value: f"{head}{_number(value)}"


def _waiting(expr: Expr, want: bool) -> int:
    """How many nodes of the rule can wait at a time, at most, while the library looks for it."""
    return _roots_and_waiting(expr, want, 0)[1]


def _roots_and_waiting(expr: Expr, want: bool, after: int) -> tuple[int, int]:
    """How many nodes the condition starts with, and how many can wait at most while it is looked at and then what comes `after` it."""
    match expr:
        case Not(operand):
            return _roots_and_waiting(operand, not want, after)
        case And(operands) | Or(operands) if isinstance(expr, And) is want:
            roots = 1
            for operand in reversed(operands):
                roots, after = _roots_and_waiting(operand, want, after)
            return roots, after
        case And(operands) | Or(operands):
            parts = [_roots_and_waiting(operand, want, max(1, after)) for operand in operands]
            roots = sum(part[0] for part in parts)
            return roots, roots + max(waiting - own for own, waiting in parts)
    return 1, max(1, after)


def operands_of(expr: Expr) -> Sequence[Expr]:
    """The operands of a connective, none of a leaf."""
    match expr:
        case And(operands) | Or(operands):
            return operands
        case Not(operand):
            return (operand,)
    return ()
