"""What is wrong with an input, as data: place, cause, mend. Nothing here prints; `cli.py` and `report/` draw it.

Two kinds: a `Problem` in a rule file (many can be listed at once, so loading returns them as a list), and an `InputError`
that ends a run (a table or an option that cannot be used). Both carry everything that a terminal or an editor needs.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

MAX_EXCERPT = 160


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in a rule file.

    `line` and `column` are 1-based, 0 where the problem concerns the file as a whole. `length` is the number of characters to
    underline from `column` on, 0 for none. `excerpt` is the source line. `severity` is "error" or "warning". Two problems with
    the same content are equal, so that tests can assert the exact list.
    """

    file: str
    line: int
    column: int
    message: str
    hint: str = ""
    length: int = 0
    excerpt: str = ""
    severity: str = "error"

    def text(self) -> str:
        """The problem as Chinese text of one to three lines: place and cause, then the source line with the span underlined."""
        place = self.file + (f" 第{self.line}行第{self.column}列" if self.line else "")
        kind = "" if self.severity == "error" else "（提醒）"
        head = f"{place}：{kind}{self.message}" + (f" {self.hint}" if self.hint else "")
        if not self.length or not self.excerpt:
            return head
        return head + "\n" + underline(self.excerpt, self.column - 1, self.length)


def width(text: str) -> int:
    """Terminal columns that `text` takes: wide East Asian characters count two."""
    return sum(2 if unicodedata.east_asian_width(ch) in "WF" else 0 if unicodedata.combining(ch) else 1 for ch in text)


def underline(line: str, start: int, length: int) -> str:
    """`line` and, below it, carets under `length` characters from the 0-based `start`; a long line is cut around the span."""
    if len(line) > MAX_EXCERPT:
        left = max(0, start - MAX_EXCERPT // 2)
        line, start = line[left : left + MAX_EXCERPT], start - left
    length = max(1, min(length, len(line) - start))
    return f"  {line}\n  {' ' * width(line[:start])}{'^' * max(1, width(line[start : start + length]))}"


class RuleFileError(Exception):
    """A pack cannot be used. `problems` is the sorted list of all that is wrong."""

    def __init__(self, problems: Iterable[Problem]):
        self.problems = sorted(problems)
        super().__init__("\n".join(p.text() for p in self.problems))


class InputError(Exception):
    """A table, an option or a file cannot be used: one paragraph in Chinese that names what, where, why and how to mend."""


def nearest(name: str, names: Iterable[str]) -> str:
    """`是不是“…”？` with the nearest of `names`, or an empty text when none is near."""
    pool = list(names)
    found = difflib.get_close_matches(name, pool, n=1, cutoff=0.5 if len(name) <= 3 else 0.6)
    if not found:
        found = [n for n in pool if len(name) >= 2 and (name in n or n in name)][:1]
    return f"是不是“{found[0]}”？" if found else ""
