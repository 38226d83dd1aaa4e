"""A sector's criteria -> a program of stages for one inspection after another.

A stage works out the values that are known by then (`scalar.py`), asserts them to its rulesets, and takes what fired as new facts: truths of
derived fields, of criteria that others refer to with MET, of the parts of a count and of a condition too large for one rule. These are
asserted again in a later stage; so facts chain, message by message, and no rule ever joins two messages. The order is the sector's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from engine.chain import CHILD, conditions_of, needed
from engine.checking import Derived
from engine.columnar import HIGH, MET
from engine.documents import Criterion
from engine.events.network import MAX_OPERANDS, Rules, bearable, rulesets, simple
from engine.events.scalar import Number, Scalar, Value, rounded
from engine.pack import Sector
from engine.tree import (
    BOOL,
    AddDays,
    AddMonths,
    And,
    Arith,
    Compare,
    CountMet,
    DaysBetween,
    Expr,
    Literal,
    Met,
    Not,
    Or,
    Ref,
    Scale,
    criteria_of,
    walk,
)

Facts = dict[str, Any]
Work = Callable[[Facts], None]
"""Puts what it finds among the facts."""


@dataclass
class Stage:
    """`before`: what is worked out before the facts are asserted; `rules`: the rulesets; `after`: what is made of what fired."""

    before: list[Work] = field(default_factory=list)
    propositions: list[tuple[int, Expr]] = field(default_factory=list)
    rules: list[Rules] = field(default_factory=list)
    after: list[Work] = field(default_factory=list)


@dataclass(frozen=True)
class Question:
    """A criterion with the numbers of its propositions; `applies` None: it applies always."""

    criterion: Criterion
    applies: int | None
    when: int


@dataclass(frozen=True)
class Program:
    """`stages` in order, `questions` one for each criterion that was asked for, `checks` the propositions that no honest row can meet, one for each
    contradiction of the sector, all in order; `asked` the derived fields that are told too."""

    stages: tuple[Stage, ...]
    questions: tuple[Question, ...]
    checks: tuple[int, ...] = ()
    asked: tuple[str, ...] = ()


TRUTH, CLASH, DAY = "__truth", "__clash", "__date"
"""Among the facts of a row: proposition -> truth (where it is known); the contradictions found (field, cell, derived); the day it is judged on."""


class Compiler:
    """Makes propositions, each in the first stage in which all that it reads is known."""

    def __init__(self, intervals: Iterable[str] = ()):
        self.intervals = set(intervals)
        self.rounded: set[str] = set()
        self.stages: list[Stage] = []
        self.level: dict[str, int] = {}
        self._numbers: dict[Expr, int] = {}
        self._placed: list[int] = []
        self._marks: dict[Expr, str] = {}

    def stage(self, number: int) -> Stage:
        while len(self.stages) <= number:
            self.stages.append(Stage())
        return self.stages[number]

    def scalar(self) -> Scalar:
        return Scalar(frozenset(self.intervals), frozenset(self.rounded))

    def proposition(self, expr: Expr) -> int:
        """The number of the proposition that states `expr`."""
        if expr not in self._numbers:
            made = self._fit(self._prepared(expr))
            number = self._numbers[expr] = len(self._placed)
            stage = self.ready(made)
            self._placed.append(stage)
            self.stage(stage).propositions.append((number, made))
        return self._numbers[expr]

    def known_after(self, proposition: int) -> int:
        """The stage after whose rules the truth of a proposition is known."""
        return self._placed[proposition]

    def ready(self, expr: Expr) -> int:
        """The first stage in which all that the expression reads is known."""
        names = [node.name for node in walk(expr) if isinstance(node, Ref)]
        names += [MET + node.criterion for node in walk(expr) if isinstance(node, Met)]
        return max((self.level.get(name, 0) for name in names), default=0)

    def finished(self) -> tuple[Stage, ...]:
        for stage in self.stages:
            stage.rules = rulesets(stage.propositions)
        return tuple(self.stages)

    # Leaves

    def _prepared(self, expr: Expr) -> Expr:
        """The condition with every leaf that is not for the rules made a fact that is worked out beforehand."""
        match expr:
            case Not(operand):
                return Not(self._prepared(operand))
            case And(operands):
                return And(tuple(self._prepared(operand) for operand in operands))
            case Or(operands):
                return Or(tuple(self._prepared(operand) for operand in operands))
            case Met(criterion):
                return Ref(MET + criterion, BOOL)
            case Literal() | Ref():
                return expr
        if simple(expr) and isinstance(expr, Compare) and isinstance(expr.left, Ref) and expr.left.type.kind != "bool":
            if expr.left.name not in self.intervals and expr.left.name not in self.rounded:
                return expr
        return self._mark(expr)

    def _mark(self, expr: Expr) -> Ref:
        whole = self.opened(expr)
        if whole not in self._marks:
            name = self._marks[whole] = f"={len(self._marks)}"
            level = self.level[name] = self.ready(whole)
            self.stage(level).before.append(_put(name, self.scalar().value(whole)))
        return Ref(self._marks[whole], BOOL)

    def opened(self, expr: Expr) -> Expr:
        """A value with the conditions inside it (the parts of a count, the sides of `=`) made propositions of their own."""
        match expr:
            case CountMet(operands):
                return replace(expr, operands=tuple(self._part(operand) for operand in operands))
            case Compare(_, left, right) | Arith(_, left, right):
                parts = [self._part(side) if side.type.kind == "bool" else self.opened(side) for side in (left, right)]
                return replace(expr, left=parts[0], right=parts[1])
            case Scale(operand):
                return replace(expr, operand=self.opened(operand))
            case AddMonths(date, count) | AddDays(date, count):
                return replace(expr, date=self.opened(date), count=self.opened(count))
            case DaysBetween(left, right):
                return replace(expr, left=self.opened(left), right=self.opened(right))
        return expr

    def _part(self, expr: Expr) -> Expr:
        if isinstance(expr, Literal | Ref):
            return expr
        if isinstance(expr, Met):
            return Ref(MET + expr.criterion, BOOL)
        return self._proxy(expr, self.proposition(expr))

    def _proxy(self, expr: Expr, number: int) -> Ref:
        """A fact that stands for a proposition in later stages."""
        name = f"?{number}"
        if name not in self.level:
            after = self.known_after(number)
            self.level[name] = after + 1
            self.stage(after).after.append(_put(name, lambda facts: facts[TRUTH].get(number)))
        return Ref(name, BOOL)

    # Size

    def _fit(self, expr: Expr) -> Expr:
        """The condition, cut up where it is too large for one rule."""
        if bearable(expr):
            return expr
        if isinstance(expr, Not):
            return Not(self._fit(expr.operand))
        assert isinstance(expr, And | Or)
        parts = [self._apart(operand) if isinstance(operand, And | Or | Not) else operand for operand in expr.operands]
        while len(parts) > MAX_OPERANDS:
            parts = [self._apart(type(expr)(tuple(parts[at : at + MAX_OPERANDS]))) for at in range(0, len(parts), MAX_OPERANDS)]
        return type(expr)(tuple(parts))

    def _apart(self, expr: Expr) -> Ref:
        return self._proxy(expr, self.proposition(expr))


def _put(name: str, value: Value) -> Work:
    def work(facts: Facts) -> None:
        facts[name] = value(facts)

    return work


def program_of(
    sector: Sector,
    criteria: Iterable[Criterion],
    given: frozenset[str] = frozenset(),
    wide: frozenset[str] = frozenset(),
    asked: frozenset[str] = frozenset(),
) -> Program:
    """The program that judges the criteria. `given` are derived fields whose values come with the row: what was counted over other rows; `wide`
    fields that come with two ends (name, name + HIGH); `asked` derived fields to be made even where no criterion reads them."""
    criteria = list(criteria)
    contradictions = [one.when for one in sector.contradictions]
    wanted = needed(sector, [*(expr for criterion in criteria for expr in conditions_of(criterion)), *contradictions])
    wanted |= asked | needed(sector, [expr for name in asked for _, expr in sector.derived[name].cases])
    by_id = {criterion.id: criterion for criterion in sector.criteria}
    made = _Sector(sector, Compiler(wide))
    for name in sector.order:
        if name in wanted and name in sector.derived:
            made.derive(sector.derived[name], name in given)
        elif name in wanted:
            made.met(by_id[name])
    compiler = made.compiler
    questions = []
    for criterion in criteria:
        applies = None if criterion.applies is None else compiler.proposition(criterion.applies)
        questions.append(Question(criterion, applies, compiler.proposition(criterion.when)))
    checks = tuple(compiler.proposition(expr) for expr in contradictions)
    return Program(compiler.finished(), tuple(questions), checks, tuple(sorted(asked)))


class _Sector:
    def __init__(self, sector: Sector, compiler: Compiler):
        self.sector, self.compiler = sector, compiler

    def derive(self, derived: Derived, given: bool) -> None:
        """Add the work that derives a field where its cell is blank."""
        name, compiler = derived.field.name, self.compiler
        if derived.child:
            source = CHILD + name if given else "__nothing"
            low: Value = lambda facts: facts.get(source)  # noqa: E731
            high: Value = (lambda facts: facts.get(source + HIGH)) if given else low
            number = Number(low, high, derived.how == "count") if derived.field.numeric else None
            self._place(derived, 0, low if number is None else number)
        elif given:
            self._given(derived)
        elif derived.how:
            self._alone(derived)
        elif derived.cases[0][0] != "":
            self._cases(derived)
        elif derived.field.numeric:
            expr = compiler.opened(derived.cases[0][1])
            number = compiler.scalar().number(expr)
            if _computed(derived.cases[0][1], compiler.rounded):
                number = rounded(number)
                compiler.rounded.add(name)
            self._place(derived, compiler.ready(expr), number)
        elif derived.field.type == "bool":
            self._from_proposition(derived, derived.cases[0][1], lambda truth: truth)
        else:
            expr = compiler.opened(derived.cases[0][1])
            if derived.field.type == "date":
                self._place(derived, compiler.ready(expr), *compiler.scalar().days(expr))
            else:
                self._place(derived, compiler.ready(expr), compiler.scalar().value(expr))

    def _given(self, derived: Derived) -> None:
        """An aggregate over other rows, that came with the row and is final."""
        if derived.field.numeric and (derived.how == "sum" or (derived.how in ("min", "max") and not self._exact(derived.cases[0][1]))):
            self.compiler.rounded.add(derived.field.name)

    def _exact(self, expr: Expr) -> bool:
        return not isinstance(expr, Arith | Scale) and not (isinstance(expr, Ref) and expr.name in self.compiler.rounded)

    def _alone(self, derived: Derived) -> None:
        """An aggregate over the rows of one inspection that comes alone: over itself."""
        (_, expr), compiler, name = derived.cases[0], self.compiler, derived.field.name
        same = derived.same
        if same in compiler.intervals:
            same = self._one_value(same)
        if derived.how in ("count", "any", "all"):
            number = compiler.proposition(expr)
            level = max(compiler.known_after(number) + 1, compiler.level.get(derived.same, 0))

            def truth(facts: Mapping[str, Any]) -> bool | None:
                found: bool | None = facts[TRUTH].get(number)
                return found

            if derived.how != "count":
                self._place(derived, level, _if_known(same, truth))
                return
            low, high = _if_known(same, lambda facts: int(truth(facts) is True)), _if_known(same, lambda facts: int(truth(facts) is not False))
            self._place(derived, level, Number(low, high))
            return
        opened = compiler.opened(expr)
        level = max(compiler.ready(opened), compiler.level.get(derived.same, 0))
        if not derived.field.numeric:
            self._place(derived, level, _if_known(same, compiler.scalar().value(opened)))
            return
        own = compiler.scalar().number(opened)
        low, least = own.low, derived.least
        if least is not None:
            low = lambda facts, inner=own.low: least if (x := inner(facts)) is None else x  # type: ignore[misc] # noqa: E731
        low = _if_known(same, low)
        high = low if own.point and least is None else _if_known(same, own.high)
        if derived.how != "sum" and own.exact:
            made = Number(low, high)
        else:
            compiler.rounded.add(name)
            made = rounded(Number(low, high, False, _if_known(same, own.magnitude())))
        self._place(derived, level, made)

    def _one_value(self, name: str) -> str:
        """A fact with the value of a field where that is one, blank where only bounds are known."""
        compiler = self.compiler
        single = f"={name}"
        if single not in compiler.level:
            level = compiler.level[single] = compiler.level.get(name, 0)
            compiler.stage(level).before.append(_put(single, lambda facts: facts.get(name) if facts.get(name) == facts.get(name + HIGH) else None))
        return single

    def _from_proposition(self, derived: Derived, expr: Expr, how: Callable[[bool | None], Any]) -> None:
        number = self.compiler.proposition(expr)
        self._place(derived, self.compiler.known_after(number) + 1, lambda facts: how(facts[TRUTH].get(number)))

    def _cases(self, derived: Derived) -> None:
        compiler, name = self.compiler, derived.field.name
        numbers = [(value, compiler.proposition(expr)) for value, expr in derived.cases]
        level = max(compiler.known_after(number) + 1 for _, number in numbers)

        def value(facts: Mapping[str, Any]) -> str | None:
            true = [one for one, number in numbers if facts[TRUTH].get(number) is True]
            if len(true) > 1 and facts.get(name) is None:
                facts[CLASH].append((name, None, "、".join(true)))
            return true[0] if len(true) == 1 else None

        self._place(derived, level, value)

    def _place(self, derived: Derived, level: int, value: Value | Number, last: Value | None = None) -> None:
        """Put the field among the facts at the start of stage `level`: the cell where it is filled in, else what it derives to: a number, or a value
        (a date that may have bounds only: its first and its `last` day)."""
        name, compiler = derived.field.name, self.compiler
        compiler.level[name] = level
        number = value if isinstance(value, Number) else None
        first = value.low if isinstance(value, Number) else value
        end = number.high if number is not None else first if last is None else last
        integer, upper = derived.field.type == "integer", name + HIGH
        bounds = name in compiler.intervals
        wide = bounds or first is not end
        granted = not derived.reads and not derived.child and not any(criteria_of(expr) for _, expr in derived.cases)
        if wide:
            compiler.intervals.add(name)

        def plain(facts: Facts) -> None:
            cell, low, high = facts.get(name), first(facts), end(facts) if wide else None
            top = facts.get(upper) if bounds else cell
            if cell is not None or top is not None:
                below = cell is not None and (made := high if wide else low) is not None and made < cell
                above = low is not None and top is not None and low > top
                if (below or above) and not granted:
                    facts[CLASH].append((name, None if cell is None else _text(cell), _shown(low)))
                low, high = cell, top
            facts[name] = low
            if wide:
                facts[upper] = high

        def counted(facts: Facts) -> None:
            low, high = _whole(first(facts), integer), _whole(end(facts), integer)
            cell = facts.get(name)
            top = facts.get(upper) if bounds else cell
            if cell is not None or top is not None:
                slack = 1e-9 * max(abs(float(cell or 0)), abs(float(top or 0)), 1.0)
                below = low is not None and top is not None and top < low - slack
                above = high is not None and cell is not None and cell > high + slack
                if below or above:
                    facts[CLASH].append((name, None if cell is None else _text(cell), _text(high if low is None else low)))
                low, high = cell, top
            facts[name] = low
            if wide:
                facts[upper] = high

        compiler.stage(level).before.append(plain if number is None else counted)

    def met(self, criterion: Criterion) -> None:
        """Add the work that makes a fact of whether a criterion is met."""
        compiler = self.compiler
        numbers = [compiler.proposition(expr) for expr in conditions_of(criterion)]
        after = max(compiler.known_after(number) for number in numbers)
        name = MET + criterion.id
        compiler.level[name] = after + 1

        def work(facts: Facts) -> None:
            if not in_force(criterion, facts):
                facts[name] = False
                return
            truths = [facts[TRUTH].get(number) for number in numbers]
            facts[name] = False if False in truths else None if None in truths else True

        compiler.stage(after).after.append(work)


def in_force(criterion: Criterion, facts: Facts) -> bool:
    """Whether the criterion is in force on the day on which the row is judged."""
    return criterion.start <= facts[DAY] and (criterion.end is None or facts[DAY] <= criterion.end)


def _computed(expr: Expr, rounded_fields: Iterable[str]) -> bool:
    return any(isinstance(node, Arith | Scale) or (isinstance(node, Ref) and node.name in rounded_fields) for node in walk(expr))


def _if_known(key: str, value: Value) -> Value:
    """The value, where the field `key` has one."""
    return lambda facts: None if facts.get(key) is None else value(facts)


def _whole(value: float | None, integer: bool) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return round(value) if integer else float(value)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown(value: object) -> str:
    return ("是" if value else "否") if isinstance(value, bool) else str(value)
