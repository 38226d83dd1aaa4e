"""Text tables (csv, tsv) -> rows of text: encoding, separator, quotes, records of unequal length. Every cell stays text.

Polars reads what is regular; what it refuses is read again with Python's csv module, which says where the trouble is. A record with
more cells than the header, or one torn in two by a line break, would put values under the wrong headers: such a file is refused.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Collection

import polars as pl

from engine.problems import InputError
from engine.tables.headers import hits

SEPARATORS = ",\t;|"
HEAD_BYTES = 256_000
HEAD_RECORDS = 60
MAX_COLUMNS = 4_096
MAX_CELL = 1_000_000
_CHUNK = 1 << 24


def read_delimited(data: bytes, name: str, known: Collection[str]) -> pl.DataFrame:
    """All records of a text table as a frame of String columns c0, c1, …, blank lines as rows of nulls; nothing is skipped.

    `known` are normalised headers, which help to tell the separator. Raises InputError for an empty file, bytes that are not text,
    an unclosed quote."""
    data = to_utf8(data, name)
    if not data[:HEAD_BYTES].strip() and not data.strip():
        raise InputError(f"文件“{name}”是空的，没有可读的表。请检查导出是否成功。")
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    head = _head(data)
    declared = re.match(r"sep=(.)\r?\n", head)
    separator = declared[1] if declared else sniff(head, known)
    width = max((len(row) for row in _records(head, separator)), default=1)
    if width > MAX_COLUMNS:
        raise InputError(f"文件“{name}”的一行有 {width} 格，超过 {MAX_COLUMNS} 格。请检查分隔符，或只导出要用的列。")
    schema = {f"c{i}": pl.String() for i in range(width)}
    try:
        frame = pl.read_csv(
            io.BytesIO(data), has_header=False, infer_schema=False, schema=schema, separator=separator, missing_columns="insert",
            empty_string_is_null=False,
        )  # fmt: skip
    except pl.exceptions.PolarsError:
        return _read_slowly(data, separator, name)
    try:
        lengths = _lengths(data, separator, frame)
    except csv.Error:
        return _read_slowly(data, separator, name)
    if lengths is None:
        return frame
    if len(lengths) != frame.height:  # the two readers see different records: trust the one that says where
        return _read_slowly(data, separator, name)
    _refuse_torn(lengths, width, name)
    return frame.with_columns(pl.when(lengths > i).then(pl.col(f"c{i}")) for i in range(width))


def to_utf8(data: bytes, name: str) -> bytes:
    """Text in UTF-8, UTF-16 or GB18030, with or without a byte order mark, as UTF-8 without one. Raises InputError for anything else."""
    data = data.removeprefix(codecs.BOM_UTF8)
    utf16 = _utf16(data)
    if utf16:
        try:
            return data.decode(utf16).lstrip("\ufeff").encode()
        except UnicodeError:
            raise InputError(f"文件“{name}”像是 UTF-16 编码，但内容有损坏，解不开。请重新导出，最好另存为 UTF-8 编码的 csv。") from None
    if b"\0" in data[:HEAD_BYTES]:
        raise InputError(f"文件“{name}”不是文本表格（含有二进制内容）。请确认后缀与内容相符，或另存为 xlsx、csv 后再试。")
    damaged = _first_invalid(data)
    if damaged < 0:
        return data
    before = data[max(0, damaged - HEAD_BYTES) : damaged].decode("utf-8", "ignore")
    if sum("\u4e00" <= ch <= "\u9fff" for ch in before) >= 10:
        line = data.count(b"\n", 0, damaged) + 1
        raise InputError(f"文件“{name}”是 UTF-8 编码，但第 {line} 行附近有损坏的字符。请重新导出后再试。")
    try:
        return data.decode("gb18030").encode()
    except UnicodeError:
        raise InputError(f"文件“{name}”的编码认不出：不是 UTF-8、UTF-16，也不是 GB18030（GBK）。请另存为 UTF-8 编码的 csv。") from None


def _utf16(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    head = data[:2_000]
    zeros = (head[::2].count(0), head[1::2].count(0))  # ASCII in UTF-16 has every other byte zero
    if max(zeros) > len(head) // 20 and min(zeros) == 0 and len(head) >= 4 and len(data) % 2 == 0:
        return "utf-16-be" if zeros[0] else "utf-16-le"
    return ""


def _first_invalid(data: bytes) -> int:
    """The offset of the first byte that is not UTF-8, or -1; in chunks, so that no second copy of a large file is held."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(data), _CHUNK):
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(data[start : start + _CHUNK], start + _CHUNK >= len(data))
        except UnicodeDecodeError as error:
            return start - pending + error.start
    return -1


