"""Generated inspection tables with all fields of a sector, 5 % blanks and a chosen share of rows that have a finding.

Rows are made from the tests beside the rules. A base row of harmless facts is found for each kind of subject; a row that is to break a
criterion takes the cells of one of its `met` tests, a clean one those of a `not_met` test. Then cells are blanked, and each of these rows is
judged once, so that it is known which are hits: a table of any size is drawn from the two pools in the share asked for.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from engine import Result, judge
from engine.chain import conditions_of, needed
from engine.documents import Criterion
from engine.fields import DATE_FIELD, Field
from engine.pack import Library, Pack, Sector, open_library
from engine.ruletests import RuleTest, read_tests
from engine.tables.columns import dtype_of, read_column
from engine.tree import Compare, Literal, Not, Ref, walk

SEED = 20231
BLANKS = 0.05
POOL = 40_000
ROWS_PER_ENTERPRISE = 10
CHUNK = 500_000
DAY = dt.date(2026, 6, 30)
"""The last 检查日期 of the tables, and the day that runs are judged as of."""
WINDOW = 540
REGIONS = tuple(f"第{number}区" for number in "一二三四五六七八九十")
PLACE = ("单位名称", "区县", DATE_FIELD)
_OFFSETS = (-400, -200, -60, 60, 200, 400)

Row = dict[str, object]


@dataclass(frozen=True)
class Rules:
    """A sector, loaded, with the pack around it and the tests beside its rules."""

    library: Library
    pack: Pack
    sector: Sector
    tests: tuple[RuleTest, ...]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns of a table: every field that is no mere derivation, and those derived ones that the tests write down."""
        stated = {name for test in self.tests for name, _ in test.row}
        roles = {"enterprise", "enterprise_code", "subject", "region", "date", "sector", "grade"}
        return tuple(n for n, f in self.sector.fields.items() if f.role not in roles and (n not in self.sector.derived or n in stated))

    @cached_property
    def used(self) -> tuple[str, ...]:
        """The columns of a table that some criterion reads, and those that tell whose a row is."""
        wanted = needed(self.sector, [expr for criterion in self.sector.criteria for expr in conditions_of(criterion)])
        return (*PLACE, *(name for name in self.columns if name in wanted))


def rules_of(name: str) -> Rules:
    """Load a sector. Raises RuleFileError when its rules are wrong."""
    library = open_library()
    pack, problems = library.load([name])
    assert not [problem for problem in problems if problem.severity == "error"], problems
    tests, _ = read_tests(library, [name])
    known = {criterion.id for criterion in pack.sectors[name].criteria}
    return Rules(library, pack, pack.sectors[name], tuple(test for test in tests if test.criterion in known))


def _kind(sector: Sector) -> str:
    """The enum that most criteria compare: the kind of the subject."""
    counts = Counter(
        node.left.name
        for criterion in sector.criteria
        for expr in conditions_of(criterion)
        for node in walk(expr)
        if isinstance(node, Compare) and isinstance(node.left, Ref) and node.left.type.kind == "enum" and isinstance(node.right, Literal)
    )
    return counts.most_common(1)[0][0]


def _typed_tests(rules: Rules) -> list[Row]:
    """The cells of each test, read as the engine reads them; blank ones left out."""
    rows: list[Row] = [{} for _ in rules.tests]
    for name, field in rules.sector.fields.items():
        there = [(number, dict(test.row)[name]) for number, test in enumerate(rules.tests) if any(cell == name for cell, _ in test.row)]
        if there:
            values = read_column(pl.Series([text for _, text in there], dtype=pl.String), field).values.to_list()
            for (number, _), value in zip(there, values, strict=True):
                if value is not None:
                    rows[number][name] = value
    return rows


def _frame(rows: Sequence[Row], rules: Rules) -> pl.DataFrame:
    columns = [pl.Series(name, [row.get(name) for row in rows], dtype=_dtype(rules.sector.fields[name])) for name in (DATE_FIELD, *rules.columns)]
    return pl.DataFrame(columns)


def _dtype(field: Field) -> pl.DataType:
    return pl.String() if field.type == "enum" else dtype_of(field)


