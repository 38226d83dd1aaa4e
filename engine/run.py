"""One run from a table to a result: choose the sectors, read, judge. `engine/__init__.py` shows it to the world."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.identity import identify
from engine.judge import Progress, judge_frame
from engine.outcome import Part, Result, engine_version, manifest_of
from engine.pack import Library, Pack, open_library
from engine.problems import InputError, RuleFileError, nearest
from engine.tables import Naming, assign, bind, known_headers, load

__all__ = ["Result", "engine_version", "judge"]


def judge(
    table: object,
    pack: Pack | Library | Path | str | Iterable[Path | str] | None = None,
    sector: str | Sequence[str] | None = None,
    as_of: dt.date | str | None = None,
    include_unverified: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Judge an inspection table.

    `table`: a path (file, folder or pattern, "-" for standard input), several of them, or a pandas, pyarrow or polars frame. `pack`: a loaded pack, a library,
    a folder or folders of rules to stack on the shipped ones, or None for the shipped ones alone. `sector`: id or title, or several of them;
    None: by the column 行业 where it names sectors, each row then being judged in its own, else recognised by the columns. `as_of`: the day
    (a date, or text as 2024-01-31) on which rows without 检查日期 are judged; None: today. `include_unverified` puts criteria of status
    `uncertain` to work. `progress(done, total)` hears of rows judged. Raises InputError and RuleFileError."""
    folders = [pack] if isinstance(pack, str | Path) else pack
    library = folders if isinstance(folders, Library | Pack) else open_library([Path(p) for p in folders or ()])
    naming = _naming(library)
    wanted = _named([sector] if isinstance(sector, str) else list(sector or ()), naming)
    known = known_headers(field for name in (wanted or naming.fields) for field in naming.fields[name].values())
    assigned = assign(load(table, known), naming, wanted)
    loaded = library if isinstance(library, Pack) else _load(library, assigned.tables)
    sectors = [loaded.sectors[name] for name in assigned.tables]
    inspections = [bind(assigned.tables[one.id], one.fields) for one in sectors]
    frames = identify([(read.frame, one.fields) for read, one in zip(inspections, sectors, strict=True)])
    day = _day(as_of) or dt.date.today()
    report, total, done = progress, sum(frame.height for frame in frames), 0
    parts = []
    for one, read, frame in zip(sectors, inspections, frames, strict=True):
        heard: Progress | None = None
        if report is not None:

            def heard(rows: int, _: int, before: int = done) -> None:
                assert report is not None
                report(before + rows, total)

        parts.append(Part(judge_frame(frame, one, day, include_unverified, heard), read))
        done += frame.height
    manifest = manifest_of(parts, loaded, assigned.recognised, include_unverified, assigned.left_out)
    return Result(parts, loaded, assigned.defects, manifest)


def _naming(library: Library | Pack) -> Naming:
    """The names and fields of the sectors that can be judged. Raises RuleFileError when a dictionary is wrong."""
    if isinstance(library, Pack):
        sectors = library.sectors.values()
        return Naming({s.id: s.title for s in sectors}, {s.id: s.aliases for s in sectors}, {s.id: dict(s.fields) for s in sectors})
    titles = library.titles_by_sector()
    naming = Naming(titles, library.aliases_by_sector(), {name: library.fields(name) for name in titles})
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


def _named(sectors: Sequence[str], naming: Naming) -> list[str]:
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
