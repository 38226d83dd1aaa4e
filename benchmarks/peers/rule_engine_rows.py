"""rule-engine: one compiled rule a criterion, matched against each row. Its names are ASCII only, so facts go by short names."""

from __future__ import annotations

import rule_engine

from benchmarks.peers import Counts, Slice, Task, sayable
from benchmarks.translate import Sentence

NAME = "rule-engine"


def prepare(part: Slice) -> Task:
    """One rule a criterion."""
    said, left_out = sayable(Sentence(part.names), part.questions)
    rules = {name: rule_engine.Rule(text) for name, text in said.items()}

    def run() -> Counts:
        met = dict.fromkeys(rules, 0)
        for row in part.rows:
            for name, rule in rules.items():
                if rule.matches(row):
                    met[name] += 1
        return {name: (count,) for name, count in met.items()}

    return Task(run, tuple(said), left_out)