def _score(rows: Sequence[Row], rules: Rules) -> list[float]:
    """How far each row is from a harmless one: little where no criterion is met, none is open, nothing contradicts, and many apply."""
    (judged,) = (part.judged for part in _judged(_frame(rows, rules), rules)._parts)
    compiler = judged.chained.compiler()
    scopes = dict.fromkeys(criterion.applies for criterion in rules.sector.criteria if criterion.applies is not None)
    applying = pl.sum_horizontal([compiler.compile(scope).fill_null(False).cast(pl.Float64) for scope in scopes] or [pl.lit(0.0)])
    clashes = judged.chained.clashes.group_by("index").agg(pl.len().alias("clashes"))
    counts = _by_row(judged.hits, len(rows)).with_columns(judged.chained.frame.select(applying.alias("applying")))
    counts = counts.join(clashes, on="index", how="left", maintain_order="left").fill_null(0)
    return counts.select(pl.col("met") * 4.0 + pl.col("open") * 0.5 + pl.col("clashes") * 1.0 - pl.col("applying") * 0.3).to_series().to_list()


def _judged(frame: pl.DataFrame, rules: Rules) -> Result:
    return judge(frame.with_columns(pl.lit("某单位").alias("单位名称")), rules.pack, sector=rules.sector.id, as_of=DAY)


def _by_row(hits: pl.DataFrame, rows: int) -> pl.DataFrame:
    count = hits.group_by("index").agg(pl.col("certain").sum().alias("met"), (~pl.col("certain")).sum().alias("open"))
    every = pl.DataFrame({"index": pl.int_range(rows, dtype=pl.UInt32, eager=True)})
    return every.join(count, on="index", how="left", maintain_order="left").fill_null(0)


def has_finding(frame: pl.DataFrame, rules: Rules) -> pl.Series:
    """For each row of a table whether some criterion is met that counts as a hazard."""
    result = _judged(frame, rules)
    listed = [number for number, criterion in enumerate(rules.sector.criteria) if criterion.listed]
    hits = pl.concat([part.judged.hits for part in result._parts]).filter(pl.col("criterion").is_in(listed))
    return _by_row(hits, frame.height)["met"] > 0


def _start(rules: Rules, typed: Sequence[Row]) -> Row:
    """A first guess at harmless facts: a Boolean is what most conditions negate, other facts are as a test states them."""
    votes: Counter[str] = Counter()
    for criterion in rules.sector.criteria:
        for node in walk(criterion.when):
            if isinstance(node, Not) and isinstance(node.operand, Ref):
                votes[node.operand.name] += 2
            elif isinstance(node, Ref) and node.type.kind == "bool":
                votes[node.name] -= 1
        for node in walk(criterion.applies) if criterion.applies is not None else ():
            if isinstance(node, Ref) and node.type.kind == "bool":
                votes[node.name] += 1
    row: Row = {}
    for name in rules.columns:
        if rules.sector.fields[name].type == "bool" and name not in rules.sector.derived:
            row[name] = votes[name] > 0
    for cells, test in zip(typed, rules.tests, strict=True):
        if test.verdict == "not_met":
            row.update({name: value for name, value in cells.items() if name in rules.columns and name not in row and not isinstance(value, dt.date)})
    return {name: value for name, value in row.items() if name not in rules.sector.derived}


