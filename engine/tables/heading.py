"""Which row of a grid is the header, which layers belong to it, and what its columns are called. Cells of a grid only: no fields, no values.

Names of several layers are joined parent/child. A parent that only says what kind of column stands below it (基本信息) is dropped where the
child alone is a known header; one that says more (复查/日期) never is, for the child alone would mean something else.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from engine.tables.headers import hits, normalise, strip_bracket

HEADER_ROWS = 60
MAX_LAYERS = 6
BLANK_CHARS = " \t\r\n\u3000\xa0\u200b\ufeff"
_INFO = re.compile(r"[^:：]{1,30}[:：]\s*[^\s:：/\\]", re.DOTALL)
_SAYS_NOTHING = re.compile(
    r"^(被检查|受检|基本|企业|单位|设备|场所|项目|工程|车辆|人员|检查|巡查|排查|现场|隐患|安全|其他|使用|经营|生产)*"
    r"(信息|情况|概况|内容|事项|项目|资料|数据|记录|结果|要素|指标|部分|栏目?)?$"
)

Merged = tuple[int, int, int, int]
"""First row, first column, last row, last column of a merged range, 0-based and inclusive."""


@dataclass(frozen=True)
class Heading:
    """Where the header stands: its first and last row and the names of its columns. `layers` are its rows as they stand in the file, for
    telling where they are repeated."""

    first: int
    last: int
    names: tuple[str, ...]
    layers: tuple[tuple[str, ...], ...]


def text(cell: object) -> str:
    """A cell as text without blanks at its ends, empty for a blank one."""
    return "" if cell is None else str(cell).strip(BLANK_CHARS)


def is_info(cell: object) -> bool:
    """Whether a cell is a label and its value in one (填报人：张三)."""
    return isinstance(cell, str) and bool(_INFO.match(cell.strip(BLANK_CHARS)))


def is_known(cell: object, known: Collection[str]) -> bool:
    """Whether a cell is a known header, brackets with units or options aside."""
    if not isinstance(cell, str) or not 0 < len(cell) <= 120:
        return False
    normal = normalise(cell)
    return normal in known or strip_bracket(normal)[0] in known


def find_header(rows: Sequence[Sequence[object]], known: Collection[str]) -> int:
    """The index of the header among the first rows of a grid, or -1: the row with the most known headers, else the first one of which
    at least half the columns hold text."""
    width = max((i + 1 for row in rows for i, cell in enumerate(row) if text(cell)), default=0)
    told = [_tells(row, known) for row in rows]
    plain = next((n for n, row in enumerate(rows) if not told[n] and 2 * sum(isinstance(c, str) and bool(text(c)) for c in row) >= width > 0), -1)
    scores = [0 if told[n] else hits(row, known) for n, row in enumerate(rows)]
    best = max(scores, default=0)
    if best == 0 or (best == 1 and plain >= 0 and scores[plain] == 0 and scores.index(1) > plain and width > 3):
        return plain
    return scores.index(best)


def _tells(row: Sequence[object], known: Collection[str]) -> bool:
    """Whether a row is a line of information: a label with a colon, and beside it what is no label."""
    filled = [cell for cell in row if text(cell)]
    return any(
        text(left).endswith(("：", ":")) and not is_known(right, known) and not text(right).endswith(("：", ":"))
        for left, right in itertools.pairwise(filled)
    )


def find_heading(rows: Sequence[Sequence[object]], header: int, merged: Sequence[Merged], known: Collection[str]) -> Heading:
    """The layers that belong to the header row: rows that share a cell merged downwards with it, a row above whose cells spread over
    several columns, rows below that fill only what the header leaves open."""
    merged = [area for area in merged if area[0] < len(rows)]
    grid = [[text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    first, last = _tall(header, merged)
    for row in range(header - 1, first - 1, -1):
        if any(is_info(cell) for cell in grid[row]):
            first = row + 1
            break
    while first > 0 and last - first + 1 < MAX_LAYERS and _is_parent(grid, first - 1, first, merged, known):
        first -= 1
    while last + 1 < len(grid) and last - first + 1 < MAX_LAYERS and _is_child(grid, first, last, merged):
        last += 1
    layers = _filled(grid, first, last, merged)
    names = _named(layers, known)
    plain = tuple(tuple(cell if isinstance(cell, str) else text(cell) for cell in grid[n]) for n in range(first, last + 1))
    return Heading(first, last, names, plain)


def _tall(header: int, merged: Sequence[Merged]) -> tuple[int, int]:
    """The rows that cells merged downwards tie to the header row."""
    first = last = header
    while True:
        before = (first, last)
        for top, _, bottom, _ in merged:
            if bottom > top and bottom - top < MAX_LAYERS and top <= last and bottom >= first:
                first, last = min(first, top), max(last, bottom)
        if (first, last) == before or last - first >= MAX_LAYERS:
            return before


def _is_parent(grid: Sequence[Sequence[object]], row: int, below: int, merged: Sequence[Merged], known: Collection[str]) -> bool:
    """Whether a row above the header holds the names of groups of its columns: texts, at least two or one merged over a part of the
    columns only, each over a filled cell, fewer than there are columns; no label with a value in it."""
    cells, under = grid[row], grid[below]
    filled = [column for column, cell in enumerate(cells) if cell not in (None, "")]
    names = [column for column, cell in enumerate(under) if cell not in (None, "")]
    if not filled or len(names) < 2 or len(filled) > len(names) or _tells(cells, known):
        return False
    if any(not isinstance(cells[column], str) or len(str(cells[column])) > 30 or is_info(cells[column]) for column in filled):
        return False
    if any(_end(row, column, merged) > row for column in filled):  # merged downwards without reaching the header
        return False
    spans = [(left, right) for top, left, bottom, right in merged if top == bottom == row and right > left]
    if spans:
        whole = any(left <= names[0] and right >= names[-1] for left, right in spans)
        return not whole and any(sum(left <= column <= right for column in names) > 1 for left, right in spans)
    gaps = [column for column in range(filled[0], len(cells)) if cells[column] in (None, "")]
    labels = sum(is_known(cells[column], known) for column in filled)
    above_filled = all(column >= len(under) or under[column] not in (None, "") or is_known(cells[column], known) for column in filled)
    return len(filled) > 1 and bool(gaps) and above_filled and (labels > 0 or any(_SAYS_NOTHING.match(str(cells[column])) for column in filled))


def _end(row: int, column: int, merged: Sequence[Merged]) -> int:
    return max((bottom for top, left, bottom, right in merged if top <= row <= bottom and left <= column <= right), default=row)


def _is_child(grid: Sequence[Sequence[object]], first: int, last: int, merged: Sequence[Merged]) -> bool:
    """Whether the row below the header fills only columns whose name goes on (a name with blank cells to its right), and at least one
    that has no name of its own yet."""
    heads = grid[first : last + 1]
    cells = grid[last + 1]
    width = len(cells)
    bottom = [heads[-1][column] if column < len(heads[-1]) else None for column in range(width)]
    named = [any(column < len(row) and row[column] not in (None, "") for row in heads) for column in range(width)]
    filled = [column for column, cell in enumerate(cells) if cell not in (None, "")]
    if not filled or any(not isinstance(cells[column], str) or len(str(cells[column])) > 30 for column in filled):
        return False
    if all(named[column] for column in filled):
        return False
    if any(top <= last + 1 <= end and end > top for top, _, end, _ in merged):
        return False
    group: set[int] = set()
    for column in range(width):
        opens = bottom[column] not in (None, "") and column + 1 < width and not named[column + 1]
        goes_on = not named[column] and bool(group) and column - 1 in group
        if opens or goes_on:
            group.add(column)
    starts = [column for column in group if named[column]]
    return set(filled) <= group and bool(starts) and all(sum(f in _run(start, group, named) for f in filled) != 1 for start in starts)


def _run(start: int, group: Collection[int], named: Sequence[bool]) -> range:
    end = start + 1
    while end in group and not named[end]:
        end += 1
    return range(start, end)


def _filled(grid: Sequence[Sequence[object]], first: int, last: int, merged: Sequence[Merged]) -> list[list[str]]:
    """The layers with merged cells filled in, and in those without merged cells the names of groups spread to the right."""
    width = max(len(row) for row in grid[first : last + 1])
    layers = [[text(row[column]) if column < len(row) else "" for column in range(width)] for row in grid[first : last + 1]]
    covered: set[tuple[int, int]] = set()
    for top, left, bottom, right in merged:
        for row in range(max(top, first), min(bottom, last) + 1):
            for column in range(left, min(right, width - 1) + 1):
                if first < last or column == left:
                    layers[row - first][column] = text(grid[top][left])
                covered.add((row, column))
    for row in range(first, last):
        for column in range(1, width):
            below = any(layers[n][column] for n in range(row - first + 1, len(layers)))
            if not layers[row - first][column] and (row, column) not in covered and (row, column - 1) not in covered and below:
                above = any(layers[n][column] for n in range(row - first))
                if layers[row - first][column - 1] and not above and any(layers[n][column - 1] for n in range(row - first + 1, len(layers))):
                    layers[row - first][column] = layers[row - first][column - 1]
    return layers


def _named(layers: Sequence[Sequence[str]], known: Collection[str]) -> tuple[str, ...]:
    columns = [list(dict.fromkeys(part for layer in layers if (part := layer[column]))) for column in range(len(layers[0]))]
    leaves = [normalise(parts[-1]) if parts else "" for parts in columns]
    names = []
    for parts, leaf in zip(columns, leaves, strict=True):
        name = "/".join(parts)
        if len(parts) > 1 and not is_known(name, known):
            if is_known("".join(parts), known):
                name = "".join(parts)
            elif is_known(parts[-1], known) and leaves.count(leaf) == 1 and all(_SAYS_NOTHING.match(part) for part in parts[:-1]):
                name = parts[-1]
        names.append(name)
    return tuple(names)
