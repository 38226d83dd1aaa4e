"""Which column of a table is which field: at most one column a field, and a question to a person where that is not certain.

`bind` asks by refusing the table; `hazard columns` lists what is open instead, so that a mapping can settle it.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass

import polars as pl

from engine.problems import InputError
from engine.tables.headers import AmbiguousHeader, Match, Vocabulary
from engine.tables.table import MIXED, ColumnMatch, Table
from engine.units import ONE

SETTLE = "也可以在映射文件里写明（{}），判定时加 --mapping 映射.yaml；hazard columns 表 --write-mapping 映射.yaml 可以生成它。"


_GLANCE = 1_000


@dataclass(frozen=True)
class Question:
    """What must be asked about columns (0-based indexes): which of the fields `names`, and the whole message."""

    columns: tuple[int, ...]
    names: tuple[str, ...]
    message: str
    note: str


def match_columns(table: Table, vocabulary: Vocabulary, ask: bool = True) -> tuple[dict[int, Match], list[ColumnMatch]]:
    """Column index -> what its header names, and how every column was understood.

    Where a header means or is near to several fields, several columns mean one field (unless the field has a role: then the first of its names
    wins, if only one column has it), or a header's unit cannot be converted: raises InputError with `ask`, else the columns are `open`. A column
    that is blank on all rows raises no question, for in a table of several sectors most columns are another sector's: it yields to one that
    is not, and nothing is guessed of it."""
    found: dict[str, list[tuple[int, Match]]] = {}
    questions: list[Question] = []
    seen: Counter[str] = Counter()
    keys: list[str] = []
    filled = [_filled(table, index) for index in range(len(table.headers))]
    repeated = {header.strip() for header, times in Counter(h.strip() for h in table.headers).items() if times > 1}
    for index, header in enumerate(table.headers):
        seen[header.strip()] += 1
        number = seen[header.strip()]
        keys.append(f"{header.strip()}#{number}" if header.strip() in repeated else header.strip())
        try:
            match = vocabulary.find(header, number)
        except AmbiguousHeader as error:
            if filled[index]:
                questions.append(_between(table, index, keys[index], error))
            continue
        if match is not None and (filled[index] or match.how != "guess"):
            found.setdefault(match.field.name, []).append((index, match))
    chosen: dict[int, Match] = {}
    notes: dict[int, str] = {}
    for name, candidates in found.items():
        settled = [pair for pair in candidates if pair[1].how == "mapping"]
        sure = settled or [pair for pair in candidates if pair[1].how != "guess"]
        best = min(sure or candidates, key=lambda pair: (pair[1].rank, pair[0]))
        rivals = sure or candidates
        speaking = [pair for pair in rivals if filled[pair[0]]]
        if len(speaking) < len(rivals):
            rivals = speaking or rivals[:1]
            best = min(rivals, key=lambda pair: (pair[1].rank, pair[0]))
        if best[1].field.role:
            rivals = [pair for pair in rivals if pair[1].rank == best[1].rank]
        if len(rivals) > 1:
            questions.append(_rivals(table, name, [index for index, _ in rivals], keys))
            continue
        unfit = _unit_question(table, *best)
        if unfit is not None:
            questions.append(unfit)
            continue
        chosen[best[0]] = best[1]
        notes |= {index: f"字段“{name}”已取列“{table.headers[best[0]]}”" for index, _ in candidates if index != best[0]}
    if questions and ask:
        raise InputError(min(questions, key=lambda one: one.columns).message)
    return dict(sorted(chosen.items())), _columns(table, chosen, notes, questions)


def _filled(table: Table, index: int) -> bool:
    """Whether a column says anything on any row; in a table without rows every column does."""
    cells = table.frame[f"c{index}"]
    texts = cells.struct.field("text") if cells.dtype == MIXED else cells
    parts = (texts.head(_GLANCE), texts.slice(_GLANCE))  # most columns speak at once
    return not len(texts) or any(_says(part) for part in parts)


def _says(texts: pl.Series) -> bool:
    if texts.dtype != pl.String:
        return texts.null_count() < len(texts)
    return bool((texts.str.strip_chars() != "").any())


def _columns(table: Table, chosen: dict[int, Match], notes: dict[int, str], questions: list[Question]) -> list[ColumnMatch]:
    asked = {index: question for question in questions for index in question.columns}
    made = []
    for index, header in enumerate(table.headers):
        match, question = chosen.get(index), asked.get(index)
        how, candidates, note = ("unused", (), notes.get(index, "")) if question is None else ("open", question.names, question.note)
        if match is not None:
            how = match.how
        made.append(ColumnMatch(table.file, table.sheet, header, match.field.name if match else "", how, index + 1, candidates, note))
    return made


def _between(table: Table, index: int, key: str, error: AmbiguousHeader) -> Question:
    names = "、".join(f"“{name}”" for name in error.names)
    said = "与几个字段都只差一个字" if error.guess else "可以指几个字段"
    settle = SETTLE.format(f"columns: {{{json.dumps(key, ensure_ascii=False)}: {error.names[0]}}}，不用这一列就写 null")
    message = f"{table.place}的列“{table.headers[index]}”（第 {index + 1} 列）{said}：{names}，不知道是哪一个。请把这一列改成其中一个名字；{settle}"
    return Question((index,), tuple(error.names), message, said)


def _rivals(table: Table, name: str, columns: list[int], keys: list[str]) -> Question:
    both = "、".join(f"“{table.headers[index]}”（第 {index + 1} 列）" for index in columns)
    settle = SETTLE.format(f"columns: {{{json.dumps(keys[columns[0]], ensure_ascii=False)}: {name}}}")
    message = f"{table.place}有 {len(columns)} 列都是字段“{name}”：{both}，不知道该用哪一列。请删去或改名，只留一列；{settle}"
    return Question(tuple(columns), (name,), message, f"有 {len(columns)} 列都是字段“{name}”：第 {'、'.join(str(index + 1) for index in columns)} 列")


def _unit_question(table: Table, index: int, match: Match) -> Question | None:
    own = match.field.unit or ONE
    if match.unit is None or match.unit.dimensions == own.dimensions:
        return None
    header, name = table.headers[index], match.field.name
    note = f"列以“{match.unit}”计，字段“{name}”以“{own}”计，不是一类单位"
    message = (
        f"{table.place}的列“{header}”以“{match.unit}”计，字段“{name}”以“{own}”计，不是一类单位，换算不了。"
        f"请换算后改写列名，或改名使它不指这个字段；不用这一列，可在映射文件里写 columns: {{{json.dumps(header.strip(), ensure_ascii=False)}: null}}。"
    )
    return Question((index,), (name,), message, note)