def _choices(rules: Rules, typed: Sequence[Row]) -> dict[str, list[object]]:
    """What a base row may say of each field: both truths, the values of an enum, the numbers of the tests, days before and after.
    What is derived is left to the derivation."""
    made: dict[str, list[object]] = {}
    for name in rules.columns:
        field = rules.sector.fields[name]
        if name in rules.sector.derived:
            continue
        if field.type == "bool":
            made[name] = [True, False]
        elif field.type == "enum":
            made[name] = list(field.values)
        elif field.type == "date":
            made[name] = [DAY + dt.timedelta(days) for days in _OFFSETS]
        elif field.numeric:
            stated = sorted({cells[name] for cells in typed if name in cells})  # type: ignore[type-var]
            made[name] = stated[:: max(1, len(stated) // 6)] or [1]
        else:
            made[name] = ["甲"]
    return made


def base_rows(rules: Rules, typed: Sequence[Row], passes: int = 4) -> list[Row]:
    """One harmless row for each kind of subject: from a guess, each field is changed to what leaves the fewest criteria met."""
    kind = _kind(rules.sector)
    choices = _choices(rules, typed)
    bases: list[Row] = [{**_start(rules, typed), DATE_FIELD: DAY, kind: value} for value in rules.sector.fields[kind].values]
    for turn in range(passes):
        offers = [
            (at, name, value)
            for at, base in enumerate(bases)
            for name in choices
            if name != kind
            for value in choices[name]
            if base.get(name) != value
        ]
        trial = [*bases, *({**bases[at], name: value} for at, name, value in offers)]
        score = _score(trial, rules)
        best: dict[tuple[int, str], tuple[float, object]] = {}
        for (at, name, value), found in zip(offers, score[len(bases) :], strict=True):
            if found < best.get((at, name), (score[at] - 0.1, None))[0]:
                best[at, name] = (found, value)
        for at, base in enumerate(bases):
            gains = sorted((found, name) for (whose, name), (found, _) in best.items() if whose == at)
            for _, name in gains[: max(1, len(gains) >> turn)]:
                base[name] = best[at, name][1]
    return bases


@dataclass(frozen=True)
class Pools:
    """Rows to draw from: `clean` without a finding, `hit` with one or more."""

    clean: pl.DataFrame
    hit: pl.DataFrame


def pools_of(rules: Rules, size: int = POOL) -> Pools:
    """Make about `size` different rows, blank 5 % of their cells, judge each, and sort them by whether they have a finding."""
    rng = np.random.default_rng(SEED)
    typed = _typed_tests(rules)
    bases = base_rows(rules, typed)
    criteria = {criterion.id: criterion for criterion in rules.sector.criteria}
    kind = _kind(rules.sector)
    by_kind: dict[object, Row] = {base[kind]: base for base in bases}
    wanted = [(cells, test) for cells, test in zip(typed, rules.tests, strict=True) if test.verdict in ("met", "not_met")]
    breaking = [pair for pair in wanted if pair[1].verdict == "met"]
    sound = [pair for pair in wanted if pair[1].verdict == "not_met"]
    rows = []
    for number in range(size):
        from_tests = sound if number % 4 else breaking
        cells, test = from_tests[rng.integers(len(from_tests))]
        base = by_kind.get(cells.get(kind)) or bases[rng.integers(len(bases))]
        if number % 4 and rng.random() < 0.5:
            cells = {}
        rows.append(
            _dated({**base, **{k: v for k, v in cells.items() if k in base or k in rules.columns}}, base, cells, criteria[test.criterion], rng)
        )
    frame = _with_derived(_frame(rows, rules), rules)
    blank = [pl.Series(rng.random(frame.height) < BLANKS) for _ in rules.columns]
    frame = frame.with_columns([frame[name].set(mask, None) for name, mask in zip(rules.columns, blank, strict=True)])
    met = has_finding(frame, rules)
    return Pools(frame.filter(~met), frame.filter(met))


def _with_derived(frame: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """The columns that could be derived filled in with what they derive to, as an inspector would have written it."""
    derived = [name for name in rules.columns if name in rules.sector.derived]
    (part,) = _judged(frame, rules)._parts
    made = part.judged.chained.frame
    there = [name for name in derived if name in made.columns]
    return frame.with_columns(made.select(pl.col(name).cast(frame.schema[name]) for name in there)) if there else frame


def _dated(row: Row, base: Row, cells: Row, criterion: Criterion, rng: np.random.Generator) -> Row:
    """The row on a day of its own: that of the test; else, where the test has other dates, the first day in force; else a day of the window."""
    if DATE_FIELD in cells:
        day = cells[DATE_FIELD]
    elif any(isinstance(value, dt.date) for value in cells.values()):
        day = criterion.start
    else:
        last = min(DAY, criterion.end or DAY) if cells else DAY
        first = max(last - dt.timedelta(WINDOW), criterion.start) if cells else last - dt.timedelta(WINDOW)
        day = first + dt.timedelta(int(rng.integers(0, max((last - first).days, 0) + 1)))
    assert isinstance(day, dt.date)
    shift = day - DAY
    moved = {name: value + shift for name, value in base.items() if isinstance(value, dt.date) and name not in cells and name != DATE_FIELD}
    return {**row, **moved, DATE_FIELD: day}


def draw(pools: Pools, rows: int, share: float, seed: int, first: int = 0, total: int = 0) -> pl.DataFrame:
    """`rows` rows of which `share` have a finding, with 单位名称 (ten rows each on average) and 区县. `first` and `total` number the
    enterprises where a table is made in pieces."""
    rng = np.random.default_rng([SEED, seed, first])
    hit = rng.random(rows) < share
    numbers = np.where(hit, rng.integers(0, pools.hit.height, rows), pools.hit.height + rng.integers(0, pools.clean.height, rows))
    both = pl.concat([pools.hit, pools.clean])
    firms = rng.integers(0, max((total or rows) // ROWS_PER_ENTERPRISE, 1), rows)
    names = pl.select(pl.format("第{}号企业有限公司", pl.Series(firms)))[:, 0]
    regions = pl.Series(REGIONS).gather(pl.Series(firms % len(REGIONS)))
    return pl.DataFrame([names.alias("单位名称"), regions.alias("区县")]).hstack(both[pl.Series(numbers)])


def write(pools: Callable[[], Pools], key: str, rows: int, share: float, folder: Path, csv: bool = False) -> Path:
    """The table as a file in `folder`, made if it is not there yet: Parquet, in pieces so that any size fits in memory; or csv."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{key}-{rows}-{share:g}.{'csv' if csv else 'parquet'}"
    if path.exists():
        return path
    unfinished = path.with_suffix(".part")
    made = pools()
    if csv:
        spoken = pl.selectors.boolean().cast(pl.String).replace_strict({"true": "是", "false": "否"}, default=None)
        draw(made, rows, share, seed=1).with_columns(spoken).write_csv(unfinished)
    else:
        writer = None
        for first in range(0, rows, CHUNK):
            piece = draw(made, min(CHUNK, rows - first), share, seed=1, first=first, total=rows).to_arrow(compat_level=pl.CompatLevel.oldest())
            writer = writer or pq.ParquetWriter(unfinished, piece.schema, compression="zstd")
            writer.write_table(piece)
        assert writer is not None
        writer.close()
    unfinished.rename(path)
    return path


@dataclass
class Tables:
    """The tables of one sector in a folder, made when first asked for and kept until the rules or this module change."""

    rules: Rules
    folder: Path

    @cached_property
    def key(self) -> str:
        """A name that changes with the rules and with the way tables are made."""
        files = sorted(f"{name} {digest}" for name, digest in self.rules.pack.files)
        made = hashlib.sha256("\n".join([*files, Path(__file__).read_text("utf-8")]).encode()).hexdigest()
        return f"{self.rules.sector.id}-{made[:12]}"

    @cached_property
    def pools(self) -> Pools:
        """The rows to draw from."""
        self.folder.mkdir(parents=True, exist_ok=True)
        paths = [self.folder / f"{self.key}-{name}.pool" for name in ("clean", "hit")]
        if not all(path.exists() for path in paths):
            made = pools_of(self.rules)
            made.clean.write_parquet(paths[0])
            made.hit.write_parquet(paths[1])
        return Pools(pl.read_parquet(paths[0]), pl.read_parquet(paths[1]))

    def path(self, rows: int, share: float, csv: bool = False) -> Path:
        """The file with this many rows and this share of hits."""
        return write(lambda: self.pools, self.key, rows, share, self.folder, csv)

    def facts(self) -> dict[str, object]:
        """What the tables are: for the report."""
        return {
            "criteria": len(self.rules.sector.criteria), "columns": len(self.rules.columns) + len(PLACE), "used_columns": len(self.rules.used),
            "clean_rows": self.pools.clean.height, "hit_rows": self.pools.hit.height,
        }  # fmt: skip


def describe(tables: Iterable[Tables]) -> str:
    """The facts of several sectors as JSON, one a line."""
    return "\n".join(json.dumps({table.rules.sector.id: table.facts()}, ensure_ascii=False) for table in tables)
