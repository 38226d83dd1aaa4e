"""What a column is: type, unit, tokens, aliases, role, and how it is derived when it was not filled in.

A `Field` is declared once per sector in `fields.yaml`; fields of every sector stand in `rules/shared/fields.yaml`. A later
declaration without `type` extends an earlier one. Nothing here reads tables or judges.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping as Map
from dataclasses import dataclass
from typing import Literal, get_args

from engine.problems import nearest
from engine.rulefile import Items, Mapping, Node, Scalar, Shape, Source
from engine.units import ONE, UNITS, Unit, find_unit

Kind = Literal["bool", "enum", "number", "integer", "date", "text"]
KINDS: tuple[str, ...] = get_args(Kind)
ROLES = ("enterprise", "enterprise_code", "subject", "region", "date", "sector", "grade")
ACROSS = ("any", "max", "min", "sum", "latest")
AGGREGATES = ("count", "any", "all", "sum", "min", "max")
FORMATS = {"yyyymmdd": "%Y%m%d", "yyyy-mm-dd": "%Y-%m-%d", "yyyy/mm/dd": "%Y/%m/%d", "mm/dd/yyyy": "%m/%d/%Y", "dd/mm/yyyy": "%d/%m/%Y"}
DATE_FIELD = "检查日期"

FIELD_KEYS = (
    "type", "unit", "values", "meaning", "aliases", "role", "true", "false", "blank", "formats", "derive", "across",
)  # fmt: skip


@dataclass(frozen=True)
class Derivation:
    """How a field follows from others. Exactly one of three shapes: an expression; for an enum, value -> condition; or an
    aggregate `how` of `cases[""]` over all rows with the same value of `same`."""

    cases: tuple[tuple[str, Scalar], ...]
    how: str = ""
    same: str = ""


@dataclass(frozen=True)
class Field:
    """A canonical column. `values` and `synonyms` (token -> value) are for enums, `true`/`false` extra tokens for bools, `blank`
    the text that an empty cell stands for (None: unknown), `formats` the only date formats allowed (empty: all usual ones)."""

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
    )
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
    if "same" in node.entries:
        shape = Shape(source, node, f"字段“{name}”的 derive", ("same", *AGGREGATES), ("same",))
        how = [key for key in AGGREGATES if key in node.entries]
        if len(how) != 1:
            source.problem(node, f"字段“{name}”的 derive 应当恰有一种汇总：{'、'.join(AGGREGATES)}。")
            return None
        operand = shape.scalar(how[0])
        return Derivation((("", operand),), how[0], shape.text("same")) if operand else None
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
