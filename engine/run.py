"""One run from a table to a result: choose the sector, read, judge, roll up. `engine/__init__.py` shows it to the world."""

from __future__ import annotations

import datetime as dt
import hashlib
import platform
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import polars as pl
import pyarrow as pa

from engine.documents import Criterion
from engine.evidence import build
from engine.explain import Explanation, explain_rows
from engine.identity import ENTERPRISE, SUBJECT, identify
from engine.judge import Judged, Progress, judge_frame, unlocks
from engine.ladder import Level
from engine.pack import Library, Pack, Sector, open_library
from engine.problems import InputError, RuleFileError, nearest
from engine.result import COVERAGE, DEFECTS
from engine.tables import ColumnMatch, Inspection, Origin, bind, known_headers, load, recognise

INDEX = "__index"


class Result:
    """The outcome of `judge`. The tables (pyarrow, columns as in docs/results.md) are built when first asked for."""

    def __init__(self, judged: Judged, inspection: Inspection, pack: Pack, manifest: dict[str, object]):
        self._judged, self._inspection, self._pack = judged, inspection, pack
        self.manifest = manifest

    @cached_property
    def findings(self) -> pa.Table:
        """One row for each criterion that is met on a row of the table, in the order of the table."""
        return build(self._judged, self._inspection.origins, certain=True)

    @cached_property
    def undetermined(self) -> pa.Table:
        """One row for each criterion that is open on a row; first those whose `when` holds, then by the number of facts that are missing."""
        return build(self._judged, self._inspection.origins, certain=False)

    @cached_property
    def enterprises(self) -> pa.Table:
        """One row an enterprise, gravest first."""
        from engine.escalate import escalate
        from engine.rollup import Share, gather

        share = Share(self.sector, self._judged.chained.frame, self._judged.hits)
        return escalate(self._pack.ladders, gather(share, [self.sector], self._pack.ladders))

    @cached_property
    def coverage(self) -> pa.Table:
        """One row a criterion: whether this table can decide it, and how many rows got which verdict."""
        return _coverage(self._judged)

    @cached_property
    def defects(self) -> pa.Table:
        """One row for each cell that could not be read or contradicts what others say."""
        return _defects(self._judged, self._inspection)

    @property
    def sector(self) -> Sector:
        """The sector whose criteria were judged."""
        return self._judged.sector

    @property
    def levels(self) -> tuple[Level, ...]:
        """The rungs of the ladders, lowest first."""
        return self._pack.ladders.levels

    @property
    def columns(self) -> tuple[ColumnMatch, ...]:
        """How each column of the table was understood."""
        return self._inspection.columns

    @property
    def origins(self) -> tuple[Origin, ...]:
        """The tables that were read, with the rows that were skipped."""
        return self._inspection.origins

    @cached_property
    def unlock(self) -> tuple[tuple[tuple[str, ...], int], ...]:
        """Which columns to add next, and how many more criteria each step lets the table decide."""
        return unlocks(self._judged.tallies)

    def explain(self, enterprise: str | None = None, criterion: str | None = None) -> list[Explanation]:
        """Why each criterion is met, not met or open. `enterprise` restricts to the rows of one enterprise or subject (by its whole name, else by a
        part of it that fits one enterprise only), `criterion` to one id; without `criterion` those that are not in force or do not
        apply, and those that this table cannot decide, are left out. Raises InputError when nothing bears the name."""
        rows = self._rows_of(enterprise)
        criteria = [self._criterion(criterion)] if criterion else list(self._judged_criteria())
        made = explain_rows(self._judged, self.origins, rows, criteria)
        if criterion:
            return made
        covered = {c.id for c, t in zip(self.sector.criteria, self._judged.tallies, strict=True) if t.state == "covered"}
        return [
            one
            for one in made
            if one.verdict in ("met", "not_met") or (one.verdict == "undetermined" and (one.suspected or one.criterion.id in covered))
        ]

    def _criterion(self, criterion_id: str) -> Criterion:
        found = {c.id: c for c in self.sector.criteria}
        if criterion_id not in found:
            raise InputError(f"没有条款“{criterion_id}”。{nearest(criterion_id, found)}用 hazard rules list 查看全部条款。")
        return found[criterion_id]

    def _judged_criteria(self) -> Iterable[Criterion]:
        for criterion, tally in zip(self.sector.criteria, self._judged.tallies, strict=True):
            if tally.state in ("covered", "not_covered") and criterion.listed:
                yield criterion

    def _rows_of(self, name: str | None) -> list[int]:
        frame = self._judged.chained.frame
        if name is None:
            return list(range(frame.height))
        for column in (ENTERPRISE, SUBJECT):
            exact = (frame[column] == name).fill_null(False).arg_true()
            if len(exact):
                return exact.to_list()
        inside = frame[ENTERPRISE].str.contains(name, literal=True)
        names = frame[ENTERPRISE].filter(inside).unique(maintain_order=True).to_list()
        if len(names) == 1:
            return inside.arg_true().to_list()
        if names:
            raise InputError(f"“{name}”可以指 {len(names)} 个单位：{'、'.join(names[:10])}{'…' if len(names) > 10 else ''}。请写全名。")
        every = frame[ENTERPRISE].unique(maintain_order=True).to_list()
        raise InputError(f"表里没有单位或检查对象“{name}”。{nearest(name, every)}请核对名称，它要与表里写的一样。")


