"""Forms: pages on which a label stands to the left of its value, one or several pairs a line, one hazard or one enterprise a page.

A page is taken for a form only where several known headers stand apart, each with its own value beside it, some of them one below the other
(a page with hardly a value: where such headers make up most of its lines);
no two labels stand side by side, as in the header of a table, and no value stands where labels do. What is neither is listed, never guessed at.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import polars as pl

from engine.tables.headers import normalise
from engine.tables.heading import BLANK_CHARS, is_known, text
from engine.tables.table import Table, column_of

MAX_ROWS, MAX_COLUMNS = 2_000, 40
MIN_PAIRS, MAX_PAIRS = 3, 3
"""How many known labels with values make a form; how many labels a line of it can have."""
_INLINE = re.compile(r"([^:：]{1,40})[:：]\s*(.*)$", re.DOTALL)
_CLOCK = re.compile(r"\d{1,2}$")
_VALUE = re.compile(r"[-+]?[\d.,/:年月日\s-]+(级|号|[a-zA-Z%]{1,3})?$|[√×✓✔✗✘☑☐■□是否有无已未YNyn]$|不?(合格|符合|正常)$")
_PARTS = re.compile(r"[｜|\t]|\s{2,}|\u3000+")


@dataclass(frozen=True)
class Pair:
    """A label and what stands beside it (None: nothing), with the 0-based row."""

    label: str
    value: object
    row: int


@dataclass
class _Page:
    pairs: list[Pair] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)


def inline_pairs(cell: object, row: int) -> list[Pair]:
    """The pairs that stand in one cell (填报人：张三　检查日期：2023-05-06), known or not."""
    if not isinstance(cell, str) or ("：" not in cell and ":" not in cell):
        return []
    whole = cell.strip(BLANK_CHARS)
    parts = [part for part in _PARTS.split(whole) if part.strip()]
    several = len(parts) > 1 and all(_INLINE.match(part) for part in parts)
    found = [inline for part in (parts if several else [whole]) if (inline := _INLINE.match(part.strip()))]
    return [Pair(inline[1].strip(), inline[2].strip(), row) for inline in found if inline[2].strip() and not _CLOCK.search(inline[1])]


def info_pairs(rows: Sequence[Sequence[object]], known: Collection[str]) -> list[Pair]:
    """The known labels and their values in the rows above a table: in one cell, or in two cells side by side."""
    found = []
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            inline = [pair for pair in inline_pairs(cell, number) if is_known(pair.label, known)]
            found += inline
            if not inline and isinstance(cell, str) and text(cell).endswith(("：", ":")) and is_known(cell, known):
                value = next((other for other in row[column + 1 :] if text(other)), None)
                if value is not None and not is_known(value, known) and not (isinstance(value, str) and text(value).endswith(("：", ":"))):
                    found.append(Pair(text(cell), value, number))
    return found


def read_form(file: str, sheet: str, rows: Sequence[Sequence[object]], known: Collection[str]) -> Table | None:
    """The form in a grid of cells as a table of one row a page, or None where the grid is none. `known` are normalised headers."""
    if not known or len(rows) > MAX_ROWS or max(map(len, rows), default=0) > MAX_COLUMNS:
        return None
    columns = _label_columns(rows, known)
    if columns is None:
        return None
    pages: list[_Page] = [_Page()]
    skipped: list[tuple[int, str]] = []
    lines = strays = 0
    for number, row in enumerate(rows):
        filled = [column for column, cell in enumerate(row) if text(cell)]
        if not filled:
            continue
        pairs, stray = _pairs(row, number, columns, known)
        if stray:
            skipped.append((number + 1, f"表单里的标题、说明或没有标签的内容：{'、'.join(text(row[column])[:20] for column in stray)}"))
        lines += bool(pairs)
        strays += bool(pairs and stray)
        for pair in pairs:
            label = normalise(pair.label)
            if label in pages[-1].labels and is_known(pair.label, known):
                pages.append(_Page())
            pages[-1].pairs.append(pair)
            pages[-1].labels.add(label)
    if not pages[0].pairs or 2 * strays > lines:
        return None
    return _table(file, sheet, pages, skipped)


def _label_columns(rows: Sequence[Sequence[object]], known: Collection[str]) -> list[int] | None:
    """The columns in which labels stand, None where the grid does not read like a form."""
    valued: set[str] = set()
    by_column: dict[int, dict[str, int]] = {}
    for number, row in enumerate(rows):
        filled = [column for column, cell in enumerate(row) if text(cell)]
        labels = [column for column in filled if is_known(row[column], known)]
        if any(right == left + 1 for left, right in itertools.pairwise(labels)) or len(labels) > MAX_PAIRS:
            return None
        for column in labels:
            by_column.setdefault(column, {}).setdefault(normalise(str(row[column])), number)
            after = next((other for other in filled if other > column), None)
            if after is not None and after not in labels:
                valued.add(normalise(str(row[column])))
        valued.update(normalise(pair.label) for column in filled for pair in inline_pairs(row[column], number) if is_known(pair.label, known))
    lines = [number for column in by_column.values() for number in set(column.values())]
    filled_lines = sum(any(text(cell) for cell in row) for row in rows)
    tall = max((len(set(column.values())) for column in by_column.values()), default=0)
    blank_form = tall >= MIN_PAIRS and 2 * len(set(lines)) >= filled_lines
    if tall < 2 or (len(valued) < MIN_PAIRS and not blank_form):
        return None
    columns = sorted(by_column)
    return columns if all(_reads_like_a_line(row, columns, known) for row in rows) else None


def _reads_like_a_line(row: Sequence[object], columns: Sequence[int], known: Collection[str]) -> bool:
    """Whether a line can be one of a form: what stands where labels stand is no value, and no label stands right beside another."""
    filled = [column for column, cell in enumerate(row) if text(cell)]
    if len(filled) < 2:
        return True
    labels = [column for column in filled if column in columns]
    if any(not isinstance(row[column], str) or (not is_known(row[column], known) and _VALUE.match(text(row[column]))) for column in labels):
        return False
    return bool(labels) and all(right > left + 1 for left, right in itertools.pairwise(labels))


def _pairs(row: Sequence[object], number: int, columns: Sequence[int], known: Collection[str]) -> tuple[list[Pair], list[int]]:
    """The pairs of a line and the columns of what belongs to none."""
    filled = [column for column, cell in enumerate(row) if text(cell)]
    inline = {column: pairs for column in filled if (column in columns or len(filled) == 1) and (pairs := inline_pairs(row[column], number))}
    labels = [column for column in filled if column in columns and isinstance(row[column], str) and column not in inline]
    if not any(is_known(row[column], known) for column in labels) and len(filled) == 1:
        labels = []  # a title, a heading, a note
    found = [pair for column in filled for pair in inline.get(column, ())]
    stray = [column for column in filled if column not in labels and column not in inline]
    for place, column in enumerate(labels):
        end = labels[place + 1] if place + 1 < len(labels) else len(row)
        values = [other for other in stray if column < other < end]
        stray = [other for other in stray if other not in values]
        cells = [row[other] for other in values]
        value = None if not cells else cells[0] if len(cells) == 1 else " ".join(map(text, cells))
        found.append(Pair(text(row[column]), value, number))
    return found, stray


def _table(file: str, sheet: str, pages: Sequence[_Page], skipped: Sequence[tuple[int, str]]) -> Table:
    """One row a page; each column knows the rows in which its values stand."""
    headers: dict[str, str] = {}
    for page in pages:
        for pair in page.pairs:
            headers.setdefault(normalise(pair.label), pair.label)
    cells: dict[str, list[object]] = {label: [None] * len(pages) for label in headers}
    firsts = [page.pairs[0].row + 1 for page in pages]
    places = {label: list(firsts) for label in headers}
    for number, page in enumerate(pages):
        for pair in page.pairs:
            label = normalise(pair.label)
            if text(pair.value) and cells[label][number] is not None and text(pair.value) != text(cells[label][number]):
                cells[label][number] = f"{text(cells[label][number])} {text(pair.value)}"
            elif text(pair.value):
                cells[label][number], places[label][number] = pair.value, pair.row + 1
    frame = pl.DataFrame({f"c{n}": column_of(values) for n, values in enumerate(cells.values())})
    rows = pl.Series(firsts, dtype=pl.UInt32)
    exact = {n: pl.Series(values, dtype=pl.UInt32) for n, values in enumerate(places.values())}
    return Table(file, sheet, tuple(headers.values()), frame, rows, tuple(skipped), places=exact)
