"""Child tables: lists that hang on an enterprise or a subject (substances, people and certificates, equipment), and the look-up files that
give their rows a number, such as the critical quantity of a substance. What they are; `joining.py` puts them to a table."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import unicodedata
from collections.abc import Mapping as Map
from dataclasses import dataclass
from pathlib import Path

from engine.checking import ChildFields, Derived, check_derivations, order_of
from engine.fields import Field, LookupSpec, read_fields
from engine.problems import nearest
from engine.rulefile import Mapping, Shape, Source

ROLES = ("enterprise", "enterprise_code", "subject", "region", "date")
MAX_BYTES = 2_000_000
_ALIASES = re.compile(r"[;；|]")


@dataclass(frozen=True)
class Lookup:
    """A look-up, ready: for each field that it can go by the values by key (as `key_of` writes it; a key of several values is none), or the ranges (from, to, value; None: no
    end) in which the field `ranged` lies."""

    table: str
    keys: tuple[tuple[str, Map[str, float]], ...]
    ranged: str
    ranges: tuple[tuple[float, float | None, float], ...]
    choose: str
    start: dt.date | None
    end: dt.date | None


@dataclass(frozen=True)
class Child:
    """A child table: its own fields with those that tell whose a row is, what follows from what, and the fields that are looked up."""

    name: str
    meaning: str
    aliases: tuple[str, ...]
    fields: Map[str, Field]
    derived: Map[str, Derived]
    order: tuple[str, ...]
    intervals: frozenset[str]
    lookups: Map[str, tuple[Lookup, ...]]
    own: frozenset[str]

    @property
    def checked(self) -> ChildFields:
        """What the check of a derivation over the rows needs."""
        return ChildFields(self.fields, self.intervals)


def key_of(text: str) -> str:
    """How a key is compared: full width as half width, without white space, in lower case."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).casefold()


def read_children(source: Source, top: Mapping | None, shared: Map[str, Field], folder: Path) -> dict[str, Child]:
    """The child tables that a `fields.yaml` in `folder` declares under `children`; problems go to the source."""
    node = top.get("children") if top is not None else None
    if node is None:
        return {}
    if not isinstance(node, Mapping):
        source.problem(node, "children 应当是“子表名: {meaning: …, fields: …}”。")
        return {}
    made = {}
    common = {name: field for name, field in shared.items() if field.role in ROLES}
    for name, (_, value) in node.entries.items():
        shape = Shape(source, value, f"子表“{name}”", ("meaning", "aliases", "fields"), ("meaning", "fields"))
        own = read_fields(source, shape.node.get("fields"), common)
        fields = {**common, **own}
        derived, intervals = check_derivations(fields, {source.name: source})
        for derivation in derived.values():
            if derivation.child:
                source.at(derivation.field.line, 1, f"子表“{name}”的字段“{derivation.field.name}”不能再用子表推导。")
        order = order_of(name, derived, {}, {source.name: source})
        lookups = {}
        for field in own.values():
            ready = [one for spec in field.lookups if (one := _ready(source, spec, field, fields, folder)) is not None]
            if ready:
                lookups[field.name] = tuple(ready)
        made[name] = Child(name, shape.text("meaning"), shape.texts("aliases"), fields, derived, order, intervals, lookups, frozenset(own))
    return made


def _ready(source: Source, spec: LookupSpec, field: Field, fields: Map[str, Field], folder: Path) -> Lookup | None:
    what = f"字段“{field.name}”的 lookup"
    if not field.numeric:
        source.problem(spec.table, f"{what}：查得的是数，字段却是 {field.type}。")
        return None
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", spec.table.text):
        source.problem(spec.table, f"{what}：表名“{spec.table.text}”只能用字母、数字和 . _ -。")
        return None
    path = folder / "lookup" / f"{spec.table.text}.csv"
    try:
        content = path.read_bytes()
        if len(content) > MAX_BYTES:
            raise OSError(f"超过 {MAX_BYTES:,} 字节")
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        cause = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
        source.problem(spec.table, f"{what}：读不了 lookup/{path.name}：{cause}。", "查找表放在行业目录的 lookup/ 下，UTF-8 的 csv，首行表头。")
        return None
    lines = [line for line in csv.reader(io.StringIO(text)) if line and not line[0].startswith("#")]
    header = lines[0] if lines else []
    named = [name for _, columns in spec.keys for name in columns] + list(spec.range[1:] if spec.range else ()) + [spec.take]
    for name in named:
        if name not in header:
            source.problem(spec.table, f"{what}：lookup/{path.name} 没有“{name}”这一列。", nearest(name, header))
            return None
    for name in [key for key, _ in spec.keys] + ([spec.range[0]] if spec.range else []):
        if name not in fields:
            source.problem(spec.table, f"{what}：没有字段“{name}”。", nearest(name, fields))
            return None
    rows = [dict(zip(header, line, strict=False)) for line in lines[1:]]
    try:
        return _built(spec, rows)
    except ValueError as error:
        source.problem(spec.table, f"{what}：lookup/{path.name} 里{error}。", "请改正这一格。")
        return None


def _built(spec: LookupSpec, rows: list[dict[str, str]]) -> Lookup:
    ranges: list[tuple[float, float | None, float]] = []
    keys: list[tuple[str, Map[str, float]]] = []
    if spec.range:
        for row in rows:
            value, low, high = (_number(row, name) for name in (spec.take, *spec.range[1:]))
            if value is not None:
                ranges.append((low if low is not None else float("-inf"), high, value))
    for name, columns in spec.keys:
        values: dict[str, set[float]] = {}
        for row in rows:
            value = _number(row, spec.take)
            for text in (one for column in columns for one in _ALIASES.split(row.get(column) or "") if key_of(one)):
                if value is not None:
                    values.setdefault(key_of(text), set()).add(value)
        keys.append((name, {text: min(found) for text, found in values.items() if len(found) == 1}))
    return Lookup(spec.table.text, tuple(keys), spec.range[0] if spec.range else "", tuple(ranges), spec.choose, spec.start, spec.end)


def _number(row: Map[str, str], column: str) -> float | None:
    text = (row.get(column) or "").strip()
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"“{column}”的“{text}”不是数") from None
