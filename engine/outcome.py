"""The outcome of a run: the judged parts, one a sector, and the result tables that are built from them when first asked for."""

from __future__ import annotations

import hashlib
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import polars as pl
import pyarrow as pa

from engine.authorities import Authorities
from engine.defects import defects_of
from engine.documents import Criterion
from engine.evidence import build
from engine.explain import Explanation, explain_rows
from engine.identity import ENTERPRISE, SUBJECT
from engine.judging import Judged, unlocks
from engine.ladder import Level
from engine.pack import Pack, Sector
from engine.problems import InputError, nearest
from engine.reading import Reading, readings
from engine.result import COVERAGE, DEFECTS, FINDINGS, UNDETERMINED
from engine.tables import ColumnMatch, Inspection, Origin


@dataclass(frozen=True)
class Part:
    """The rows of one sector: what was read (the child tables too) and how it was judged."""

    judged: Judged
    inspection: Inspection
    children: Mapping[str, Inspection] = field(default_factory=dict)

    @property
    def sector(self) -> Sector:
        """The sector whose criteria were judged."""
        return self.judged.sector


class Result:
    """The outcome of `judge`. The tables (pyarrow, columns as in docs/results.md) are built when first asked for."""

    def __init__(self, parts: Sequence[Part], pack: Pack, unassigned: pl.DataFrame, manifest: dict[str, object]):
        self._parts, self._pack, self._unassigned = tuple(parts), pack, unassigned
        self.manifest = manifest

    @cached_property
    def findings(self) -> pa.Table:
        """One row for each criterion that is met on a row of the table, in the order of the table."""
        return self._built(certain=True)

    @cached_property
    def undetermined(self) -> pa.Table:
        """One row for each criterion that is open on a row; first those whose `when` holds, then by the number of facts that are missing."""
        return self._built(certain=False)

    @cached_property
    def enterprises(self) -> pa.Table:
        """One row an enterprise, gravest first."""
        from engine.escalate import escalate
        from engine.rollup import Share, gather, merge

        sectors, ladders = [part.sector for part in self._parts], self._pack.ladders
        shares = [Share(part.sector, part.judged.chained.frame, part.judged.hits) for part in self._parts]
        return escalate(ladders, merge([gather(share, sectors, ladders, whole=True) for share in shares]), self.authorities)

    @cached_property
    def coverage(self) -> pa.Table:
        """One row a criterion: whether this table can decide it, and how many rows got which verdict."""
        return pa.concat_tables([_coverage(part.judged) for part in self._parts])

    @cached_property
    def defects(self) -> pa.Table:
        """One row for each cell that could not be read or contradicts what others say."""
        found = [defects_of(part.judged, part.inspection, part.children) for part in self._parts] + [self._unassigned.select(DEFECTS.names)]
        listed = pl.concat(found, how="vertical_relaxed").unique(maintain_order=True)
        listed = listed.with_columns(_null("file"), _null("sheet"), _null("column"))
        return listed.sort("file", "sheet", "row", "field", maintain_order=True, nulls_last=True).to_arrow().cast(DEFECTS)

    @cached_property
    def grade_differences(self) -> pa.Table:
        """One row for each row of the tables whose own 隐患等级 is another than the gravest criterion met on it."""
        from engine.grades import Share, grade_differences

        return grade_differences([Share(part.judged, part.inspection.origins) for part in self._parts])

    @cached_property
    def duplicates(self) -> pa.Table:
        """One row for each pair of enterprises that are probably one under two names; they are judged apart."""
        from engine.duplicates import duplicates
        from engine.identity import named

        parts = [named(part.judged.chained.frame, part.sector.fields) for part in self._parts]
        children = [named(child.frame, part.sector.children[name].fields) for part in self._parts for name, child in part.children.items()]
        return duplicates(pl.concat(parts), children)

    @property
    def sectors(self) -> tuple[Sector, ...]:
        """The sectors whose criteria were judged, each on its own rows."""
        return tuple(part.sector for part in self._parts)

    @property
    def levels(self) -> tuple[Level, ...]:
        """The rungs of the ladders, lowest first."""
        return self._pack.ladders.levels

    @property
    def authorities(self) -> Authorities:
        """The places and who answers there, as the rules name them."""
        return self._pack.authorities

    @cached_property
    def columns(self) -> tuple[ColumnMatch, ...]:
        """How each column of the tables was understood; one that no sector uses is listed once."""
        return tuple(column for reading in self.readings for column in reading.columns)

    @cached_property
    def readings(self) -> tuple[Reading, ...]:
        """The tables that were read: their columns, and the rows that were skipped."""
        read = [(part.sector.id, "", part.inspection, part.sector.fields) for part in self._parts]
        read += [
            (part.sector.id, name, child, part.sector.children[name].fields) for part in self._parts for name, child in part.children.items()
        ]  # fmt: skip
        return readings(read)

    @cached_property
    def origins(self) -> tuple[Origin, ...]:
        """The tables that were read, with the rows that were skipped."""
        found: dict[tuple[str, str], Origin] = {}
        for origin in (o for part in self._parts for read in (part.inspection, *part.children.values()) for o in read.origins):
            before = found.get((origin.file, origin.sheet), Origin(origin.file, origin.sheet, {}, 0))
            skipped = tuple(dict.fromkeys((*before.skipped, *origin.skipped)))
            found[origin.file, origin.sheet] = Origin(
                origin.file, origin.sheet, {**before.headers, **origin.headers}, before.rows + origin.rows, skipped
            )
        return tuple(found.values())

    @cached_property
    def unlock(self) -> tuple[tuple[tuple[str, ...], int], ...]:
        """Which columns to add next, and how many more criteria each step lets the table decide."""
        return unlocks([tally for part in self._parts for tally in part.judged.tallies])

    def explain(self, enterprise: str | None = None, criterion: str | None = None) -> list[Explanation]:
        """Why each criterion is met, not met or open. `enterprise` restricts to the rows of one enterprise or subject (by its whole name, else by a
        part of it that fits one enterprise only), `criterion` to one id; without `criterion` those that are not in force or do not
        apply, and those that this table cannot decide, are left out. Raises InputError when nothing bears the name."""
        wanted = self._named(enterprise)
        known = {c.id for part in self._parts for c in part.sector.criteria}
        if criterion and criterion not in known:
            raise InputError(f"没有条款“{criterion}”。{nearest(criterion, known)}用 hazard rules list 查看全部条款。")
        made: list[tuple[tuple[int, int], Explanation]] = []
        for part in self._parts:
            made += self._explained(part, wanted, criterion)
        return [one for _, one in sorted(made, key=lambda pair: pair[0])]

    def _explained(self, part: Part, wanted: tuple[str, str] | None, criterion: str | None) -> list[tuple[tuple[int, int], Explanation]]:
        frame = part.judged.chained.frame
        rows = list(range(frame.height)) if wanted is None else (frame[wanted[0]] == wanted[1]).fill_null(False).arg_true().to_list()
        if not rows:
            return []
        states = {c.id: t.state for c, t in zip(part.sector.criteria, part.judged.tallies, strict=True)}
        chosen = [c for c in part.sector.criteria if (c.id == criterion if criterion else states[c.id] in ("covered", "not_covered") and c.listed)]
        places = self._places()
        made = []
        for one in explain_rows(part.judged, part.inspection.origins, rows, chosen):
            open_one = one.verdict == "undetermined" and (one.suspected or states[one.criterion.id] == "covered")
            if criterion or one.verdict in ("met", "not_met") or open_one:
                made.append(((places[one.file, one.sheet], one.row), one))
        return made

    def _named(self, name: str | None) -> tuple[str, str] | None:
        """The column and the whole text that a name means."""
        if name is None:
            return None
        frames = [part.judged.chained.frame for part in self._parts]
        for column in (ENTERPRISE, SUBJECT):
            if any((frame[column] == name).any() for frame in frames):
                return column, name
        every = list(dict.fromkeys(title for frame in frames for title in frame[ENTERPRISE].unique(maintain_order=True).to_list()))
        names = [title for title in every if name in title]
        if len(names) == 1:
            return ENTERPRISE, names[0]
        if names:
            raise InputError(f"“{name}”可以指 {len(names)} 个单位：{'、'.join(names[:10])}{'…' if len(names) > 10 else ''}。请写全名。")
        raise InputError(f"表里没有单位或检查对象“{name}”。{nearest(name, every)}请核对名称，它要与表里写的一样。")

    def _places(self) -> dict[tuple[str, str], int]:
        return {(origin.file, origin.sheet): place for place, origin in enumerate(self.origins)}

    def _built(self, certain: bool) -> pa.Table:
        """The findings, or the undetermined ones, of all parts in one order."""
        built = [build(part.judged, part.inspection.origins, certain, self.authorities) for part in self._parts]
        if len(built) == 1:
            return built[0]
        schema = FINDINGS if certain else UNDETERMINED
        whole = pa.concat_tables(built)
        if not whole.num_rows:
            return schema.empty_table()
        order = pl.DataFrame(pl.from_arrow(whole.select(["file", "sheet", "row", *([] if certain else ["suspected", "missing"])]))).with_row_index(
            "__at"
        )
        places = pl.DataFrame([(*pair, at) for pair, at in self._places().items()], schema=["file", "sheet", "__place"], orient="row")
        places = places.with_columns(_null("file"), _null("sheet"))
        order = order.join(places, on=["file", "sheet"], how="left", nulls_equal=True, maintain_order="left")
        keys = [pl.col("__place"), pl.col("row"), pl.col("__at")]
        if not certain:
            keys = [~pl.col("suspected"), pl.col("missing").list.eval(pl.element().list.len()).list.min().fill_null(99), *keys]
        return whole.take(order.sort(keys)["__at"].to_arrow())


