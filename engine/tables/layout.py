"""Where the table is within a grid of cells: the header row, and which rows are titles, repeated headers, totals or notes.

Rows are left out only for a stated reason, and each is listed; wholly blank rows go silently. What a header means is not known here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence

import polars as pl

from engine.problems import InputError
from engine.tables.headers import hits
from engine.tables.table import MIXED, Table

HEADER_ROWS = 60
TAIL_ROWS = 60
_TOTAL = ("合计", "总计", "小计", "共计", "累计", "总合计", "本页合计", "本页小计", "合计:", "总计:", "小计:", "共计:")
_NOTE = re.compile(
    r"^[(\[【〔※*]?(合计|总计|共计|说明|备注|注意|注[:\d]|附注|附:|填写|填表|填报|制表|审核人?:|审批人?:|复核人?:|统计人|经办人|负责人:|单位负责人|联系人:|联系电话:|"
    r"(打印|导出)(时间|日期|人)|数据来源|以上(数据|内容|各项|情况)|本表|共\d+|第\d+页|隐患级别:|—+$|以下空白)"
)
_BLANK_CHARS = " \t\r\n\u3000\xa0\u200b\ufeff"

Merged = tuple[int, int, int, int]
"""First row, first column, last row, last column of a merged range, 0-based and inclusive."""


def text_of(name: str, dtype: pl.DataType) -> pl.Expr:
    """The text cells of a raw column, stripped; null for cells of another type."""
    if dtype == MIXED:
        return pl.col(name).struct.field("text").str.strip_chars(_BLANK_CHARS)
    return pl.col(name).str.strip_chars(_BLANK_CHARS) if dtype == pl.String else pl.lit(None, dtype=pl.String)


def is_filled(name: str, dtype: pl.DataType) -> pl.Expr:
    """For each cell of a raw column, whether it holds anything."""
    if dtype == pl.String:
        return (text_of(name, dtype) != "").fill_null(False)
    if dtype == MIXED:
        others = [pl.col(name).struct.field(part).is_not_null() for part in ("number", "date", "truth")]
        return pl.any_horizontal((text_of(name, dtype) != "").fill_null(False), *others)
    return pl.col(name).is_not_null()


def find_header(rows: Sequence[Sequence[object]], known: Collection[str]) -> int:
    """The index of the header among the first rows of a grid, or -1: the row with the most known headers, else the first one of which
    at least half the columns hold text."""
    width = max((i + 1 for row in rows for i, cell in enumerate(row) if _text(cell)), default=0)
    plain = next((n for n, row in enumerate(rows) if 2 * sum(isinstance(c, str) and bool(_text(c)) for c in row) >= width > 0), -1)
    scores = [hits(row, known) for row in rows]
    best = max(scores, default=0)
    if best == 0 or (best == 1 and plain >= 0 and scores[plain] == 0 and scores.index(1) > plain and width > 3):
        return plain
    return scores.index(best)


def _text(cell: object) -> str:
    return "" if cell is None else str(cell).strip(_BLANK_CHARS)


def header_layers(rows: Sequence[Sequence[object]], header: int, merged: Sequence[Merged]) -> tuple[int, int, tuple[str, ...]]:
    """The first and last row of the header and its names: cells merged over several rows widen it, and the names of the layers are
    joined with a slash."""
    first = last = header
    for top, _, bottom, _ in merged:
        if top <= header <= bottom and bottom > top and bottom - top < 6:
            first, last = min(first, top), max(last, bottom)
    layers = [list(rows[n]) for n in range(first, min(last + 1, len(rows)))]
    for top, left, bottom, right in merged:
        if first <= top and bottom <= last:
            for row in range(top, min(bottom, first + len(layers) - 1) + 1):
                for column in range(left, min(right, len(layers[0]) - 1) + 1):
                    if first < last or column == left:
                        layers[row - first][column] = rows[top][left]
    names = []
    for column in range(max(map(len, layers))):
        parts = [_text(layer[column]) for layer in layers if column < len(layer)]
        names.append("/".join(dict.fromkeys(part for part in parts if part)))
    return first, last, tuple(names)


def lay_out(
    file: str, sheet: str, grid: pl.DataFrame, known: Collection[str], merged: Sequence[Merged] = (), skipped: Sequence[tuple[int, str]] = ()
) -> Table:
    """A grid of cells (all rows, header included) as a Table. Raises InputError when it has no header or no rows below it."""
    top = _cells(grid.head(HEADER_ROWS))
    table = Table(file, sheet, (), grid.clear(), pl.Series(dtype=pl.UInt32))
    header = find_header(top, known)
    if header < 0:
        raise InputError(f"{table.place}里找不到表头：前 {HEADER_ROWS} 行中没有哪一行像列名。请把列名放在数据上方的一行里。")
    first, last, names = header_layers(top, header, merged)
    reasons = list(skipped)
    reasons += [(n + 1, "表头上方的标题或说明") for n in range(first) if any(_text(cell) for cell in top[n])]
    reasons += [(n + 1, "多层表头") for n in range(first, last + 1) if n != header and last > first]
    frame = grid.slice(last + 1)
    rows = pl.int_range(last + 2, grid.height + 1, dtype=pl.UInt32, eager=True)
    missing = [name for name, cell in zip(grid.columns, top[header], strict=True) if cell is None and not sheet]
    table = drop_rows(Table(file, sheet, names, frame, rows, tuple(reasons)))
    for name in missing:
        _refuse_shifted(table, name)
    return _without_blank_columns(table)


def _cells(grid: pl.DataFrame) -> list[list[object]]:
    def plain(cell: object) -> object:
        return next((part for part in cell.values() if part is not None), None) if isinstance(cell, dict) else cell

    return [[plain(cell) for cell in row] for row in grid.rows()]


def _refuse_shifted(table: Table, column: str) -> None:
    """A text table whose header record is shorter than a record below it: cells of that record stand under wrong headers."""
    rows = table.rows.filter(table.frame.select(k=is_filled(column, table.frame[column].dtype))["k"])
    if len(rows):
        count = sum(1 for name in table.headers if name)
        raise InputError(
            f"{table.place}第 {rows[0]} 条记录的格数比表头（{count} 列）多，多半是某格里的分隔符没有加引号，其后的列会错位。"
            f"请给该格加上双引号，或从原系统重新导出（最好导出 xlsx）。"
        )


def _without_blank_columns(table: Table) -> Table:
    """Drop columns that have neither a header nor a value (the rest of merged cells, a trailing separator)."""
    keep = [
        name
        for name, header in zip(table.frame.columns, table.headers, strict=True)
        if header or bool(table.frame.select(is_filled(name, table.frame[name].dtype).any()).item())
    ]
    headers = tuple(h for h, name in zip(table.headers, table.frame.columns, strict=True) if name in set(keep))
    frame = table.frame.select(pl.col(name).alias(f"c{i}") for i, name in enumerate(keep))
    return Table(table.file, table.sheet, headers, frame, table.rows, table.skipped)


def drop_rows(table: Table) -> Table:
    """Leave out blank rows, repeated headers, totals, and the notes at the end. Raises InputError when nothing is left."""
    frame, schema = table.frame, table.frame.schema
    named = [(name, header.strip(_BLANK_CHARS)) for name, header in zip(frame.columns, table.headers, strict=True) if header.strip()]
    texts = [text_of(name, dtype) for name, dtype in schema.items()]
    same = [(text_of(name, schema[name]) == header).fill_null(False).cast(pl.UInt32) for name, header in named]
    found = frame.lazy().select(
        count=pl.sum_horizontal([is_filled(name, dtype).cast(pl.UInt32) for name, dtype in schema.items()]),
        same=pl.sum_horizontal(same) if same else pl.lit(0, dtype=pl.UInt32),
        first=pl.coalesce([pl.when(text != "").then(text) for text in texts]),
    ).collect()  # fmt: skip
    count, first = found["count"], found["first"]
    need = max(min(2, len(named)), -(-len(named) * 4 // 5))  # four fifths of the headers, and two unless there is one only
    reasons: dict[int, str] = dict.fromkeys(map(int, (found["same"] >= max(1, need)).arg_true()), "重复的表头")
    totals = first.str.replace_all(r"[\s\x{3000}]", "").str.replace_all("：", ":").is_in(_TOTAL).fill_null(False)
    for row in totals.arg_true():
        reasons.setdefault(int(row), "合计行")
    for row in _notes(first, count, frame.width):
        reasons.setdefault(row, "表尾的说明或签字")
    keep = count > 0
    if reasons:
        keep = keep.scatter(list(reasons), False)
    skipped = table.skipped + tuple((int(table.rows[row]), why) for row, why in sorted(reasons.items()) if count[row])
    if not bool(keep.any()):
        raise InputError(f"{table.place}只有表头，没有数据行。请检查导出时的筛选条件，或换一份有数据的表。")
    if bool(keep.all()):
        return Table(table.file, table.sheet, table.headers, frame, table.rows, skipped)
    return Table(table.file, table.sheet, table.headers, frame.filter(keep), table.rows.filter(keep), skipped)


def _notes(first: pl.Series, count: pl.Series, width: int) -> list[int]:
    """The rows of the notes at the end: from the first sparse row there that begins like a note, all sparse rows to the end."""
    rows: list[int] = []
    sparse = max(2, width // 3)
    for row in range(len(first) - 1, max(-1, len(first) - 1 - TAIL_ROWS), -1):
        if not count[row]:
            continue
        text = "".join(unicodedata.normalize("NFKC", first[row] or "").split())
        if count[row] > sparse or (count[row] >= width > 1) or not first[row]:
            break
        rows.append(row)
        if _NOTE.match(text):
            found = list(rows)
            rest = _notes(first.head(row), count.head(row), width) if row else []
            return found + rest
    return []
