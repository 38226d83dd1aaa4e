"""Results as data: one JSON object, JSON lines, csv, parquet. Everything is written beside its place first, so that nothing stays half-written."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.run import Result

KINDS = {
    "enterprises": "enterprise", "findings": "finding", "undetermined": "undetermined", "grade_differences": "grade_difference",
    "duplicates": "duplicate", "defects": "defect", "coverage": "coverage",
}  # fmt: skip
"""The result tables, each with what one of its rows is called in JSON lines."""

TABLES = tuple(KINDS)
_RISKY = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")  # the wide ones are formulas to a Chinese or Japanese Excel


def plain(value: object) -> object:
    """A value as JSON knows it: dates as 2024-01-31."""
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """The rows of a result table with JSON values."""
    return [{key: plain(value) for key, value in row.items()} for row in table.to_pylist()]


def as_json(result: Result, tables: Mapping[str, pa.Table]) -> str:
    """One object with the keys manifest, coverage, enterprises, findings, undetermined, grade_differences, duplicates, defects."""
    whole: dict[str, object] = {"manifest": result.manifest}
    for name in ("coverage", "enterprises", "findings", "undetermined", "grade_differences", "duplicates", "defects"):
        whole[name] = rows_of(tables[name])
    return json.dumps(plain(whole), ensure_ascii=False, indent=1) + "\n"


def as_jsonl(result: Result, tables: Mapping[str, pa.Table]) -> str:
    """One object a line: the manifest, then every row of every table, each with its `kind`."""
    lines: list[dict[str, object]] = [{"kind": "manifest", **result.manifest}]
    for name, kind in KINDS.items():
        lines += [{"kind": kind, **row} for row in rows_of(tables[name])]
    return "".join(json.dumps(plain(line), ensure_ascii=False) + "\n" for line in lines)


def cell_text(value: object) -> str:
    """A value in one csv or workbook cell: lists joined, and nothing that a spreadsheet would run as a formula."""
    text = flat(value)
    return "'" + text if text.startswith(_RISKY) and not _number(text) else text


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def flat(value: object) -> str:
    """A value as one text: evidence as 字段=值, sets of facts as 甲+乙, lists joined with ；."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, dict):
        if "field" in value:
            return f"{value['field']}={value['value']}"
        return str(value.get("name", "")) + ("" if value.get("certain", True) else "（待核实成立时）")
    if isinstance(value, list):
        nested = bool(value) and isinstance(value[0], list)
        return ("；或 " if nested else "；").join(" + ".join(map(str, item)) if isinstance(item, list) else flat(item) for item in value)
    return str(plain(value))


def as_csv(table: pa.Table) -> str:
    """One table as csv (UTF-8, to be written with a BOM so that Excel reads it)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(table.column_names)
    for row in _rows(table):
        writer.writerow([cell_text(value) for value in row])
    return out.getvalue()


def _rows(table: pa.Table) -> Iterator[list[object]]:
    for row in table.to_pylist():
        yield list(row.values())


def write_bytes(path: Path, make: Callable[[Path], None]) -> None:
    """Let `make` write a file beside `path` (beside its target, if it is a link), then put it in place at once. Raises OSError."""
    path = path.resolve()
    beside = path.with_name(f".hazard-{secrets.token_hex(8)}{path.suffix}")
    os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))  # with the permissions that the user's umask gives new files
    try:
        make(beside)
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_parquet(path: Path, table: pa.Table) -> None:
    """One table as parquet, its nested columns kept."""
    import pyarrow.parquet as pq

    write_bytes(path, lambda beside: pq.write_table(table, beside))


def write_text(path: Path, text: str, bom: bool = False) -> None:
    """A text file, UTF-8."""

    def make(beside: Path) -> None:
        beside.write_bytes(text.encode("utf-8-sig" if bom else "utf-8"))

    write_bytes(path, make)
