"""What a person has settled about a table: header -> field, and cell text -> value. Read from a YAML file, checked against the tables.

A mapping goes before every rule by which headers are matched and cells are read; it never adds a field. Writing one is
`report/columns.py`'s work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping as Map, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import polars as pl

from engine.fields import Field
from engine.problems import InputError, nearest
from engine.rulefile import Mapping, Node, Scalar, Shape, Source, read_rule_file
from engine.tables.headers import normalise
from engine.tables.table import MIXED, Table
from engine.tables.values import Fault, reader_of

MAX_SHOWN = 20
UNUSED = ""
"""The field of a column that is to be left alone."""


@dataclass(frozen=True)
class TableMapping:
    """`columns`: header -> name of the field (UNUSED: none); the second of two columns with the same header is written `header#2`.
    `values`: field -> text of a cell -> the text to read in its place (None: as if the cell were blank). `source` and `places` tell where each
    was written, for messages."""

    columns: Map[str, str] = field(default_factory=dict)
    values: Map[str, Map[str, str | None]] = field(default_factory=dict)
    source: Source = field(default_factory=lambda: Source(""))
    places: Map[tuple[str, ...], Scalar] = field(default_factory=dict)

    def field_of(self, header: str, number: int = 1) -> str | None:
        """What the mapping says of the `number`-th column with this header: a field, UNUSED, or None where it says nothing."""
        for key in (f"{header.strip()}#{number}", header.strip()):
            if key in self.columns:
                return self.columns[key]
        normal = normalise(header)
        for key in (f"{normal}#{number}", normal):
            if key and key in self._normal:
                return self._normal[key]
        return None

    @property
    def headers(self) -> frozenset[str]:
        """The normalised headers that it names, for finding header rows."""
        return frozenset(normalise(_bare(key)) for key in self.columns) - {""}

    @cached_property
    def _normal(self) -> dict[str, str]:
        return {normalise(key): name for key, name in self.columns.items()}

    def replaced(self, series: pl.Series, name: str) -> pl.Series:
        """A raw column of the field `name`, its cells replaced as the mapping says."""
        table = self.values.get(name)
        return replace_cells(series, table) if table else series


def _bare(key: str) -> str:
    stem, mark, number = key.rpartition("#")
    return stem if mark and number.isdigit() else key


def replace_cells(series: pl.Series, table: Map[str, str | None]) -> pl.Series:
    """A raw column in which the cells that read as a key of `table` say its value instead (None: blank). Numbers read as a person writes them."""
    keys = _texts(series)
    hit = keys.is_in(list(table)).fill_null(False)
    if not bool(hit.any()):
        return series
    said = keys.filter(hit).replace_strict(list(table), list(table.values()), return_dtype=pl.String)
    at = hit.arg_true()
    if series.dtype == pl.String:
        return series.scatter(at, said)
    if series.dtype == MIXED:
        parts = {part.name: part.scatter(at, None) for part in series.struct.unnest()}
        parts["text"] = parts["text"].scatter(at, said)
    else:
        kind = "truth" if series.dtype == pl.Boolean else "number" if series.dtype.is_numeric() else "date"
        parts = {part.name: pl.Series([None] * len(series), dtype=part.dtype) for part in MIXED.fields}
        parts[kind] = series.cast(parts[kind].dtype).scatter(at, None)
        parts["text"] = parts["text"].scatter(at, said)
    return pl.DataFrame({name: parts[name] for name in ("text", "number", "date", "truth")}).to_struct("").cast(MIXED)


def _texts(series: pl.Series) -> pl.Series:
    """What each cell reads as, without the spaces around it."""
    if series.dtype == pl.String:
        return series.str.strip_chars()
    if series.dtype == MIXED:
        texts = [_texts(part) for part in series.struct.unnest()]
        return pl.select(pl.coalesce(texts)).to_series()
    if series.dtype == pl.Boolean:
        return pl.select(pl.when(series).then(pl.lit("TRUE")).when(~series).then(pl.lit("FALSE"))).to_series()
    if series.dtype == pl.Float64:
        whole = (series == series.floor()) & (series.abs() < 1e15)
        return series.set(~whole.fill_null(False), None).cast(pl.Int64).cast(pl.String).zip_with(whole.fill_null(False), series.cast(pl.String))
    if isinstance(series.dtype, pl.Datetime):
        return series.cast(pl.Date).cast(pl.String)
    return series.cast(pl.String, strict=False)


# Reading


def read_mapping(path: Path) -> TableMapping:
    """Read a mapping file; whether its headers and fields exist is asked by `check`. Raises InputError with all that is wrong."""
    top, source = read_rule_file(path)
    columns: dict[str, str] = {}
    values: dict[str, dict[str, str | None]] = {}
    places: dict[tuple[str, ...], Scalar] = {}
    if top is not None:
        shape = Shape(source, top, "映射文件", ("columns", "values"))
        for header, (key, value) in _entries(source, shape.node.get("columns"), "columns", "列名: 字段"):
            text = _text(source, value, f"列“{header}”")
            if text is not None or _is_null(value):
                columns[header.strip()] = text or UNUSED
                places["columns", header.strip()] = key
                if isinstance(value, Scalar):
                    places["field", header.strip()] = value
        for name, (key, value) in _entries(source, shape.node.get("values"), "values", "字段: {格里的字: 取值}"):
            places["values", name] = key
            for cell, (_, said) in _entries(source, value, f"values 的“{name}”", "格里的字: 取值"):
                text = _text(source, said, f"“{name}”的“{cell}”")
                if text is not None or _is_null(said):
                    values.setdefault(name, {})[cell.strip()] = text or None
                    if isinstance(said, Scalar):
                        places["values", name, cell.strip()] = said
    _refuse(source)
    return TableMapping(columns, values, source, places)


def _entries(source: Source, node: Node | None, what: str, form: str) -> Iterable[tuple[str, tuple[Scalar, Node]]]:
    if node is None or _is_null(node):
        return ()
    if not isinstance(node, Mapping):
        source.problem(node, f"{what} 应当是“{form}”。")
        return ()
    return node.entries.items()


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value() is None


def _text(source: Source, node: Node, what: str) -> str | None:
    """The text of a scalar as written, None for a null; anything else is a problem."""
    if isinstance(node, Scalar):
        return node.text.strip() if node.value() is not None else None
    source.problem(node, f"{what}后面应当是一个词。")
    return None


def _refuse(source: Source) -> None:
    if source.problems:
        found = [problem.text() for problem in sorted(source.problems)[:MAX_SHOWN]]
        more = [f"（另有 {len(source.problems) - MAX_SHOWN} 处）"] if len(source.problems) > MAX_SHOWN else []
        raise InputError("\n".join([f"映射文件不能用，共 {len(source.problems)} 处错误：", *found, *more]))


def check(mapping: TableMapping, tables: Sequence[Table], dictionaries: Iterable[Map[str, Field]]) -> None:
    """Whether every header that the mapping names is one of the tables', and every field and value one of the `dictionaries`'. Raises
    InputError, naming the place and the nearest name of each that is not."""
    source = mapping.source
    headers = dict.fromkeys(header.strip() for table in tables for header in table.headers if header.strip())
    normal = {normalise(header) for header in headers}
    for key in mapping.columns:
        if key not in headers and normalise(key) not in normal and normalise(_bare(key)) not in normal:
            source.problem(mapping.places["columns", key], f"表里没有列“{key}”。", nearest(key, headers) or "请按表里的写法写列名。")
    check_fields(mapping, dictionaries)


def check_fields(mapping: TableMapping, dictionaries: Iterable[Map[str, Field]], within: str = "") -> None:
    """Whether every field and value that the mapping names is one of the `dictionaries`'; `within` says of what. Raises InputError."""
    source = mapping.source
    known: dict[str, list[Field]] = {}
    for dictionary in dictionaries:
        for name, one in dictionary.items():
            known.setdefault(name, []).append(one)
    for key, name in mapping.columns.items():
        if name != UNUSED and name not in known:
            source.problem(mapping.places["field", key], f"{within}没有字段“{name}”。", nearest(name, known) or "字段名见规则包的 fields.yaml。")
    for name, table in mapping.values.items():
        if name not in known:
            source.problem(mapping.places["values", name], f"{within}没有字段“{name}”。", nearest(name, known) or "字段名见规则包的 fields.yaml。")
            continue
        for cell, text in table.items():
            faults = [made for one in known[name] if text is not None and isinstance(made := _read(one, text), Fault)]
            if faults and len(faults) == len(known[name]):
                hint = nearest(text or "", known[name][0].values)
                source.problem(mapping.places["values", name, cell], f"字段“{name}”的取值不能是“{text}”：{faults[0].message}", hint)
    _refuse(source)


def _read(one: Field, text: str) -> object:
    return text if one.type == "text" else reader_of(one)(text)
