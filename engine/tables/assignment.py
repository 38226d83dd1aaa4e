"""Which sector judges which row: the sectors that were named, else the column 行业 where it names sectors, else what the columns tell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from engine.children import Child
from engine.fields import Field
from engine.problems import InputError
from engine.tables.binding import DEFECTS, recognise
from engine.tables.headers import AmbiguousHeader, Vocabulary, normalise
from engine.tables.mapping import TableMapping
from engine.tables.table import MIXED, Table

_SEPARATORS = re.compile(r"[、,，;；/／\n]|\s{2,}")
_TAILS = ("行业领域", "领域", "行业", "类")


@dataclass(frozen=True)
class Naming:
    """The sectors that can be judged: id -> title, other names, fields, and child tables by name; and what a person has settled about headers."""

    titles: Mapping[str, str]
    aliases: Mapping[str, Sequence[str]]
    fields: Mapping[str, Mapping[str, Field]]
    children: Mapping[str, Mapping[str, Child]] = field(default_factory=dict)
    mapping: TableMapping = field(default_factory=TableMapping)

    def find(self, text: str) -> str | None:
        """The sector that a text names: its id, its title or one of its other names, spaces and width aside."""
        return self._names.get(_plain(text))

    @property
    def _names(self) -> dict[str, str]:
        names: dict[str, str] = {}
        for sector, title in self.titles.items():
            for name in (sector, title, *self.aliases.get(sector, ())):
                names.setdefault(_plain(name), sector)
        return names


def _plain(text: str) -> str:
    plain = normalise(text)
    for tail in _TAILS:
        if len(plain) > len(tail) + 1 and plain.endswith(tail):
            return plain.removesuffix(tail)
    return plain


@dataclass(frozen=True)
class Assignment:
    """The tables of each sector, in the order of the library; `recognised` tells that no sector was named; `children` are the child tables by
    sector and name (a sector may have nothing else). `defects` lists the rows
    whose 行业 names no sector; `left_out` counts them and those of sectors that were not asked for."""

    tables: dict[str, list[Table]]
    recognised: bool
    children: dict[str, dict[str, list[Table]]]
    defects: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=DEFECTS))
    left_out: int = 0


def assign(tables: Sequence[Table], naming: Naming, wanted: Sequence[str]) -> Assignment:
    """Give every row to its sector, or to each of those that it names. `wanted` are the sectors asked for (empty: whatever there is).

    Raises InputError when a table tells no sector, or no row is of a sector asked for."""
    tables, children = _sorted_out(tables, naming, wanted)
    vocabulary = _of_sector_column(naming)
    found: dict[str, list[Table]] = {sector: [] for sector in naming.titles}
    plain: list[Table] = []
    defects: list[pl.DataFrame] = []
    left_out = 0
    for table in tables:
        split = _split(table, vocabulary, naming)
        if split is None:
            plain.append(table)
            continue
        mine, nameless, elsewhere = _chosen(split, wanted)
        for sector, rows in mine.items():
            found[sector].append(_rows(table, rows))
        left_out += len(nameless) + len(elsewhere)
        defects.append(_defects(table, split.column, nameless))
    if plain:
        for sector in wanted or [recognise(plain, naming.fields, naming.titles, naming.mapping)]:
            found[sector] += plain
    kept = {sector: mine for sector, mine in found.items() if mine or (sector in children and (not tables or sector in wanted))}
    if not kept:
        asked = "、".join(naming.titles[sector] for sector in wanted)
        raise InputError(f"没有一行是{asked}的：{tables[0].place}的“行业”一列写的是别的行业。请核对 --sector，或去掉它让每一行按自己的行业判定。")
    children = {sector: mine for sector, mine in children.items() if sector in kept}
    return Assignment(kept, not wanted, children, pl.concat(defects) if defects else pl.DataFrame(schema=DEFECTS), left_out)


def _sorted_out(tables: Sequence[Table], naming: Naming, wanted: Sequence[str]) -> tuple[list[Table], dict[str, dict[str, list[Table]]]]:
    """The inspection tables, and the child tables by sector and name. A table is a child table when at least two of its headers (one, where
    the sheet or file bears its name) are fields of the child's own, and more than are fields of any sector's own."""
    known = {
        (sector, name): Vocabulary({field: child.fields[field] for field in child.own}, naming.mapping)
        for sector, children in naming.children.items()
        if not wanted or sector in wanted
        for name, child in children.items()
    }
    parents: list[Table] = []
    found: dict[str, dict[str, list[Table]]] = {}
    for table in tables:
        best, score = None, 0
        for (sector, name), vocabulary in known.items():
            hits = _hits(table, vocabulary) + (1 if _bears(table, name, naming.children[sector][name].aliases) else 0)
            if hits > max(score, 1):
                best, score = (sector, name), hits
        if best is not None and score > max(_hits(table, Vocabulary(_own(naming, sector), naming.mapping)) for sector in naming.fields):
            found.setdefault(best[0], {}).setdefault(best[1], []).append(table)
        else:
            parents.append(table)
    return parents, found


def _own(naming: Naming, sector: str) -> dict[str, Field]:
    """The fields of a sector that are not of every kind of table."""
    return {name: f for name, f in naming.fields[sector].items() if not f.role}


def _hits(table: Table, vocabulary: Vocabulary) -> int:
    found: set[str] = set()
    for header in table.headers:
        try:
            match = vocabulary.find(header)
        except AmbiguousHeader as error:
            found.update(() if error.guess else error.names[:1])
            continue
        if match is not None and match.how != "guess":
            found.add(match.field.name)
    return len(found)


def _bears(table: Table, name: str, aliases: Sequence[str]) -> bool:
    label = _plain(table.sheet or Path(table.file).stem)
    return any(_plain(one) in label for one in (name, *aliases))


def _of_sector_column(naming: Naming) -> Vocabulary:
    """The names of the fields that tell a row's sector."""
    fields = {name: f for mine in naming.fields.values() for name, f in mine.items() if f.role == "sector"}
    return Vocabulary(fields, naming.mapping)


