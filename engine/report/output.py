"""The file that `-o` names: whether it can be written, and in which format."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.problems import InputError
from engine.report import data, workbook
from engine.report.text import summary

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.run import Result

SUFFIXES = (".csv", ".json", ".jsonl", ".parquet", ".xlsx")


def check(output: Path, tables: Sequence[str]) -> None:
    """Refuse an output that cannot be written, before any work is done. `tables` are the inputs as named. Raises InputError."""
    if output.suffix.lower() not in SUFFIXES:
        raise InputError(f"输出文件“{output}”的后缀不认识。可用的后缀：{' '.join(SUFFIXES)}。")
    if not output.parent.is_dir():
        raise InputError(f"输出文件“{output}”所在的文件夹不存在。请先建好文件夹。")
    refuse_inputs(output, tables)
    if output.is_dir() or not os.access(output.parent, os.W_OK):
        raise InputError(f"输出文件“{output}”写不了：它是一个文件夹，或没有写的权限。请换一个位置。")


def refuse_inputs(output: Path, names: Sequence[str]) -> None:
    """Refuse an output that is one of the inputs `names`. Raises InputError."""
    if any(os.path.exists(name) and output.exists() and os.path.samefile(name, output) for name in names):
        raise InputError(f"输出文件“{output}”就是要判定的表，写了会盖掉它。请换一个文件名。")


def write(output: Path, result: Result, tables: Mapping[str, pa.Table]) -> None:
    """Write the result in the format of the suffix: csv and parquet hold the findings, the others everything. Raises OSError,
    and InputError when the output turns out to be one of the tables (found in a folder or by a pattern)."""
    refuse_inputs(output, [origin.file for origin in result.origins])
    suffix = output.suffix.lower()
    if suffix == ".xlsx":
        workbook.write_workbook(output, result, tables, summary(result, tables))
    elif suffix == ".parquet":
        data.write_parquet(output, tables["findings"])
    elif suffix == ".csv":
        data.write_text(output, data.as_csv(tables["findings"]), bom=True)
    else:
        data.write_text(output, (data.as_json if suffix == ".json" else data.as_jsonl)(result, tables))
