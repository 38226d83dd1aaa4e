"""Long tables: one row for each checked item (单位, 检查项, 检查结果, 数值) -> one row for each subject, one column an item.

A table is taken for a long one where it has a column of items, most of which are known fields, and a column of results; or where the user
names the columns. A subject is what the columns of who, what, where and when tell apart; whatever else differs within it is no key. Two
different answers to one item are none: the cell says so, and is read as a contradiction.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from engine.problems import InputError
from engine.tables.headers import AmbiguousHeader, Match, Vocabulary, normalise, strip_bracket
from engine.tables.heading import text
from engine.tables.table import MIXED, Table, column_of
from engine.tables.values import CLASH, JUDGED, TICKS, Fault, is_blank, reader_of, shown, tidy

ITEMS = (
    "检查项", "检查项目", "检查项目名称", "检查项名称", "检查内容", "检查事项", "检查事项名称", "检查要点", "检查科目", "检查指标", "抽查事项", "抽查事项名称",
    "检查项目及相关要求", "项目名称", "项目", "指标", "指标名称", "事项", "字段", "要素", "检查要素",
)  # fmt: skip
RESULTS = (
    "检查结果",
    "结果",
    "检查情况",
    "检查结论",
    "抽查结果",
    "抽查检查结果",
    "结论",
    "符合性",
    "是否符合",
    "是否合格",
    "判定",
    "取值",
    "答案",
    "填写内容",
)
VALUES = ("数值", "检测值", "实测值", "测量值", "检查数值", "检测数值", "实测数据", "检测结果", "值", "数据")
MEASURES = ("计量单位", "数值单位", "量纲")
HEADERS = frozenset(normalise(name) for name in (*ITEMS, *RESULTS, *VALUES))
"""Names by which the header row of a long table is found."""

_KEYS = ("enterprise", "enterprise_code", "subject", "region", "date", "sector")
_ID = re.compile(r"(编号|代码|单号|证号|号码|车牌|牌照|名称|地点|地址|位置|部位|工点|区域|标段|工程|设备|场所|车辆|船名|对象)$")
_NO_ID = re.compile(r"^(序号|项号|编号|检查项.*|项目编号|事项.*)$")
_NUMBER = re.compile(r"^[(（]?\d+(\.\d+)*[)）.、．]\s*|^[(（]?[一二三四五六七八九十]+[)）、]\s*|^[①-⑳]\s*")
MAX_ITEMS = 4_000


@dataclass(frozen=True)
class LongColumns:
    """The headers of a long table as a user names them: `item`, `result`, and `value` where there is one."""

    item: str
    result: str
    value: str = ""


def read_long(said: str) -> LongColumns:
    """ITEM=RESULT[,VALUE] as typed. Raises InputError."""
    item, equals, rest = said.replace("＝", "=").partition("=")
    result, _, value = rest.replace("，", ",").partition(",")
    if not item.strip() or not equals or not result.strip():
        raise InputError(f"--long 的“{said}”写得不对。请写成 检查项列=结果列 或 检查项列=结果列,数值列，例如 --long 检查项=检查结果,数值。")
    return LongColumns(item.strip(), result.strip(), value.strip())


def unfold(tables: Sequence[Table], vocabularies: Callable[[], Sequence[Vocabulary]], named: LongColumns | None = None) -> list[Table]:
    """The tables, long ones with one row a subject. `vocabularies` makes those of the sectors that may judge them, once needed. Raises InputError when no
    table has the columns that were named."""
    made: list[Table] = []
    items: _Items | None = None
    for table in tables:
        shape = _named_shape(table, named) if named is not None else _shape(table)
        if shape is None:
            made.append(table)
            continue
        items = items or _Items(vocabularies())
        if named is None and not _mostly_known(table, shape.item, items):
            made.append(table)
            continue
        made.append(_unfolded(table, shape, items))
    if named is not None and items is None:
        wanted = "、".join(f"“{name}”" for name in (named.item, named.result, named.value) if name)
        headers = "、".join(dict.fromkeys(header for table in tables for header in table.headers if header.strip()))
        raise InputError(f"没有一张表有 --long 所说的列{wanted}。表里的列名有：{headers}。请按表里的写法写列名。")
    return made


@dataclass(frozen=True)
class _Shape:
    item: int
    result: int
    value: int | None
    measure: int | None


def _shape(table: Table) -> _Shape | None:
    """The columns of a table that has those of a long one."""
    stems = [strip_bracket(normalise(header))[0] for header in table.headers]

    def first(names: Sequence[str], but: Sequence[int | None] = ()) -> int | None:
        wanted = [normalise(name) for name in names]
        return min((n for n, stem in enumerate(stems) if stem in wanted and n not in but), key=lambda n: wanted.index(stems[n]), default=None)

    item = first(ITEMS)
    value = first(VALUES, (item,))
    result = first(RESULTS, (item, value))
    if item is None or (result is None and value is None):
        return None
    if result is None:
        return _Shape(item, value, None, first(MEASURES))  # type: ignore[arg-type]
    return _Shape(item, result, value, first(MEASURES))


def _named_shape(table: Table, named: LongColumns) -> _Shape | None:
    normal = [normalise(header) for header in table.headers]
    at = [normal.index(normalise(name)) if normalise(name) in normal else -1 for name in (named.item, named.result, named.value) if name]
    if -1 in at:
        return None
    measure = next((n for n, name in enumerate(normal) if name in map(normalise, MEASURES)), None)
    return _Shape(at[0], at[1], at[2] if len(at) > 2 else None, measure)


class _Items:
    """What the texts of an item column name, looked up once each."""

    def __init__(self, vocabularies: Sequence[Vocabulary]):
        self.vocabularies = vocabularies
        self._found: dict[str, tuple[str, tuple[Match, ...]]] = {}

    def find(self, item: str) -> tuple[str, tuple[Match, ...]]:
        """The name by which an item is a field, with what it names in each vocabulary that knows it; else the item and nothing."""
        if item not in self._found:
            self._found[item] = next(
                ((name, matches) for name in _names(item) if (matches := self._matches(name))), (item, ())
            )  # fmt: skip
        return self._found[item]

    def _matches(self, name: str) -> tuple[Match, ...]:
        found = []
        for vocabulary in self.vocabularies:
            try:
                match = vocabulary.find(name)
            except AmbiguousHeader:
                continue
            if match is not None and match.how != "guess":
                found.append(match)
        return tuple(found)


def _names(item: str) -> list[str]:
    """How a field may be called that an item asks for: as it is, without its number, as a statement instead of a question."""
    bare = _NUMBER.sub("", item).rstrip("？?。；;：: ")
    names = [item, bare]
    if "是否" in bare:
        stated = bare.replace("是否", "", 1)
        names.append(stated)
        names += [stated.replace(word, "", 1) for word in ("存在", "有") if stated.startswith(word)]
    if bare.startswith("有无"):
        names += [word + bare[2:] for word in ("有", "存在", "")]
    return list(dict.fromkeys(name for name in names if name))


def _cells(series: pl.Series) -> list[object]:
    if series.dtype == MIXED:
        return [None if cell is None else next((part for part in cell.values() if part is not None), None) for cell in series.to_list()]
    return series.to_list()


def _mostly_known(table: Table, column: int, items: _Items) -> bool:
    texts = {text(cell) for cell in _cells(table.frame[f"c{column}"])} - {""}
    known = sum(bool(items.find(one)[1]) for one in texts)
    return 2 <= len(texts) <= MAX_ITEMS and known >= 2 and 2 * known >= len(texts)


def _is_key(header: str, items: _Items) -> bool:
    matches = items._matches(header) if header.strip() else ()
    if any(match.field.role in _KEYS for match in matches):
        return True
    normal = normalise(header)
    return not _NO_ID.match(normal) and bool(_ID.search(normal)) and all(match.field.type == "text" for match in matches)


@dataclass
class _Subject:
    first: int
    cells: dict[str, tuple[object, int]] = field(default_factory=dict)
    clashes: dict[str, list[tuple[object, int]]] = field(default_factory=dict)


def _unfolded(table: Table, shape: _Shape, items: _Items) -> Table:
    of_item = [n for n in (shape.item, shape.result, shape.value, shape.measure) if n is not None]
    others = [n for n in range(len(table.headers)) if n not in of_item]
    keys = [n for n in others if _is_key(table.headers[n], items)]
    cells = {n: _cells(table.frame[f"c{n}"]) for n in range(len(table.headers))}
    rows = table.rows.to_list()
    subjects: dict[tuple[str, ...], _Subject] = {}
    skipped: list[tuple[int, str]] = []
    columns: dict[str, tuple[str, tuple[Match, ...]]] = {}
    unknown: dict[str, int] = {}
    counts: Counter[str] = Counter()
    for at, row in enumerate(rows):
        item = text(cells[shape.item][at])
        if not item:
            skipped.append((row, "长表里没有写检查项的行"))
            continue
        subject = subjects.setdefault(tuple(tidy(text(cells[n][at])) for n in keys), _Subject(at))
        name, matches = items.find(item)
        key = f"{matches[0].field.name} {matches[0].unit or ''}" if matches else f"\0{item}"
        if key not in columns:
            columns[key] = (name, matches)
        if not matches:
            unknown.setdefault(item, row)
            counts[item] += 1
        _put(subject, key, _answer(at, cells, shape, matches), row, matches)
    if not subjects:
        raise InputError(f"{table.place}是一行一个检查项的表，但“{table.headers[shape.item]}”一列全是空的。请检查导出时的条件。")
    skipped += [(row, f"检查项“{shown(item)}”不是认得的字段（共 {counts[item]} 行）") for item, row in unknown.items()]
    return _wide(table, list(subjects.values()), keys, others, cells, rows, columns, skipped, items)


def _answer(at: int, cells: Mapping[int, list[object]], shape: _Shape, matches: Sequence[Match]) -> object:
    """The cell that answers an item: of a bool the result, of anything else the value, the other where that is blank."""
    result, value = cells[shape.result][at], cells[shape.value][at] if shape.value is not None else None
    kinds = {match.field.type for match in matches}
    first, second = (result, value) if kinds <= {"bool"} else (value, result)
    answer = second if is_blank(text(first)) else first
    numeric = any(match.field.numeric for match in matches)
    if numeric and shape.measure is not None and re.fullmatch(r"[\d.,]+", text(answer)) and text(cells[shape.measure][at]):
        return f"{text(answer)}{text(cells[shape.measure][at])}"
    if kinds == {"bool"} and text(answer) in TICKS:
        return JUDGED + text(answer)  # in a column of results a tick says that all is well, not that the item is there
    return answer


def _put(subject: _Subject, key: str, answer: object, row: int, matches: Sequence[Match]) -> None:
    if is_blank(text(answer)):
        return
    before = subject.cells.get(key)
    if before is None:
        subject.cells[key] = (answer, row)
    elif not _agree(before[0], answer, matches):
        subject.clashes.setdefault(key, [before]).append((answer, row))


def _agree(one: object, other: object, matches: Sequence[Match]) -> bool:
    if tidy(text(one)) == tidy(text(other)):
        return True
    if not matches or matches[0].field.type == "text":
        return False
    read = reader_of(matches[0].field, matches[0].unit)
    values = [read(text(cell)) for cell in (one, other)]
    return not any(isinstance(value, Fault) for value in values) and values[0] == values[1]


def _said(clash: Sequence[tuple[object, int]]) -> str:
    answers = "、".join(f"“{shown(text(answer).removeprefix(JUDGED))}”（第 {row} 行）" for answer, row in clash[:5])
    return f"{CLASH}{answers}{' 等' if len(clash) > 5 else ''}"


def _wide(
    table: Table, subjects: list[_Subject], keys: list[int], others: list[int], cells: Mapping[int, list[object]], rows: list[int],
    columns: Mapping[str, tuple[str, tuple[Match, ...]]], skipped: list[tuple[int, str]], items: _Items,
) -> Table:  # fmt: skip
    """The table with a column for each column that is not of items, then one for each item."""
    plain = [n for n in others if n in keys or _unknown(table.headers[n], items)]
    carried = [n for n in others if n not in plain]
    headers = [table.headers[n] for n in (*plain, *carried)]
    made = [column_of([cells[n][subject.first] for subject in subjects]) for n in plain]
    made += [_carried(n, table, subjects, keys, cells, rows, items) for n in carried]
    places: dict[int, pl.Series] = {}
    for key, (name, _) in columns.items():
        places[len(made)] = pl.Series([subject.cells.get(key, (None, rows[subject.first]))[1] for subject in subjects], dtype=pl.UInt32)
        answers = [_said(subject.clashes[key]) if key in subject.clashes else subject.cells.get(key, (None, 0))[0] for subject in subjects]
        headers.append(name)
        made.append(column_of(answers))
    frame = pl.DataFrame([column.alias(f"c{n}") for n, column in enumerate(made)])
    firsts = pl.Series([rows[subject.first] for subject in subjects], dtype=pl.UInt32)
    why = f"一行一个检查项的表，已合成 {len(subjects)} 行，每个检查对象一行"
    return replace(
        table, headers=tuple(headers), frame=frame, rows=firsts, places=places, skipped=((0, why), *table.skipped, *sorted(skipped))
    )  # fmt: skip


def _unknown(header: str, items: _Items) -> bool:
    return not (header.strip() and items._matches(header))


def _carried(
    n: int, table: Table, subjects: list[_Subject], keys: list[int], cells: Mapping[int, list[object]], rows: list[int], items: _Items
) -> pl.Series:
    """A known column that is no key: its value where all rows of a subject agree, texts joined, else a contradiction."""
    matches = items._matches(table.headers[n])
    by_key = {tuple(tidy(text(cells[k][subject.first])) for k in keys): at for at, subject in enumerate(subjects)}
    found: list[list[tuple[object, int]]] = [[] for _ in subjects]
    for at, cell in enumerate(cells[n]):
        own = by_key.get(tuple(tidy(text(cells[k][at])) for k in keys))
        if own is not None and not is_blank(text(cell)) and not any(_agree(cell, other, matches) for other, _ in found[own]):
            found[own].append((cell, rows[at]))
    texts = all(match.field.type == "text" for match in matches)
    return column_of(
        [
            None if not some else some[0][0] if len(some) == 1 else "；".join(text(cell) for cell, _ in some) if texts else _said(some)
            for some in found
        ]
    )