def _coverage(judged: Judged) -> pa.Table:
    rows = []
    for criterion, tally in zip(judged.sector.criteria, judged.tallies, strict=True):
        rows.append({
            "sector": judged.sector.id, "criterion": criterion.id, "name": criterion.name, "clause": criterion.clause,
            "document": criterion.document.number, "grade": criterion.grade or None, "status": criterion.status, "state": tally.state,
            "reason": _reason(criterion, tally.state, [sorted(way) for way in tally.missing]), "met": tally.met, "not_met": tally.not_met,
            "undetermined": tally.undetermined, "suspected": tally.suspected, "not_applicable": tally.not_applicable,
            "not_in_force": tally.not_in_force, "missing": [sorted(way) for way in tally.missing],
        })  # fmt: skip
    return pa.Table.from_pylist(rows, schema=COVERAGE)


def _reason(criterion: Criterion, state: str, missing: Sequence[Sequence[str]]) -> str | None:
    if state == "not_covered":
        return f"缺少列：{'、'.join(missing[0])}" if missing and missing[0] else "表里的列使它不可能构成"
    if state == "off":
        return "依据存疑，默认不用（--include-unverified 才用）"
    if state == "suspended":
        return criterion.suspended
    if state == "not_in_force":
        return f"各行的检查日期都不在施行期内（{criterion.start} 至 {criterion.end or '今'}）"
    return f"已由规则包替换：{criterion.replaced}" if criterion.replaced else None


