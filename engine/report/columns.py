"""What a table is to the engine: what each column became and how surely, what was skipped, what it can decide and what to add.

As text, as JSON, and as a mapping file for what a person has to settle.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.problems import InputError, width as columns_of
from engine.report.data import plain, write_text
from engine.report.output import refuse_inputs
from engine.report.page import KINDS
from engine.report.text import better_sector, clean, wrapped
from engine.tables.suggesting import suggestions

if TYPE_CHECKING:
    from engine.fields import Field
    from engine.reading import Reading
    from engine.run import Result
    from engine.tables import ColumnMatch

HOWS = {
    "exact": "同名", "alias": "别名", "normalised": "规整后同名", "guess": "近似，请核对", "mapping": "映射文件指定", "open": "要问清", "unused": "没有用",
}  # fmt: skip
SUFFIXES = (".yaml", ".yml")
MAX_REASONS = 20
MAX_RANGES = 12
MAX_VALUES = 20
_PLAIN = re.compile(r"[\w\u4e00-\u9fff（）]+")
_UNSEEN = re.compile("[\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def check(path: Path, tables: Sequence[str]) -> None:
    """Refuse a mapping file that cannot be written, before any work is done. Raises InputError."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"映射文件“{path}”的后缀应当是 .yaml。")
    if not path.parent.is_dir() or path.is_dir() or not os.access(path.parent, os.W_OK):
        raise InputError(f"映射文件“{path}”写不了：文件夹不存在、它是一个文件夹，或没有写的权限。请换一个位置。")
    refuse_inputs(path, tables)


def described(result: Result) -> dict[str, Any]:
    """All of it as JSON values: `tables`, `criteria` (every criterion and whether the tables can decide it), `unlock`, `better_sector`."""
    unread = _unread(result)
    tables = []
    for reading in result.readings:
        columns = [
            {
                "number": column.number, "header": column.header, "field": column.field or None, "how": column.how,
                "suggestions": list(_suggested(column, reading)), "note": column.note or None,
                "unread": len(unread.get((reading.file, reading.sheet, column.header), ())),
            }
            for column in reading.columns
        ]  # fmt: skip
        tables.append({
            "file": reading.file or None, "sheet": reading.sheet or None, "child": reading.child or None, "sectors": list(reading.sectors),
            "rows": reading.rows, "columns": columns, "skipped": [{"row": row or None, "why": why} for row, why in reading.skipped],
        })  # fmt: skip
    states = ("sector", "criterion", "name", "document", "clause", "state", "reason", "missing")
    return {
        "sectors": result.manifest["sectors"],
        "sector_recognised": result.manifest["sector_recognised"],
        "better_sector": result.manifest["better_sector"],
        "tables": tables,
        "criteria": result.coverage.select(list(states)).to_pylist(),
        "counts": result.manifest["criteria"],
        "unlock": [{"columns": list(names), "gain": gain} for names, gain in result.unlock],
    }


def as_json(result: Result) -> str:
    """`described` as one object."""
    return json.dumps(plain(described(result)), ensure_ascii=False, indent=1) + "\n"