@dataclass(frozen=True)
class _Split:
    column: int
    values: pl.Series
    rows: dict[str, list[int]]
    nameless: list[int]


def _split(table: Table, vocabulary: Vocabulary, naming: Naming) -> _Split | None:
    """The rows by sector, None for a table whose cells name no sector."""
    column = _sector_column(table, vocabulary)
    if column is None or not table.frame.height:
        return None
    cells = table.frame[f"c{column}"]
    texts = cells.struct.field("text") if cells.dtype == MIXED else cells.cast(pl.String)
    named: dict[str, list[str]] = {}
    for text in texts.unique().drop_nulls().to_list():
        parts = [naming.find(part) for part in (text, *_SEPARATORS.split(text))]
        named[text] = list(dict.fromkeys(part for part in parts if part))
    if not any(named.values()):
        return None
    rows: dict[str, list[int]] = {}
    nameless: list[int] = []
    groups = pl.DataFrame({"text": texts}).with_row_index("at").group_by("text", maintain_order=True).agg("at")
    for text, at in groups.iter_rows():
        for sector in named.get(text, ()) if text is not None else ():
            rows.setdefault(sector, []).extend(at)
        if not named.get(text or "", ()):
            nameless.extend(at)
    return _Split(column, texts, {sector: sorted(at) for sector, at in rows.items()}, sorted(nameless))


def _sector_column(table: Table, vocabulary: Vocabulary) -> int | None:
    best: tuple[int, int] | None = None
    for index, header in enumerate(table.headers):
        try:
            match = vocabulary.find(header)
        except AmbiguousHeader:
            continue
        if match is not None and match.how != "guess" and (best is None or match.rank < best[0]):
            best = (match.rank, index)
    return best[1] if best else None


def _chosen(split: _Split, wanted: Sequence[str]) -> tuple[dict[str, list[int]], list[int], list[int]]:
    """The rows to judge by sector, those whose sector is unknown, and those of sectors that were not asked for. Where one sector is asked
    for, rows that name none are taken to be of it."""
    if not wanted:
        return split.rows, split.nameless, []
    mine = {sector: split.rows[sector] for sector in wanted if sector in split.rows}
    taken = {at for rows in mine.values() for at in rows}
    elsewhere = sorted({at for rows in split.rows.values() for at in rows} - taken)
    if len(wanted) == 1 and split.nameless:
        return {wanted[0]: sorted([*mine.get(wanted[0], []), *split.nameless])}, [], elsewhere
    return mine, split.nameless, elsewhere


def _rows(table: Table, rows: Sequence[int]) -> Table:
    if len(rows) == table.frame.height:
        return table
    return table.take(pl.Series(rows, dtype=pl.UInt32))


def _defects(table: Table, column: int, nameless: Sequence[int]) -> pl.DataFrame:
    """Each row whose sector is unknown, as a defect of its cell."""
    cells = table.frame[f"c{column}"]
    texts = cells.struct.field("text") if cells.dtype == MIXED else cells.cast(pl.String)
    index = pl.Series(nameless, dtype=pl.UInt32)
    value = texts.gather(index)
    return pl.DataFrame({"row": table.rows.gather(index).cast(pl.Int64), "value": value}).select(
        file=pl.lit(table.file), sheet=pl.lit(table.sheet), row="row", column=pl.lit(table.headers[column]), field=pl.lit("行业"), value="value",
        problem=pl.lit("sector"),
        message=pl.when(pl.col("value").is_null()).then(pl.lit("没有填行业，这一行没有判定。请填上，或用 --sector 指定一个行业。"))
        .otherwise(pl.format("“{}”不是认得的行业，这一行没有判定。请改成随附规则的行业名称，或用 --sector 指定一个行业。", "value")),
    )  # fmt: skip
