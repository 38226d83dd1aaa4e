"""One inspection after another through a sector's program: the rules of every stage, what fired, and the verdict of each criterion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.columnar import HIGH
from engine.events.native import Ruleset
from engine.events.network import Rules
from engine.events.program import CLASH, TRUTH, Program, Stage, in_force

VERDICTS = ("met", "not_met", "undetermined", "not_applicable", "not_in_force", "suspected")
"""A verdict as judged; `suspected` is an undetermined one of which only the applicability is open."""


@dataclass(frozen=True)
class Judgement:
    """`verdicts`: a number (place in VERDICTS) for each question; `clashes`: facts that differ from what they derive to (field, cell or None,
    derived); `broken`: the places of the contradictions of the sector that hold; `facts`: the derived fields asked for, with their values
    (None: not known, or only as bounds)."""

    verdicts: bytes
    clashes: tuple[tuple[str, str | None, str], ...]
    broken: tuple[int, ...] = ()
    facts: tuple[tuple[str, Any], ...] = ()


class Rulebook:
    """Stages with their rules loaded into the native library."""

    def __init__(self, name: str, stages: tuple[Stage, ...]):
        self._stages = [(stage, [_Loaded(f"{name}.{n}.{m}", rules) for m, rules in enumerate(stage.rules)]) for n, stage in enumerate(stages)]

    def run(self, facts: dict[str, Any]) -> dict[int, bool]:
        """Take the facts of one message through all stages. Returns the truth of every proposition that is settled; what was derived is
        among the facts afterwards."""
        truth: dict[int, bool] = {}
        facts[TRUTH], facts[CLASH] = truth, []
        for stage, loaded in self._stages:
            for work in stage.before:
                work(facts)
            for rules in loaded:
                for name in rules.ruleset.fired(rules.rules.message(facts)):
                    if name:
                        truth[int(name[1:])] = name[0] == "+"
            for work in stage.after:
                work(facts)
        return truth


class _Loaded:
    def __init__(self, name: str, rules: Rules):
        self.rules, self.ruleset = rules, Ruleset(name, rules.conditions)


class Judge:
    """Judges the rows of one sector."""

    def __init__(self, name: str, program: Program):
        self.program = program
        self._book = Rulebook(name, program.stages)

    def judge(self, facts: Mapping[str, Any]) -> Judgement:
        """The verdicts on one row: field -> value (None where blank; no key where the column is lacking), and DAY."""
        row = dict(facts)
        truth = self._book.run(row)
        verdicts = bytearray()
        for question in self.program.questions:
            applies = True if question.applies is None else truth.get(question.applies)
            when = truth.get(question.when)
            if not in_force(question.criterion, row):
                verdict = "not_in_force"
            elif applies is False:
                verdict = "not_applicable"
            elif when is False:
                verdict = "not_met"
            elif applies and when:
                verdict = "met"
            else:
                verdict = "suspected" if when else "undetermined"
            verdicts.append(VERDICTS.index(verdict))
        broken = tuple(place for place, number in enumerate(self.program.checks) if truth.get(number) is True)
        told = tuple((name, row[name] if row.get(name + HIGH, row[name]) == row[name] else None) for name in self.program.asked)
        return Judgement(bytes(verdicts), tuple(row[CLASH]), broken, told)
