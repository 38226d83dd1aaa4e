"""Plain Python, row by row: each criterion compiled to one Python expression over the facts of a row."""

from __future__ import annotations

from benchmarks.peers import Counts, Slice, Task, sayable
from benchmarks.translate import Sentence

NAME = "逐行 Python"


class _Python(Sentence):
    TRUE, FALSE = "True", "False"

    def variable(self, name: str) -> str:
        return f"r[{name!r}]"

    def word(self, text: str) -> str:
        return repr(text)

    def truth(self, name: str, want: bool) -> str:
        return f"r[{name!r}] is {want}"

    def null(self, name: str, want: bool) -> str:
        return f"r[{name!r}] is {'' if want else 'not '}None"


def prepare(part: Slice) -> Task:
    """One function a criterion."""
    said, left_out = sayable(_Python(part.names), part.questions)
    tests = {name: eval(f"lambda r: {text}") for name, text in said.items()}

    def run() -> Counts:
        met = dict.fromkeys(tests, 0)
        for row in part.rows:
            for name, test in tests.items():
                if test(row):
                    met[name] += 1
        return {name: (count,) for name, count in met.items()}

    return Task(run, tuple(said), left_out)
