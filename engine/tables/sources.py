"""Inputs as the user names them -> raw tables: paths, folders, patterns, standard input, data frames. The edge to the file system."""

from __future__ import annotations

import glob
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

import polars as pl

from engine.problems import InputError
from engine.tables import delimited, memory
from engine.tables.layout import lay_out
from engine.tables.table import Table
from engine.tables.workbook import OLE, ZIP, read_workbook

Input: TypeAlias = object
"""One input: a path, a folder, a pattern, "-" for standard input (csv), or a pandas, pyarrow or polars frame."""

TEXT = (".csv", ".tsv", ".txt")
WORKBOOK = (".xlsx", ".xls", ".ods", ".xlsm", ".et")
TYPED = (".parquet", ".arrow", ".ipc", ".feather")
JSON = (".json", ".jsonl", ".ndjson")
SUFFIXES = TEXT[:2] + WORKBOOK + TYPED + JSON
MAX_BYTES = 4 << 30
MAX_FILES = 10_000
STDIN = "标准输入"


def load(inputs: Input, known: Collection[str] = ()) -> list[Table]:
    """The raw tables of one or several inputs, in the order given; files of a folder (with its subfolders) or a pattern are sorted.

    `known` are normalised headers (`known_headers`), by which the header row is found among titles. Raises InputError."""
    items: list[Input] = [inputs]
    if isinstance(inputs, Iterable) and not isinstance(inputs, str | bytes | Path | Mapping) and not _is_frame(inputs):
        items = list(inputs)
    tables: list[Table] = []
    for item in items:
        if isinstance(item, str | Path):
            for path in _expand(str(item)):
                tables += read_file(path, known)
        else:
            tables.append(_frame(item))
    if not tables:
        raise InputError("没有给出要读的表。请写上一个或几个文件、文件夹。")
    return tables


def _is_frame(item: object) -> bool:
    return isinstance(item, pl.DataFrame | pl.LazyFrame) or type(item).__module__.split(".")[0] in ("pandas", "pyarrow")


def _frame(item: object) -> Table:
    if isinstance(item, pl.LazyFrame):
        item = item.collect()
    if isinstance(item, pl.DataFrame):
        return memory.from_polars(item)
    package = type(item).__module__.split(".")[0]
    if package == "pyarrow":
        import pyarrow as pa

        if isinstance(item, pa.RecordBatch):
            item = pa.Table.from_batches([item])
        if isinstance(item, pa.Table):
            return memory.from_arrow(item)
    if package == "pandas":
        import pandas as pd

        if isinstance(item, pd.DataFrame):
            return memory.from_pandas(item)
    raise InputError(f"不认识的输入（{type(item).__name__}）。可用的有：文件路径，pandas、polars 的 DataFrame，pyarrow 的 Table。")


def _expand(text: str) -> list[str]:
    """The files that a path, a folder or a pattern means."""
    if text == "-":
        return [text]
    path = Path(text)
    if path.is_dir():
        found = sorted(str(p) for p in path.rglob("*") if p.is_file() and p.suffix.lower() in SUFFIXES and not _is_hidden(p, path))
        if not found:
            raise InputError(f"文件夹“{text}”里没有可读的表（{'、'.join(s[1:] for s in SUFFIXES)}）。请检查路径。")
    elif path.exists():
        return [text]
    elif any(ch in text for ch in "*?["):
        found = sorted(p for p in glob.glob(text, recursive=True) if Path(p).is_file() and not Path(p).name.startswith(("~$", ".")))
        if not found:
            raise InputError(f"没有文件符合“{text}”。请检查路径和通配符。")
    else:
        raise InputError(f"文件“{text}”不存在。请检查路径；路径里有空格时要加引号。")
    if len(found) > MAX_FILES:
        raise InputError(f"“{text}”里有 {len(found)} 个文件，超过 {MAX_FILES} 个。请分批处理。")
    return found


def _is_hidden(path: Path, root: Path) -> bool:
    """Lock files of open workbooks (~$…) and hidden files and folders."""
    return any(part.startswith(("~$", ".")) for part in path.relative_to(root).parts)


def read_file(name: str, known: Collection[str] = ()) -> list[Table]:
    """The tables of one file, by its suffix ("-": standard input, read as csv). Raises InputError."""
    if name == "-":
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
        return [_text(_bounded(data, STDIN), STDIN, known)]
    suffix = Path(name).suffix.lower()
    if suffix not in SUFFIXES + TEXT:
        raise InputError(f"文件“{name}”的后缀“{suffix or '（无）'}”不认识。可读的有：{'、'.join(s[1:] for s in SUFFIXES)}。请另存为 xlsx 或 csv。")
    try:
        size = Path(name).stat().st_size
        if size > MAX_BYTES:
            raise InputError(f"文件“{name}”超过 {MAX_BYTES >> 30} GB。请拆成几个文件，或导出为 parquet 后分批处理。")
        data = b"" if suffix in TYPED else Path(name).read_bytes()
    except OSError as error:
        raise InputError(f"文件“{name}”读不了：{error.strerror or error}。请检查它是否被占用、有没有读取权限。") from None
    if not size:
        raise InputError(f"文件“{name}”是空的，没有可读的表。请检查导出是否成功。")
    if suffix in TYPED:
        return [memory.read_typed(name, suffix)]
    if suffix in JSON:
        return [memory.read_json(data, name, lines=suffix != ".json")]
    if data.startswith((ZIP, OLE)):
        return read_workbook(data, name, known)
    if suffix in WORKBOOK:
        _refuse_page(data, name, suffix)
    return [_text(data, name, known)]


def _bounded(data: bytes, name: str) -> bytes:
    if len(data) > MAX_BYTES:
        raise InputError(f"{name}超过 {MAX_BYTES >> 30} GB。请改用文件，或分批处理。")
    return data


def _refuse_page(data: bytes, name: str, suffix: str) -> None:
    """Old systems write web pages or text under the name of a workbook: text is read, a page or anything else is not."""
    head = data[:4_000].lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").lower()
    if head.startswith(b"<"):
        raise InputError(f"文件“{name}”名为 {suffix[1:]}，内容却是网页或 XML。请用 Excel 打开，另存为 xlsx 后再试。")
    if b"\0" in data[:4_000] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"文件“{name}”打不开，内容有损坏，或不是它的后缀所说的格式。请用 Excel 打开并另存为 xlsx 后再试。")


def _text(data: bytes, name: str, known: Collection[str]) -> Table:
    return lay_out(name, "", delimited.read_delimited(data, name, known), known)