def _head(data: bytes) -> str:
    cut = data.rfind(b"\n", 0, HEAD_BYTES) + 1 if len(data) > HEAD_BYTES else len(data)
    return data[: cut or HEAD_BYTES].decode("utf-8", "ignore")


def _records(head: str, separator: str) -> list[list[str]]:
    made: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(head, newline=""), delimiter=separator):
            made.append(row)
            if len(made) == HEAD_RECORDS:
                break
    except csv.Error:  # the real reading says what is wrong
        pass
    return made


def sniff(head: str, known: Collection[str]) -> str:
    """The separator of the text: the one under which most headers are known; among equals the most regular, then the widest."""

    def score(separator: str) -> tuple[int, float, int]:
        rows = [row for row in _records(head, separator) if any(cell.strip() for cell in row)]
        if not rows:
            return 0, 0.0, 0
        width, count = Counter(map(len, rows)).most_common(1)[0]
        best = max(hits(row, known) for row in rows)
        return best, count / len(rows) if width > 1 else 0.0, width

    return max(SEPARATORS, key=score)


def _read_slowly(data: bytes, separator: str, name: str) -> pl.DataFrame:
    """Read with Python's csv module: stray quotes inside cells, records longer than the first ones."""
    before = csv.field_size_limit(MAX_CELL)
    rows: list[list[str]] = []
    reader = csv.reader(io.StringIO(data.decode(), newline=""), delimiter=separator, strict=True)
    try:
        rows.extend(reader)
    except csv.Error as error:
        why = "有一个引号没有配对" if "unexpected end" in str(error) else "引号用得不对" if "expected after" in str(error) else "读不下去"
        place = f"第 {len(rows) + 1} 条记录（约第 {reader.line_num} 行）"
        raise InputError(f"文件“{name}”{place}{why}，其后的列会错位。请改正该处的引号，或从原系统重新导出（最好导出 xlsx）。") from None
    finally:
        csv.field_size_limit(before)
    limit = max(len(row) for row in rows[:HEAD_RECORDS])
    for number, row in enumerate(rows, start=1):
        if any(cell.strip() for cell in row[limit:]):
            raise InputError(
                f"文件“{name}”第 {number} 条记录有 {len(row)} 格，前面各行只有 {limit} 格，多半是某格里的“{_shown(separator)}”没有加引号，"
                f"其后的列会错位。请给该格加上双引号，或从原系统重新导出（最好导出 xlsx）。"
            )
    columns = {f"c{i}": [row[i] if i < len(row) else None for row in rows] for i in range(limit)}
    _refuse_torn(pl.Series(map(len, rows), dtype=pl.Int64), limit, name)
    return pl.DataFrame(columns, schema={name: pl.String() for name in columns})


def _lengths(data: bytes, separator: str, frame: pl.DataFrame) -> pl.Series | None:
    """How many cells each record really has, or None when every record has them all: Polars fills short ones up with empty text."""
    if not bool((frame[:, -1] == "").fill_null(True).any()):
        return None
    count = data.count(separator.encode())
    if b'"' in data:  # separators inside quoted cells part nothing
        inside = frame.select(pl.sum_horizontal(pl.all().str.count_matches(separator, literal=True).sum().cast(pl.Int64)))
        count -= int(inside.item() or 0)
    if count == frame.height * (frame.width - 1):
        return None
    return pl.Series(map(len, csv.reader(io.StringIO(data.decode(), newline=""), delimiter=separator)), dtype=pl.Int64)


def _refuse_torn(lengths: pl.Series, width: int, name: str) -> None:
    """Refuse two records in a row that together make one: a line break stood in a cell without quotes."""
    following = lengths.shift(-1)
    short = (lengths > 0) & (following > 0) & (lengths < width) & (following < width)
    torn = (short & (lengths + following == width + 1)).fill_null(False)
    below = (lengths == width).cum_sum() > 0  # below the header
    rows = (torn & below).arg_true()
    if len(rows):
        raise InputError(
            f"文件“{name}”第 {rows[0] + 1}、{rows[0] + 2} 条记录各缺几格，合起来正好是一行，多半是某格里的换行没有加引号，列会错位。"
            f"请把该格的换行去掉或给它加上双引号，或从原系统重新导出（最好导出 xlsx）。"
        )


def _shown(separator: str) -> str:
    return {"\t": "制表符"}.get(separator, separator)
