"""ZEN (zen-engine): one decision whose expression node states all criteria, evaluated for each row. Names are ASCII only here too."""

from __future__ import annotations

import json

import zen

from benchmarks.peers import Counts, Slice, Task, sayable
from benchmarks.translate import Sentence

NAME = "ZEN"


def prepare(part: Slice) -> Task:
    """Input, one expression node, output."""
    said, left_out = sayable(Sentence(part.names), part.questions)
    names = list(said)
    expressions = [{"id": f"e{at}", "key": f"q{at}", "value": said[name]} for at, name in enumerate(names)]
    content = {
        "nodes": [
            {"id": "in", "type": "inputNode", "name": "in", "position": {"x": 0, "y": 0}},
            {"id": "judge", "type": "expressionNode", "name": "judge", "position": {"x": 1, "y": 0}, "content": {"expressions": expressions}},
            {"id": "out", "type": "outputNode", "name": "out", "position": {"x": 2, "y": 0}},
        ],
        "edges": [
            {"id": "1", "type": "edge", "sourceId": "in", "targetId": "judge"}, {"id": "2", "type": "edge", "sourceId": "judge", "targetId": "out"},
        ],
    }  # fmt: skip
    decision = zen.ZenEngine().create_decision(json.dumps(content))

    def run() -> Counts:
        met = [0] * len(names)
        for row in part.rows:
            result = decision.evaluate(row)["result"]
            for at in range(len(names)):
                if result[f"q{at}"] is True:
                    met[at] += 1
        return {name: (met[at],) for at, name in enumerate(names)}

    return Task(run, tuple(said), left_out)
