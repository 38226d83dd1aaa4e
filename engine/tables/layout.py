"""Where the table is within a grid of cells: the header row, and which rows are titles, repeated headers, totals or notes.

Rows are left out only for a stated reason, and each is listed; wholly blank rows go silently. What a header means is not known here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import replace

import polars as pl

from engine.problems import InputError
from engine.tables.forms import MAX_ROWS, info_pairs, read_form
from engine.tables.headers import normalise
from engine.tables.heading import BLANK_CHARS, HEADER_ROWS, Merged, find_header, find_heading, text as _text
from engine.tables.table import MIXED, Table

TAIL_ROWS = 60
TAIL = 2_000
"""How far from the end of a table its notes can begin."""
_TOTAL = ("合计", "总计", "小计", "共计", "累计", "总合计", "本页合计", "本页小计", "合计:", "总计:", "小计:", "共计:")
_NOTE = re.compile(
    r"^[(\[【〔※*]?(合计|总计|共计|说明|备注|注意|注[:\d]|附注|附:|填写|填表|填报|制表|审核人?:|审批人?:|复核人?:|统计人|经办人|负责人:|单位负责人|联系人:|联系电话:|"
    r"(打印|导出)(时间|日期|人)|数据来源|以上(数据|内容|各项|情况)|本表|共\d+|第\d+页|隐患级别:|—+$|以下空白)"
)
_NUMBERED = ("序号", "行次", "项次", "no", "no.")
_NUMBER = r"^[(（]?\d+(\.0+)?[)）]?[、.．]?$"


def text_of(name: str, dtype: pl.DataType) -> pl.Expr:
    """The text cells of a raw column, stripped; null for cells of another type."""
    if dtype == MIXED:
        return pl.col(name).struct.field("text").str.strip_chars(BLANK_CHARS)
    return pl.col(name).str.strip_chars(BLANK_CHARS) if dtype == pl.String else pl.lit(None, dtype=pl.String)


def is_filled(name: str, dtype: pl.DataType) -> pl.Expr:
    """For each cell of a raw column, whether it holds anything."""
    if dtype == pl.String:
        return (text_of(name, dtype) != "").fill_null(False)
    if dtype == MIXED:
        others = [pl.col(name).struct.field(part).is_not_null() for part in ("number", "date", "truth")]
        return pl.any_horizontal((text_of(name, dtype) != "").fill_null(False), *others)
    return pl.col(name).is_not_null()


def lay_out(
    file: str, sheet: str, grid: pl.DataFrame, known: Collection[str], merged: Sequence[Merged] = (), skipped: Sequence[tuple[int, str]] = ()
) -> Table:
    """A grid of cells (all rows, header included) as a Table. Raises InputError when it has no header or no rows below it."""
    if grid.height <= MAX_ROWS and (form := read_form(file, sheet, cells_of(grid), known)) is not None:
        return replace(form, skipped=(*skipped, *form.skipped))
    top = cells_of(grid.head(HEADER_ROWS))
    table = Table(file, sheet, (), grid.clear(), pl.Series(dtype=pl.UInt32))
    header = find_header(top, known)
    if header < 0:
        raise InputError(f"{table.place}里找不到表头：前 {HEADER_ROWS} 行中没有哪一行像列名。请把列名放在数据上方的一行里。")
    heading = find_heading(top, header, merged, known)
    info = tuple((pair.label, pair.value, pair.row + 1) for pair in info_pairs(top[: heading.first], known))
    told = {row for _, _, row in info}
    reasons = list(skipped)
    reasons += [
        (n + 1, "表头上方的信息" if n + 1 in told else "表头上方的标题或说明") for n in range(heading.first) if any(_text(cell) for cell in top[n])
    ]
    reasons += [(n + 1, "多层表头") for n in range(heading.first, heading.last + 1) if n != header]
    frame = grid.slice(heading.last + 1)
    rows = pl.int_range(heading.last + 2, grid.height + 1, dtype=pl.UInt32, eager=True)
    missing = [name for n, name in enumerate(grid.columns) if not sheet and all(row[n] is None for row in top[heading.first : heading.last + 1])]
    above = [[_text(cell) for cell in row] for row in top[: heading.first]]
    made = Table(file, sheet, heading.names, frame, rows, tuple(reasons), info=info)
    table = drop_rows(made, [list(layer) for layer in heading.layers] if len(heading.layers) > 1 else [], above)
    for name in missing:
        _refuse_shifted(table, name)
    return _without_blank_columns(table)


def cells_of(grid: pl.DataFrame) -> list[list[object]]:
    """The cells of a grid, row by row, None where blank."""

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
    return replace(table, headers=headers, frame=frame)


def drop_rows(table: Table, layers: Sequence[Sequence[str]] = (), above: Sequence[Sequence[str]] = ()) -> Table:
    """Leave out blank rows, repeated headers, totals, and the notes at the end. `layers` are the rows of a header of several, `above` the
    titles above it, which a page break repeats too. Raises InputError when nothing is left."""
    frame = table.frame
    if not frame.height:
        raise InputError(f"{table.place}只有表头，没有数据行。请检查导出时的筛选条件，或换一份有数据的表。")
    first, blank = _first_texts(frame)
    reasons: dict[int, str] = dict.fromkeys(_like_header(table), "重复的表头")
    for lines, why in ((layers, "重复的表头"), (above, "重复的标题")):
        for row in _repeated(frame, lines):
            reasons.setdefault(row, why)
    for row in _totals(first):
        reasons.setdefault(row, "合计行")
    tail = max(0, frame.height - TAIL)
    for row in _notes(first.slice(tail), _counts(frame, pl.int_range(tail, frame.height, eager=True)), frame.width):
        reasons.setdefault(row + tail, "表尾的说明或签字")
    for row in _headings(table):
        reasons.setdefault(row, "分节标题或说明（序号一格不是序号）")
    keep = ~blank
    if reasons:
        keep = keep.scatter(list(reasons), False)
    skipped = table.skipped + tuple((int(table.rows[row]), why) for row, why in sorted(reasons.items()) if not blank[row])
    if not bool(keep.any()):
        raise InputError(f"{table.place}只有表头，没有数据行。请检查导出时的筛选条件，或换一份有数据的表。")
    if bool(keep.all()):
        return replace(table, skipped=skipped)
    return replace(table, frame=frame.filter(keep), rows=table.rows.filter(keep), skipped=skipped)


def _first_texts(frame: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """The first text of each row, null where it has none, and whether the row is blank. Most rows are told by their first column: only the
    others are looked at in full."""
    schema, name = frame.schema, frame.columns[0]
    text = text_of(name, schema[name])
    first = _column(frame, pl.when(text != "").then(text))
    rest = first.is_null().arg_true()
    blank = pl.repeat(False, frame.height, eager=True, dtype=pl.Boolean)
    if not len(rest):
        return first, blank
    some = frame[rest]
    texts = [text_of(name, dtype) for name, dtype in schema.items()]
    words = _column(some, pl.coalesce([pl.when(text != "").then(text) for text in texts]))
    filled = _column(some, pl.any_horizontal([is_filled(name, dtype) for name, dtype in schema.items()]))
    return first.scatter(rest, words), blank.scatter(rest, ~filled)


def _counts(frame: pl.DataFrame, rows: pl.Series) -> pl.Series:
    """How many cells of these rows are filled."""
    return _column(frame[rows], pl.sum_horizontal([is_filled(n, dtype).cast(pl.UInt32) for n, dtype in frame.schema.items()]))


def _column(frame: pl.DataFrame, expr: pl.Expr) -> pl.Series:
    """The value of an expression on every row, also where it is the same on all."""
    return frame.lazy().with_columns(expr.alias("__value")).select("__value").collect()["__value"]


def _like_header(table: Table) -> list[int]:
    """The rows that hold the headers again: four fifths of them, and two unless there is one only. Such a row has one of the first columns
    right, as many as may be wrong and one more, so that only rows that have are compared in full."""
    frame = table.frame
    named = [(name, header.strip(BLANK_CHARS)) for name, header in zip(frame.columns, table.headers, strict=True) if header.strip()]
    if not named:
        return []
    need = max(1, min(2, len(named)), -(-len(named) * 4 // 5))
    same = [(text_of(name, frame.schema[name]) == header).fill_null(False) for name, header in named]
    likely = _column(frame, pl.any_horizontal(same[: len(named) - need + 1])).arg_true()
    equal = _column(frame[likely], pl.sum_horizontal([one.cast(pl.UInt32) for one in same]))
    return [int(row) for row in likely.filter(equal >= need)]


def _totals(first: pl.Series) -> list[int]:
    """The rows that begin with a word for a total."""
    likely = first.str.contains("计", literal=True).fill_null(False).arg_true()
    words = first.gather(likely).str.replace_all(r"[\s\x{3000}]", "").str.replace_all("：", ":")
    return [int(row) for row in likely.filter(words.is_in(_TOTAL))]


def _repeated(frame: pl.DataFrame, lines: Sequence[Sequence[str]]) -> list[int]:
    """The rows whose filled cells are just those of one of the lines."""
    found: list[int] = []
    for line in lines:
        cells = [(frame.columns[n], cell) for n, cell in enumerate(line[: frame.width]) if cell]
        if not cells:
            continue
        same = [(text_of(name, frame.schema[name]) == cell).fill_null(False) for name, cell in cells]
        equal = _column(frame, pl.all_horizontal(same)).arg_true()
        found += [int(row) for row in equal.filter(_counts(frame, equal) == len(cells))]
    return found


def _headings(table: Table) -> list[int]:
    """The sparse rows of a table with a column of running numbers that hold words there: headings of sections, remarks."""
    column = next((n for n, header in enumerate(table.headers) if normalise(header) in _NUMBERED), -1)
    if column < 0 or len(table.headers) < 4:
        return []
    name = table.frame.columns[column]
    words = text_of(name, table.frame.schema[name])
    odd = _column(table.frame, ((words != "") & ~words.str.contains(_NUMBER)).fill_null(False)).arg_true()
    return [int(row) for row in odd.filter(_counts(table.frame, odd) <= max(1, len(table.headers) // 4))]


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