def _unread(result: Result) -> dict[tuple[str, str, str], list[str]]:
    """The texts that could not be read, by file, sheet and header."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for row in result.defects.select(["file", "sheet", "column", "value", "problem"]).to_pylist():
        if row["column"] is not None and row["problem"] not in ("contradiction", "sector", "not_found"):
            found.setdefault((row["file"] or "", row["sheet"] or "", row["column"]), []).append(row["value"] or "")
    return found


def _suggested(column: ColumnMatch, reading: Reading) -> tuple[str, ...]:
    """What a column that is not understood may be."""
    if column.how == "open":
        return column.candidates
    if column.how != "unused" or column.note or not column.header.strip():
        return ()
    return suggestions(column.header, reading.fields, {one.field for one in reading.columns})


# Text


def render(result: Result, width: int) -> str:
    """The whole text, for a terminal of `width` columns (0: no terminal)."""
    lines: list[str] = []
    titles = {sector.id: sector.title for sector in result.sectors}
    unread = _unread(result)
    for reading in result.readings:
        lines += [*_table(reading, titles, unread, width), ""]
    lines += _decides(result, width)
    return "\n".join(lines) + "\n"


def _table(reading: Reading, titles: Mapping[str, str], unread: Mapping[tuple[str, str, str], Sequence[str]], width: int) -> list[str]:
    name = f"{clean(reading.file) or '数据表'}{f'，工作表“{clean(reading.sheet)}”' if reading.sheet else ''}"
    kind = f"子表“{reading.child}”，" if reading.child else ""
    sectors = "、".join(titles.get(sector, sector) for sector in reading.sectors)
    used = sum(bool(column.field) for column in reading.columns)
    lines = [wrapped(f"{name}：{kind}{reading.rows:,} 行，{len(reading.columns)} 列用到 {used} 列；行业 {clean(sectors)}", width, more="  ")]
    groups: dict[str, list[ColumnMatch]] = {"要问清的列（现在没有用）": [], "近似认的列（请核对）": [], "认得的列": [], "没有用到的列": []}
    for column in reading.columns:
        group = {"open": "要问清的列（现在没有用）", "guess": "近似认的列（请核对）", "unused": "没有用到的列"}.get(column.how, "认得的列")
        groups[group].append(column)
    room = max((columns_of(_name(column)) for column in reading.columns), default=0)
    room = min(room, 28 if not width or width >= 110 else 20)
    target = min(max((columns_of(column.field) for column in reading.columns), default=0), 36 if not width or width >= 110 else 24)
    for title, members in groups.items():
        if members:
            lines.append(f"  {title}：")
            for column in members:
                cells = unread.get((reading.file, reading.sheet, column.header), ())
                lines.append(wrapped(_line(column, reading, cells, room, target), width, "    ", "      "))
    if reading.skipped:
        lines.append("  跳过的行：")
        lines += [wrapped(text, width, "    ", "      ") for text in _skipped(reading.skipped)]
    return lines


def _name(column: ColumnMatch) -> str:
    return " ".join(clean(column.header).split()) or f"（第 {column.number} 列，无列名）"


def _line(column: ColumnMatch, reading: Reading, unread: Sequence[str], room: int, target: int) -> str:
    name = _padded(_name(column), room)
    if column.field:
        field = reading.fields.get(column.field)
        faults = f"；{len(unread)} 格读不出，如“{clean(unread[0])[:20]}”" if unread else ""
        return f"{name} → {_padded(column.field, target)}  {HOWS[column.how]}{_kind(field)}{faults}"
    near = _suggested(column, reading)
    if column.how == "open":
        return f"{name}   {column.note}" + (f"：{'、'.join(near)}" if len(near) > 1 else "")
    maybe = f"可能是 {'、'.join(near)}？" if near else "没有相近的字段"
    return f"{name}   {column.note or maybe}"


def _kind(field: Field | None) -> str:
    if field is None:
        return ""
    unit = f"，{field.unit}" if field.unit is not None and str(field.unit) != "1" else ""
    return f"（{KINDS[field.type]}{unit}）"


def _padded(text: str, room: int) -> str:
    return text + " " * max(0, room - columns_of(text))


def _skipped(skipped: Sequence[tuple[int, str]]) -> list[str]:
    """The rows that were skipped, by reason."""
    by_reason: dict[str, list[int]] = {}
    for row, why in skipped:
        by_reason.setdefault(why, []).append(row)
    lines = []
    for why, rows in list(by_reason.items())[:MAX_REASONS]:
        real = sorted(row for row in rows if row)
        lines.append(f"第 {_ranges(real)} 行：{clean(why)}" if real else clean(why))
    more = len(by_reason) - MAX_REASONS
    return [*lines, f"另有 {more} 种原因，见 --format json。"] if more > 0 else lines


def _ranges(rows: Sequence[int]) -> str:
    """1、3—5、9."""
    runs: list[list[int]] = []
    for row in rows:
        if runs and row == runs[-1][1] + 1:
            runs[-1][1] = row
        else:
            runs.append([row, row])
    parts = [str(first) if first == last else f"{first}—{last}" for first, last in runs[:MAX_RANGES]]
    return "、".join(parts) + (f" 等 {len(rows)}" if len(runs) > MAX_RANGES else "")


def _decides(result: Result, width: int) -> list[str]:
    criteria: Any = result.manifest["criteria"]
    total = criteria["covered"] + criteria["not_covered"]
    lines = [wrapped(f"能判定 {criteria['covered']} / {total} 条。", width)]
    better: Any = result.manifest["better_sector"]
    if better:
        lines[:0] = [wrapped(better_sector(better), width)]
    documents: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in result.coverage.select(["sector", "document", "clause", "state", "criterion"]).to_pylist():
        documents.setdefault((row["sector"], row["document"]), []).append(row)
    titles = {(sector.id, c.document.number): c.document.title for sector in result.sectors for c in sector.criteria}
    lacking = 0
    for key, rows in documents.items():
        known = [row for row in rows if row["state"] == "covered"]
        asked = [row for row in rows if row["state"] in ("covered", "not_covered")]
        lacking += 1 if asked and not known else 0
        if known:
            clauses = "、".join(dict.fromkeys(clean(row["clause"]) for row in known))
            text = f"《{clean(titles[key])}》（{clean(key[1])}）{len(known)} / {len(asked)} 条：{clauses}"
            lines.append(wrapped(text, width, "  ", "    "))
    if lacking:
        lines.append(f"  另有 {lacking} 份判定依据一条也判不了（缺列），见 --format json。")
    if result.unlock:
        lines += ["", "再补这些列，按多判的条数排："]
        have = criteria["covered"]
        fields = {name: field for sector in reversed(result.sectors) for name, field in sector.fields.items()}
        for number, (names, gain) in enumerate(result.unlock, start=1):
            have += gain
            told = "、".join(f"{name}{_kind(fields.get(name))}" for name in names)
            lines.append(wrapped(f"{number}. {told}：多判 {gain} 条，到 {have} / {total}", width, "  ", "     "))
    return lines


# The mapping file


def write_mapping(path: Path, result: Result) -> None:
    """Write `mapping_text` to a file. Raises OSError, and InputError when the file is one of the tables (found in a folder)."""
    refuse_inputs(path, [origin.file for origin in result.origins])
    write_text(path, mapping_text(result))


def mapping_text(result: Result) -> str:
    """A mapping with what is settled; what a person has to settle stands in comments, with what it may be. Read back, it changes nothing."""
    fields: dict[str, dict[str, ColumnMatch]] = {}
    doubtful: dict[str, tuple[str, str]] = {}
    unused: dict[str, tuple[str, ...]] = {}
    for reading in result.readings:
        for column, key in _keyed(reading.columns):
            if column.how == "open":
                doubtful.setdefault(key, ((column.candidates or ("",))[0], f"{column.note}：{'、'.join(column.candidates)}"))
            elif column.how == "guess":
                doubtful.setdefault(key, (column.field, "近似认的，请核对后去掉行首的 #"))
            elif column.field:
                fields.setdefault(key, {})[column.field] = column
            elif column.how == "unused" and not column.note:
                unused.setdefault(key, _suggested(column, reading))
    for key, mine in fields.items():
        if len(mine) > 1:
            doubtful.setdefault(key, (next(iter(mine)), f"在不同的表或行业里是不同的字段：{'、'.join(mine)}；不写就各按各的"))
    lines = [
        "# 映射文件，由 hazard columns 写出；判定时用：hazard score 表… --mapping 本文件",
        "# 一行一个“列名: 字段”。不用的列写 null；同名的第二列写成 列名#2。",
        "columns:",
        *[f"  {_quoted(key)}: {_word(next(iter(mine)))}" for key, mine in fields.items() if key not in doubtful],
    ]
    if doubtful:
        lines += [
            "  # 要请人认定的列：改好字段，去掉行首的 #",
            *[f"  # {_quoted(k)}: {_word(name)}  # {_note(note)}" for k, (name, note) in doubtful.items()],
        ]
    rest = {key: near for key, near in unused.items() if key not in doubtful and key not in fields}
    if rest:
        lines.append("  # 没有用到的列：要用的，写上字段，去掉行首的 #")
        for key, near in rest.items():
            more = f"  # 或 {_note('、'.join(near[1:]))}" if len(near) > 1 else ""
            lines.append(f"  # {_quoted(key)}: {_word(near[0]) if near else 'null'}{more}")
    return "\n".join([*lines, *_values(result)]) + "\n"


def _keyed(columns: Iterable[ColumnMatch]) -> list[tuple[ColumnMatch, str]]:
    """The columns with a header, each with the key that a mapping calls it by."""
    numbers: dict[str, list[int]] = {}
    for column in columns:
        mine = numbers.setdefault(column.header.strip(), [])
        if column.number not in mine:
            mine.append(column.number)
    keyed = []
    for column in columns:
        header = column.header.strip()
        if header:
            same = numbers[header]
            keyed.append((column, header if len(same) == 1 else f"{header}#{same.index(column.number) + 1}"))
    return keyed


def _values(result: Result) -> list[str]:
    """The texts that could not be read, in comments, by field."""
    unread = _unread(result)
    texts: dict[str, dict[str, None]] = {}
    for reading in result.readings:
        for column in reading.columns:
            if column.field:
                cells = unread.get((reading.file, reading.sheet, column.header), ())
                texts.setdefault(column.field, {}).update(dict.fromkeys(text.strip() for text in cells if text.strip()))
    texts = {name: found for name, found in texts.items() if found}
    if not texts:
        return []
    lines = ["values:", "  # 读不出的写法：写上它的取值，去掉行首的 #；写 null 就按空白"]
    for name, found in texts.items():
        lines.append(f"  # {_word(name)}:")
        lines += [f"  #   {_quoted(text)}: null" for text in list(found)[:MAX_VALUES]]
        if len(found) > MAX_VALUES:
            lines.append(f"  #   （另有 {len(found) - MAX_VALUES} 种）")
    return lines


def _word(name: str) -> str:
    return name if name and _PLAIN.fullmatch(name) and not name[0].isdigit() and name.lower() not in ("null", "true", "false") else _quoted(name)


def _quoted(text: str) -> str:
    """A text as a YAML scalar on one line."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def _note(text: str) -> str:
    return " ".join(clean(text).split())