def _null(name: str) -> pl.Expr:
    return pl.when(pl.col(name) != "").then(pl.col(name)).alias(name)


def manifest_of(parts: Sequence[Part], pack: Pack, recognised: bool, include_unverified: bool, left_out: int) -> dict[str, object]:
    """What a run was: versions, rules, inputs and counts. `recognised`: whether the sectors were found rather than named; `left_out`: the
    rows that belong to no sector judged."""
    counts: Counter[str] = Counter()
    states: Counter[str] = Counter()
    for tally in (tally for part in parts for tally in part.judged.tallies):
        states[tally.state] += 1
        for verdict in ("met", "not_met", "undetermined", "suspected", "not_applicable"):
            if tally.state == "covered":
                counts[verdict] += getattr(tally, verdict)
        if tally.state == "not_covered":  # of these only the suspected rows are listed
            counts["suspected"] += tally.suspected
            counts["undetermined"] += tally.suspected
    criteria = list({c.id: c for part in parts for c in part.sector.criteria}.values())
    frames = [part.judged.chained.frame for part in parts]
    flagged = [part.judged.chained.frame[ENTERPRISE].gather(part.judged.hits.filter("certain")["index"]) for part in parts]
    inputs: dict[tuple[str, str], dict[str, object]] = {}
    for origin in (o for part in parts for read in (part.inspection, *part.children.values()) for o in read.origins):
        one = inputs.setdefault(
            (origin.file, origin.sheet), {"name": origin.file, "sheet": origin.sheet, "rows": 0, "sha256": digest(origin.file), "skipped": 0}
        )
        one["rows"] = int(str(one["rows"])) + origin.rows
        one["skipped"] = max(int(str(one["skipped"])), len(origin.skipped))
    return {
        "versions": {"hazard": engine_version(), "python": platform.python_version(), "polars": version("polars"), "pyarrow": version("pyarrow")},
        "pack": {"titles": list(pack.titles), "files": [{"name": name, "sha256": digest} for name, digest in pack.files]},
        "inputs": list(inputs.values()),
        "sector": "、".join(part.sector.id for part in parts),
        "sector_title": "、".join(part.sector.title for part in parts),
        "sectors": [{"id": part.sector.id, "title": part.sector.title, "rows": part.judged.chained.frame.height} for part in parts],
        "sector_recognised": recognised,
        "as_of": parts[0].judged.as_of.isoformat(),
        "include_unverified": include_unverified,
        "rows": sum(frame.height for frame in frames),
        "rows_without_date": sum(part.inspection.dateless for part in parts),
        "rows_left_out": left_out,
        "enterprises": pl.concat([frame[ENTERPRISE] for frame in frames]).n_unique(),
        "flagged": pl.concat(flagged).n_unique(),
        "counts": {name: counts[name] for name in ("met", "not_met", "undetermined", "suspected", "not_applicable")},
        "criteria": {name: states[name] for name in ("covered", "not_covered", "not_in_force", "off", "suspended")},
        "criteria_off": states["off"],
        "suspended": [{"criterion": c.id, "reason": c.suspended} for c in criteria if c.suspended],
        "replaced": [{"criterion": c.id, "reason": c.replaced} for c in criteria if c.replaced],
    }


def digest(name: str) -> str | None:
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
