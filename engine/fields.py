"""What a column is: type, unit, tokens, aliases, role, and how it is derived when it was not filled in.

A `Field` is declared once per sector in `fields.yaml`; fields of every sector stand in `rules/shared/fields.yaml`. A later
declaration without `type` extends an earlier one. Nothing here reads tables or judges.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping as Map
from dataclasses import dataclass
from typing import Literal, get_args

from engine.problems import nearest
from engine.rulefile import Items, Mapping, Node, Scalar, Shape, Source
from engine.units import ONE, UNITS, Unit, find_unit

Kind = Literal["bool", "enum", "number", "integer", "date", "text"]
KINDS: tuple[str, ...] = get_args(Kind)
ROLES = ("enterprise", "enterprise_code", "subject", "region", "date", "sector", "grade")
SENSES = ("good", "bad")
ACROSS = ("any", "max", "min", "sum", "latest")
AGGREGATES = ("count", "any", "all", "sum", "min", "max")
FORMATS = {"yyyymmdd": "%Y%m%d", "yyyy-mm-dd": "%Y-%m-%d", "yyyy/mm/dd": "%Y/%m/%d", "mm/dd/yyyy": "%m/%d/%Y", "dd/mm/yyyy": "%d/%m/%Y"}
DATE_FIELD = "检查日期"

FIELD_KEYS = (
    "type", "unit", "values", "meaning", "aliases", "role", "true", "false", "blank", "formats", "derive", "across", "lookup", "sense",
)  # fmt: skip


@dataclass(frozen=True)
class Derivation:
    """How a field follows from others. Exactly one of three shapes: an expression; for an enum, value -> condition; or an
    aggregate `how` of `cases[""]` over all rows with the same value of `same`, or over the rows of the child table `child` (those of
    which `where` holds). `least` is what a term of a sum is at least where it is not known (None: nothing is known then)."""

    cases: tuple[tuple[str, Scalar], ...]
    how: str = ""
    same: str = ""
    child: str = ""
    where: Scalar | None = None
    least: float | None = None


@dataclass(frozen=True)
class LookupSpec:
    """A look-up as written: the column `take` of the data file `table` in the row where one of the `keys` (field, columns of the file) fits, or
    where the number in the first field of `range` lies between two columns; at work from `start` to `end`, both inclusive, None: no limit.
    A cell of several keys takes the least or the greatest (`choose`)."""

    table: Scalar
    keys: tuple[tuple[str, tuple[str, ...]], ...]
    range: tuple[str, str, str] | None
    take: str
    choose: str
    start: dt.date | None
    end: dt.date | None


@dataclass(frozen=True)
class Field:
    """A canonical column. `values` and `synonyms` (token -> value) are for enums, `true`/`false` extra tokens for bools, `blank`
    the text that an empty cell stands for (None: unknown), `formats` the only date formats allowed (empty: all usual ones). `sense`
    says whether a true bool is as things should be (`good`) or not (`bad`): what 合格 means in its column; empty: not known."""

    name: str
    type: Kind
    meaning: str = ""
    unit: Unit | None = None
    values: tuple[str, ...] = ()
    synonyms: tuple[tuple[str, str], ...] = ()
    aliases: tuple[str, ...] = ()
    role: str = ""
    true: tuple[str, ...] = ()
    false: tuple[str, ...] = ()
    blank: str | None = None
    formats: tuple[str, ...] = ()
    derivation: Derivation | None = None
    across: str = ""
    file: str = ""
    line: int = 0
    lookups: tuple[LookupSpec, ...] = ()
    sense: str = ""

    @property
    def numeric(self) -> bool:
        """Whether the field is a number or an integer."""
        return self.type in ("number", "integer")


def read_fields(source: Source, node: Node | None, known: Map[str, Field]) -> dict[str, Field]:
    """Read a `fields:` mapping. `known` are the fields declared before; an entry without `type` extends one of them.

    Returns the new and the changed fields by name; problems go to `source`."""
    if not isinstance(node, Mapping):
        source.problem(node, "fields 应当是“字段名: {type: …, meaning: …}”。")
        return {}
    found: dict[str, Field] = {}
    for name, (key, value) in node.entries.items():
        if not name.strip() or len(name) > 80:
            source.problem(key, "字段名是空的或超过 80 字。")
            continue
        made = _read_field(source, key, value, known.get(name))
        if made is not None:
            found[name] = made
    return found


def _read_field(source: Source, key: Scalar, value: Node, before: Field | None) -> Field | None:
    name = key.text
    shape = Shape(source, value, f"字段“{name}”", FIELD_KEYS)
    if not isinstance(value, Mapping):
        return None
    kind = shape.choice("type", KINDS)
    if value.get("type") is None:
        if before is None:
            source.problem(key, f"字段“{name}”没有写 type。", "要给共有字段添别名，名字须与它完全一致。")
            return None
        kind = before.type
    elif not kind:
        return None
    unit = _read_unit(source, shape, name, kind)
    values, synonyms = _read_values(source, value.get("values"), name, kind)
    derivation = _read_derivation(source, value.get("derive"), name, kind)
    formats = shape.texts("formats")
    for text in formats:
        if text not in FORMATS:
            source.problem(value.get("formats"), f"日期写法“{text}”不认识。", f"可用的：{'、'.join(FORMATS)}。")
    made = Field(
        name=name,
        type=kind,  # type: ignore[arg-type]
        meaning=shape.text("meaning"),
        unit=unit,
        values=values,
        synonyms=synonyms,
        aliases=shape.texts("aliases"),
        role=shape.choice("role", ROLES),
        true=shape.texts("true"),
        false=shape.texts("false"),
        blank=shape.text("blank") or None,
        formats=tuple(f for f in formats if f in FORMATS),
        derivation=derivation,
        across=shape.choice("across", ACROSS),
        file=source.name,
        line=key.line,
        lookups=_read_lookups(source, value.get("lookup"), name),
        sense=shape.choice("sense", SENSES),
    )
    if made.sense and kind != "bool":
        source.problem(value.get("sense"), f"字段“{name}”不是是非字段，不能有 sense。")
    if before is None or value.get("type") is not None:
        if not made.meaning:
            source.problem(key, f"字段“{name}”没有写 meaning。", "请用一句话说明这一列记的是什么。")
        if kind == "enum" and not values:
            source.problem(key, f"枚举字段“{name}”没有写 values。")
    if before is not None:
        if (made.type, value.get("unit") and made.unit) not in ((before.type, before.unit), (before.type, None)):
            source.problem(key, f"字段“{name}”已在 {before.file} 第{before.line}行声明为另一类型或单位。", "请改用别的名字，或删去 type 只添别名。")
            return None
        made = _extend(before, made)
    return made


def _extend(before: Field, more: Field) -> Field:
    def join(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
        return a + tuple(x for x in b if x not in a)

    return dataclasses.replace(
        before,
        meaning=more.meaning or before.meaning,
        values=join(before.values, more.values),
        synonyms=before.synonyms + tuple(pair for pair in more.synonyms if pair not in before.synonyms),
        aliases=join(before.aliases, more.aliases),
        role=more.role or before.role,
        true=join(before.true, more.true),
        false=join(before.false, more.false),
        blank=more.blank if more.blank is not None else before.blank,
        formats=more.formats or before.formats,
        derivation=more.derivation or before.derivation,
        across=more.across or before.across,
        lookups=more.lookups or before.lookups,
        sense=more.sense or before.sense,
    )


def _read_unit(source: Source, shape: Shape, name: str, kind: str) -> Unit | None:
    symbol = shape.text("unit")
    if not symbol:
        return ONE if kind in ("number", "integer") else None
    node = shape.node.get("unit")
    if kind not in ("number", "integer"):
        source.problem(node, f"字段“{name}”不是数，不能有单位。")
        return None
    unit = find_unit(symbol)
    if unit is None:
        source.problem(node, f"单位“{symbol}”不认识。", nearest(symbol, UNITS) or "单位表见 docs/rules.md。")
        return ONE
    return unit


def _read_values(source: Source, node: Node | None, name: str, kind: str) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    if node is None:
        return (), ()
    if kind != "enum":
        source.problem(node, f"字段“{name}”不是枚举，不能有 values。")
        return (), ()
    values: list[str] = []
    synonyms: dict[str, str] = {}
    if isinstance(node, Items):
        values = [item.text for item in node.items if isinstance(item, Scalar)]
    elif isinstance(node, Mapping):
        for value, (_, tokens) in node.entries.items():
            values.append(value)
            for token in tokens.items if isinstance(tokens, Items) else [tokens]:
                if not isinstance(token, Scalar):
                    source.problem(token, f"“{value}”的同义写法应当是文字的列表。")
                elif synonyms.setdefault(token.text, value) != value or (token.text in node.entries and token.text != value):
                    source.problem(token, f"“{token.text}”既是“{synonyms[token.text]}”又是别的取值。", "一个写法只能归到一个取值。")
    else:
        source.problem(node, f"字段“{name}”的 values 应当是列表，或“取值: [同义写法]”。")
    if len(set(values)) != len(values):
        source.problem(node, f"字段“{name}”的 values 里有重复的取值。")
    return tuple(dict.fromkeys(values)), tuple((t, v) for t, v in synonyms.items() if t)


def _read_derivation(source: Source, node: Node | None, name: str, kind: str) -> Derivation | None:
    if node is None:
        return None
    if isinstance(node, Scalar):
        return Derivation((("", node),))
    if not isinstance(node, Mapping):
        source.problem(node, f"字段“{name}”的 derive 应当是一个表达式或“取值: 条件”。")
        return None
    if "same" in node.entries or "child" in node.entries:
        return _read_aggregate(source, node, name)
    if kind != "enum":
        source.problem(node, f"字段“{name}”不是枚举，derive 应当是一个表达式。")
        return None
    cases = []
    for value, (_, condition) in node.entries.items():
        if isinstance(condition, Scalar):
            cases.append((value, condition))
        else:
            source.problem(condition, f"“{value}”的推导条件应当是一行文字。")
    return Derivation(tuple(cases))


def _read_aggregate(source: Source, node: Mapping, name: str) -> Derivation | None:
    over = "child" if "child" in node.entries else "same"
    more = ("where",) if over == "child" else ()
    shape = Shape(source, node, f"字段“{name}”的 derive", (over, *AGGREGATES, "least", *more), (over,))
    how = [key for key in AGGREGATES if key in node.entries]
    if len(how) != 1:
        source.problem(node, f"字段“{name}”的 derive 应当恰有一种汇总：{'、'.join(AGGREGATES)}。")
        return None
    operand, least = shape.scalar(how[0]), shape.scalar("least")
    floor = least.value() if least is not None else None
    if least is not None and (how[0] != "sum" or isinstance(floor, bool) or not isinstance(floor, int | float)):
        source.problem(least, f"字段“{name}”的 least 应当是一个数，只用于 sum：不知道的一项至少是多少。")
        return None
    if operand is None:
        return None
    where = shape.scalar("where") if over == "child" else None
    same, child = ("", shape.text("child")) if over == "child" else (shape.text("same"), "")
    return Derivation((("", operand),), how[0], same, child, where, None if floor is None else float(floor))


def _read_lookups(source: Source, node: Node | None, name: str) -> tuple[LookupSpec, ...]:
    found: list[LookupSpec] = []
    for item in node.items if isinstance(node, Items) else [node] if node is not None else []:
        shape = Shape(source, item, f"字段“{name}”的 lookup", ("table", "match", "range", "take", "choose", "from", "to"), ("table", "take"))
        table = shape.scalar("table")
        match, range_ = shape.node.get("match"), shape.node.get("range")
        if (match is None) == (range_ is None):
            source.problem(item, f"字段“{name}”的 lookup 要有 match 或 range，恰好一个。")
            continue
        keys: list[tuple[str, tuple[str, ...]]] = []
        pair = match if match is not None else range_
        for key, (_, columns) in pair.entries.items() if isinstance(pair, Mapping) else ():
            named = [c.text for c in columns.items if isinstance(c, Scalar)] if isinstance(columns, Items) else [getattr(columns, "text", "")]
            keys.append((key, tuple(named)))
        if not keys or (range_ is not None and (len(keys) != 1 or len(keys[0][1]) != 2)):
            source.problem(pair, f"字段“{name}”的 match 应当是“字段: [表列]”，range 应当是“字段: [下限列, 上限列]”。")
            continue
        if table is None:
            continue
        bounds = (keys[0][0], *keys[0][1]) if range_ is not None else None
        found.append(
            LookupSpec(
                table, () if bounds else tuple(keys), bounds, shape.text("take"), shape.choice("choose", ("min", "max"), "min"),  # type: ignore[arg-type]
                shape.date("from"), shape.date("to"),
            )
        )  # fmt: skip
    return tuple(found)
