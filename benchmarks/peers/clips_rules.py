"""clipspy: CLIPS rules over one template; a row is asserted, the rules run, the fact is retracted."""

from __future__ import annotations

from collections.abc import Sequence

import clips

from benchmarks.peers import Counts, Slice, Task, sayable
from benchmarks.translate import Sentence

NAME = "CLIPS"

_WORDS = {"==": "eq", "!=": "neq"}


class _Clips(Sentence):
    AND, OR, TRUE, FALSE = "and", "or", "TRUE", "FALSE"

    def joined(self, word: str, parts: Sequence[str]) -> str:
        return f"({word} {' '.join(parts)})" if len(parts) > 1 else parts[0]

    def variable(self, name: str) -> str:
        return f"?{name}"

    def word(self, text: str) -> str:
        return '"' + text.replace('"', '\\"') + '"'

    def truth(self, name: str, want: bool) -> str:
        return f"(eq ?{name} {self.TRUE if want else self.FALSE})"

    def null(self, name: str, want: bool) -> str:
        return f"({'eq' if want else 'neq'} ?{name} nil)"

    def comparison(self, op: str, left: str, right: str, known: Sequence[str]) -> str:
        guards = [self.null(name, False) for name in dict.fromkeys(known)]
        numeric = not left.startswith('"') and not right.startswith('"') and op not in _WORDS
        return self.joined(self.AND, [*guards, f"({op if numeric else _WORDS[op]} {left} {right})"])


def prepare(part: Slice) -> Task:
    """One defrule a criterion; what fires counts itself."""
    said, left_out = sayable(_Clips(part.names), part.questions)
    environment = clips.Environment()
    environment.build(f"(deftemplate row {' '.join(f'(slot {short})' for short in part.names.values())})")
    for at, text in enumerate(said.values()):
        used = [short for short in part.names.values() if f"?{short})" in text or f"?{short} " in text]
        environment.build(f"(defglobal ?*m{at}* = 0)")
        slots = " ".join(f"({short} ?{short})" for short in used)
        environment.build(f"(defrule r{at} (row {slots}) (test {text}) => (bind ?*m{at}* (+ ?*m{at}* 1)))")
    template = environment.find_template("row")
    nil, symbols = clips.Symbol("nil"), {True: clips.Symbol("TRUE"), False: clips.Symbol("FALSE")}

    def run() -> Counts:
        for at in range(len(said)):
            environment.eval(f"(bind ?*m{at}* 0)")
        for row in part.rows:
            cells = {k: nil if v is None else symbols[v] if isinstance(v, bool) else v for k, v in row.items()}
            fact = template.assert_fact(**cells)
            environment.run()
            fact.retract()
        return {name: (int(environment.eval(f"?*m{at}*")),) for at, name in enumerate(said)}

    return Task(run, tuple(said), left_out)