def judge(
    table: object,
    pack: Pack | Library | Path | str | Iterable[Path | str] | None = None,
    sector: str | None = None,
    as_of: dt.date | str | None = None,
    include_unverified: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Judge an inspection table.

    `table`: a path (file, folder or pattern, "-" for standard input), several of them, or a pandas, pyarrow or polars frame. `pack`: a loaded pack, a library,
    a folder or folders of rules to stack on the shipped ones, or None for the shipped ones alone. `sector`: id or title; None: recognised by the
    columns. `as_of`: the day (a date, or text as 2024-01-31) on which rows without 检查日期 are judged; None: today. `include_unverified` puts criteria of status
    `uncertain` to work. `progress(done, total)` hears of rows judged. Raises InputError and RuleFileError."""
    folders = [pack] if isinstance(pack, str | Path) else pack
    library = folders if isinstance(folders, Library | Pack) else open_library([Path(p) for p in folders or ()])
    as_of = _day(as_of)
    if isinstance(library, Library):
        titles = library.titles_by_sector()
        fields = {name: library.fields(name) for name in titles}
        wrong = [problem for problem in library.problems if problem.severity == "error"]
        if wrong:
            raise RuleFileError(wrong)
    else:
        titles = {s.id: s.title for s in library.sectors.values()}
        fields = {s.id: dict(s.fields) for s in library.sectors.values()}
    wanted = _named(sector, titles)
    known = known_headers(field for name in ([wanted] if wanted else fields) for field in fields[name].values())
    tables = load(table, known)
    recognised = wanted is None
    wanted = wanted or recognise(tables, fields, titles)
    loaded = library if isinstance(library, Pack) else _load(library, wanted)
    chosen = loaded.sectors[wanted]
    inspection = bind(tables, chosen.fields)
    day = as_of or dt.date.today()
    frame = identify(inspection.frame, chosen.fields)
    dateless = frame.height if "检查日期" not in frame.columns else frame["检查日期"].null_count()
    judged = judge_frame(frame, chosen, day, include_unverified, progress)
    return Result(judged, inspection, loaded, _manifest(judged, inspection, loaded, recognised, dateless, include_unverified))


def _day(as_of: dt.date | str | None) -> dt.date | None:
    if isinstance(as_of, dt.datetime):
        return as_of.date()
    if not isinstance(as_of, str):
        return as_of
    try:
        return dt.date.fromisoformat(as_of)
    except ValueError:
        raise InputError(f"as_of 的值“{as_of}”不是日期。请写成 2024-01-31 的样子，或传入 datetime.date。") from None


def _named(sector: str | None, titles: dict[str, str]) -> str | None:
    if sector is None:
        return next(iter(titles)) if len(titles) == 1 else None
    for name, title in titles.items():
        if sector in (name, title):
            return name
    known = "、".join(f"{name}（{title}）" for name, title in titles.items())
    raise InputError(f"没有“{sector}”这个行业。{nearest(sector, [*titles, *titles.values()])}可用的行业：{known}。")


def _load(library: Library, sector: str) -> Pack:
    pack, problems = library.load([sector])
    wrong = [problem for problem in problems if problem.severity == "error"]
    if wrong:
        raise RuleFileError(wrong)
    return pack


def _coverage(judged: Judged) -> pa.Table:
    rows = []
    for criterion, tally in zip(judged.sector.criteria, judged.tallies, strict=True):
        reason = None
        if tally.state == "not_covered":
            best = "、".join(sorted(tally.missing[0])) if tally.missing else ""
            reason = f"缺少列：{best}" if best else "表里的列使它不可能构成"
        elif tally.state == "off":
            reason = "依据存疑，默认不用（--include-unverified 才用）"
        elif tally.state == "suspended":
            reason = criterion.suspended
        elif tally.state == "not_in_force":
            reason = f"各行的检查日期都不在施行期内（{criterion.start} 至 {criterion.end or '今'}）"
        elif criterion.replaced:
            reason = f"已由规则包替换：{criterion.replaced}"
        rows.append({
            "criterion": criterion.id, "name": criterion.name, "clause": criterion.clause, "document": criterion.document.number,
            "grade": criterion.grade, "status": criterion.status, "state": tally.state, "reason": reason, "met": tally.met,
            "not_met": tally.not_met, "undetermined": tally.undetermined, "suspected": tally.suspected,
            "not_applicable": tally.not_applicable, "not_in_force": tally.not_in_force, "missing": [sorted(way) for way in tally.missing],
        })  # fmt: skip
    return pa.Table.from_pylist(rows, schema=COVERAGE)


def _defects(judged: Judged, inspection: Inspection) -> pa.Table:
    frame, clashes = judged.chained.frame, judged.chained.clashes
    unread = inspection.defects.select(DEFECTS.names).with_columns(_null("file"), _null("sheet"))
    table = frame["__table"].gather(clashes["index"])
    origins = inspection.origins
    found = clashes.select(
        pl.Series("file", [o.file for o in origins], dtype=pl.String).gather(table),
        pl.Series("sheet", [o.sheet for o in origins], dtype=pl.String).gather(table),
        frame["__row"].gather(clashes["index"]).cast(pl.Int64).alias("row"),
        pl.Series("column", [origins[t].headers.get(name) for t, name in zip(table, clashes["field"], strict=True)], dtype=pl.String),
        pl.col("field"), pl.col("cell").alias("value"), pl.lit("contradiction").alias("problem"),
        pl.when(pl.col("cell").is_null())
        .then(pl.format("“{}”按同一行的其他事实既是 {}，互相矛盾，按空白处理，请核对。", "field", "derived"))
        .otherwise(pl.format("“{}”填的值与同一行其他事实推出的（{}）不一致，判定用所填的值，请核对。", "field", "derived")).alias("message"),
    ).with_columns(_null("file"), _null("sheet"))  # fmt: skip
    return (
        pl.concat([unread, found], how="vertical_relaxed")
        .sort("file", "sheet", "row", "field", maintain_order=True, nulls_last=True)
        .to_arrow()
        .cast(DEFECTS)
    )


def _null(name: str) -> pl.Expr:
    return pl.when(pl.col(name) != "").then(pl.col(name)).alias(name)


def _manifest(judged: Judged, inspection: Inspection, pack: Pack, recognised: bool, dateless: int, include_unverified: bool) -> dict[str, object]:
    counts: Counter[str] = Counter()
    states: Counter[str] = Counter()
    for tally in judged.tallies:
        states[tally.state] += 1
        for verdict in ("met", "not_met", "undetermined", "suspected", "not_applicable"):
            if tally.state == "covered":
                counts[verdict] += getattr(tally, verdict)
        if tally.state == "not_covered":  # of these only the suspected rows are listed
            counts["suspected"] += tally.suspected
            counts["undetermined"] += tally.suspected
    criteria = judged.sector.criteria
    certain = judged.hits.filter("certain")
    frame = judged.chained.frame
    return {
        "versions": {"hazard": engine_version(), "python": platform.python_version(), "polars": version("polars"), "pyarrow": version("pyarrow")},
        "pack": {"titles": list(pack.titles), "files": [{"name": name, "sha256": digest} for name, digest in pack.files]},
        "inputs": [
            {"name": o.file, "sheet": o.sheet, "rows": o.rows, "sha256": _digest(o.file), "skipped": len(o.skipped)} for o in inspection.origins
        ],
        "sector": judged.sector.id,
        "sector_title": judged.sector.title,
        "sector_recognised": recognised,
        "as_of": judged.as_of.isoformat(),
        "include_unverified": include_unverified,
        "rows": frame.height,
        "rows_without_date": dateless,
        "enterprises": frame[ENTERPRISE].n_unique(),
        "flagged": frame[ENTERPRISE].gather(certain["index"]).n_unique(),
        "counts": {name: counts[name] for name in ("met", "not_met", "undetermined", "suspected", "not_applicable")},
        "criteria": {name: states[name] for name in ("covered", "not_covered", "not_in_force", "off", "suspended")},
        "criteria_off": states["off"],
        "suspended": [{"criterion": c.id, "reason": c.suspended} for c in criteria if c.suspended],
        "replaced": [{"criterion": c.id, "reason": c.replaced} for c in criteria if c.replaced],
    }


def _digest(name: str) -> str | None:
    """The SHA-256 of an input file; None for what is no file."""
    if not name or not Path(name).is_file():
        return None
    with open(name, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def engine_version() -> str:
    """The version of the installed product, 0 when it runs from a bare checkout."""
    try:
        return version("hazard")
    except PackageNotFoundError:
        return "0"
