"""One run from a table to a result: choose the sectors, read, judge. `engine/__init__.py` shows it to the world."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from engine.fields import DATE_FIELD
from engine.identity import ENTERPRISE, identify
from engine.judging import Judged, Progress, judge_frame
from engine.outcome import Part, Result, digest, engine_version, manifest_of
from engine.pack import Library, Pack, Sector, open_library
from engine.problems import InputError, RuleFileError, nearest
from engine.tables import (
    LONG_HEADERS,
    Assignment,
    Inspection,
    Naming,
    Table,
    TableMapping,
    Vocabulary,
    assign,
    bind,
    check_fields,
    check_mapping,
    fits,
    known_headers,
    load,
    owners_of,
    read_long,
    read_mapping,
    unfold,
    with_children,
)  # fmt: skip

__all__ = ["Result", "engine_version", "judge", "survey"]

BETTER = 4
"""By how many columns, at least, another sector must fit better than the one named before it is worth a word."""

Rules = Pack | Library | Path | str | Iterable[Path | str] | None

ENGINES = ("columnar", "events")


def judge(
    table: object,
    pack: Rules = None,
    sector: str | Sequence[str] | None = None,
    as_of: dt.date | str | None = None,
    include_unverified: bool = False,
    progress: Progress | None = None,
    mapping: TableMapping | Path | str | None = None,
    engine: str = "columnar",
    long: str | None = None,
) -> Result:
    """Judge an inspection table.

    `table`: a path (file, folder or pattern, "-" for standard input), several of them, or a pandas, pyarrow or polars frame. `pack`: a loaded pack, a library,
    a folder or folders of rules to stack on the shipped ones, or None for the shipped ones alone. `sector`: id or title, or several of them;
    None: by the column 行业 where it names sectors, each row then being judged in its own, else recognised by the columns. `as_of`: the day
    (a date, or text as 2024-01-31) on which rows without 检查日期 are judged; None: today. `include_unverified` puts criteria of status
    `uncertain` to work. `progress(done, total)` hears of rows judged. `mapping` is a mapping file (or what `read_mapping` made of one), which settles
    what headers and cells mean. `engine`: "columnar", or "events" for the same verdicts found row by row (extra `events`; much slower). `long`: the columns of tables that have
    one row for each checked item, as 检查项=检查结果 or 检查项=检查结果,数值; None: such tables are recognised by their columns. Raises InputError and
    RuleFileError."""
    return _run(table, pack, sector, as_of, include_unverified, progress, mapping, True, engine, long)


def survey(
    table: object,
    pack: Rules = None,
    sector: str | Sequence[str] | None = None,
    as_of: dt.date | str | None = None,
    include_unverified: bool = False,
    mapping: TableMapping | Path | str | None = None,
    long: str | None = None,
) -> Result:
    """As `judge`, for looking at what a table is: columns that a person must settle are left unread and listed as open in `Result.columns`
    instead of refused."""
    return _run(table, pack, sector, as_of, include_unverified, None, mapping, ask=False, long=long)


def _run(
    table: object, pack: Rules, sector: str | Sequence[str] | None, as_of: dt.date | str | None, include_unverified: bool, progress: Progress | None,
    mapping: TableMapping | Path | str | None, ask: bool, engine: str = "columnar", long: str | None = None,
) -> Result:  # fmt: skip
    settled = read_mapping(Path(mapping)) if isinstance(mapping, str | Path) else mapping or TableMapping()
    folders = [pack] if isinstance(pack, str | Path) else pack
    library = folders if isinstance(folders, Library | Pack) else open_library([Path(p) for p in folders or ()])
    naming = replace(naming_of(library), mapping=settled)
    wanted = named([sector] if isinstance(sector, str) else list(sector or ()), naming)
    asked = wanted or list(naming.fields)
    dictionaries = [naming.fields[name] for name in asked] + [child.fields for name in asked for child in naming.children.get(name, {}).values()]
    known = known_headers(field for dictionary in dictionaries for field in dictionary.values()) | settled.headers | LONG_HEADERS
    named_long = read_long(long) if long is not None else None
    tables = unfold(load(table, known), lambda: [Vocabulary(dictionary, settled) for dictionary in dictionaries], named_long)
    check_mapping(settled, tables, dictionaries)
    assigned = assign(tables, naming, wanted)
    loaded = library if isinstance(library, Pack) else _load(library, assigned.tables)
    _check_sectors(settled, [loaded.sectors[name] for name in assigned.tables])
    reads = [_read(loaded.sectors[name], assigned, settled, ask) for name in assigned.tables]
    _identify(reads)
    day = _day(as_of) or dt.date.today()
    parts, done, total = [], 0, sum(read.frame.height for read in reads)
    with _judging(engine) as judged_by:
        for read in reads:
            heard = None if progress is None else _from(progress, done, total)
            judged = judged_by(read.frame, read.sector, day, include_unverified, heard, children=read.child_frames)
            parts.append(Part(judged, read.inspection, read.children))
            done += read.frame.height
    manifest = manifest_of(parts, loaded, assigned.recognised, include_unverified, assigned.left_out)
    manifest["mapping"] = {"name": settled.source.name, "sha256": digest(settled.source.name)} if settled.source.name else None
    manifest["better_sector"] = _better(tables, naming, wanted)
    return Result(parts, loaded, assigned.defects, manifest)


def _check_sectors(mapping: TableMapping, sectors: Sequence[Sector]) -> None:
    """The fields that a mapping names must be of the sectors that are judged. Raises InputError."""
    dictionaries = [sector.fields for sector in sectors] + [child.fields for sector in sectors for child in sector.children.values()]
    check_fields(mapping, dictionaries, f"行业“{'、'.join(sector.title for sector in sectors)}”里")


def _better(tables: Sequence[Table], naming: Naming, wanted: Sequence[str]) -> dict[str, object] | None:
    """The sector whose columns the tables have far more of than of those that were named: a slip in --sector is likely."""
    if not wanted or len(naming.titles) == len(wanted):
        return None
    mine = max(fits(tables, naming.fields, naming.mapping, wanted).values())
    if max(mine + BETTER, 2 * mine) > len({header for table in tables for header in table.headers}):
        return None  # no sector can have so many: the others need not be looked at
    scores = fits(tables, naming.fields, naming.mapping)
    best = max(scores, key=lambda name: scores[name])
    if scores[best] < max(mine + BETTER, 2 * mine):
        return None
    return {"id": best, "title": naming.titles[best], "fields": scores[best], "named": mine}


@contextmanager
def _judging(engine: str) -> Iterator[Callable[..., Judged]]:
    """What judges a frame."""
    if engine == "columnar":
        yield judge_frame
    elif engine == "events":
        from engine.events.frames import row_by_row
        from engine.events.worker import Worker

        with Worker() as worker:
            yield row_by_row(worker)
    else:
        raise InputError(f"没有“{engine}”这个引擎。{nearest(engine, ENGINES)}可用的：{'、'.join(ENGINES)}。")


@dataclass
class _Read:
    """The tables of one sector, read: the inspection and the child tables by name, with the frames that know their enterprises."""

    sector: Sector
    inspection: Inspection
    children: dict[str, Inspection]
    frame: pl.DataFrame = field(default_factory=pl.DataFrame)
    child_frames: dict[str, pl.DataFrame] = field(default_factory=dict)


def _read(sector: Sector, assigned: Assignment, mapping: TableMapping, ask: bool) -> _Read:
    """Read the tables of a sector. Where there are child tables alone, the enterprises that they name are what is judged."""
    children = {name: bind(tables, sector.children[name].fields, mapping, ask) for name, tables in assigned.children.get(sector.id, {}).items()}
    tables = assigned.tables[sector.id]
    if tables:
        inspection = with_children(bind(tables, sector.fields, mapping, ask), sector, children)
    else:
        inspection = with_children(owners_of(next(iter(children.values())), sector.fields), sector, children)
    return _Read(sector, inspection, children)


def _identify(reads: Sequence[_Read]) -> None:
    """Tell for all rows of all tables whose they are; what has only child tables gets one row an owner."""
    pairs = [(read.inspection.frame, read.sector.fields) for read in reads]
    pairs += [(child.frame, read.sector.children[name].fields) for read in reads for name, child in read.children.items()]
    frames = iter(identify(pairs))
    for read in reads:
        read.frame = next(frames)
    for read in reads:
        read.child_frames = {name: next(frames) for name in read.children}
        if read.inspection.owners:
            read.frame = read.frame.unique(
                [ENTERPRISE, *([DATE_FIELD] if DATE_FIELD in read.frame.columns else [])], keep="first", maintain_order=True
            )


def _from(progress: Progress, before: int, total: int) -> Progress:
    return lambda rows, _: progress(before + rows, total)


def naming_of(library: Library | Pack) -> Naming:
    """The names and fields of the sectors that can be judged. Raises RuleFileError when a dictionary is wrong."""
    if isinstance(library, Pack):
        sectors = library.sectors.values()
        return Naming(
            {s.id: s.title for s in sectors}, {s.id: s.aliases for s in sectors}, {s.id: dict(s.fields) for s in sectors},
            {s.id: s.children for s in sectors if s.children},
        )  # fmt: skip
    titles = library.titles_by_sector()
    children = {name: mine for name in titles if (mine := library.children(name))}
    naming = Naming(titles, library.aliases_by_sector(), {name: library.fields(name) for name in titles}, children)
    wrong = [problem for problem in library.problems if problem.severity == "error"]
    if wrong:
        raise RuleFileError(wrong)
    return naming


def _day(as_of: dt.date | str | None) -> dt.date | None:
    if isinstance(as_of, dt.datetime):
        return as_of.date()
    if not isinstance(as_of, str):
        return as_of
    try:
        return dt.date.fromisoformat(as_of)
    except ValueError:
        raise InputError(f"as_of 的值“{as_of}”不是日期。请写成 2024-01-31 的样子，或传入 datetime.date。") from None


def named(sectors: Sequence[str], naming: Naming) -> list[str]:
    """The ids of the sectors named, once each; none where none was named and there are several."""
    if not sectors and len(naming.titles) == 1:
        return list(naming.titles)
    found = []
    for sector in sectors:
        name = naming.find(sector)
        if name is None:
            known = "、".join(f"{name}（{title}）" for name, title in naming.titles.items())
            hint = nearest(sector, [*naming.titles, *naming.titles.values()])
            raise InputError(f"没有“{sector}”这个行业。{hint}可用的行业：{known}。")
        found.append(name)
    return list(dict.fromkeys(found))


def _load(library: Library, sectors: Iterable[str]) -> Pack:
    pack, problems = library.load(sectors)
    wrong = [problem for problem in problems if problem.severity == "error"]
    if wrong:
        raise RuleFileError(wrong)
    return pack
