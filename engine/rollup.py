"""Findings and facts -> one row an enterprise, by way of partial sums that can be added: of a batch of rows, of a sector, of a cluster's worker.

`gather` makes the partial sums of some rows, `merge` adds partial sums, `total` turns them into the enterprises' counts and facts, numbers
as intervals. Whatever the order in which the rows came, the totals are the same. What counts how is written down in docs/ladders.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from engine.columnar import HIGH
from engine.documents import Criterion
from engine.fields import DATE_FIELD, Field
from engine.identity import ENTERPRISE as KEY, REGION, SUBJECT
from engine.ladder import LATEST, OVERDUE, REPEATS, Count, Ladders, blank_value
from engine.pack import Sector

DATE, ENT = "__date", "__ent"
_WIDE = 1 << 20
"""More than there can be criteria."""
DEADLINE, RECTIFIED = "整改期限", "隐患已整改"
GRAVITY = ("general", "violation", "serious", "major")
"""The grades from light to grave; the rank of a grade is its place, from 1."""
REPEAT_MONTHS = 12


@dataclass(frozen=True)
class Share:
    """The rows of one sector, judged: `frame` has one row an inspection row (the columns of its fields, KEY and `__date` never null,
    REGION, SUBJECT); `hits` one row for each criterion that is met (`certain`) or undetermined on a row: `index` (position in the
    frame), `criterion` (index into `sector.criteria`), `certain`, `suspected`."""

    sector: Sector
    frame: pl.DataFrame
    hits: pl.DataFrame


@dataclass(frozen=True)
class Roll:
    """Partial sums. `names` are the enterprises, which the other frames call by their place in it (ENT). `base`: rows, last day, region, sector;
    `hits`: for each criterion whether it is certain, open, suspected, and the first two counting only what is not rectified; `days`: on
    which days a subject (by its hash) had it; `facts`: what the facts need; `late`: the deadlines. Criteria are numbered through all
    `sectors`."""

    sectors: tuple[Sector, ...]
    names: pl.Series
    base: pl.DataFrame
    hits: pl.DataFrame
    days: pl.DataFrame
    facts: pl.DataFrame
    late: pl.DataFrame

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        """All criteria, as `hits` and `days` number them."""
        return tuple(criterion for sector in self.sectors for criterion in sector.criteria)


def gather(share: Share, sectors: Sequence[Sector], ladders: Ladders, whole: bool = False) -> Roll:
    """The partial sums of some rows. `sectors` are all sectors of the run, in the order that the whole run uses; `whole` promises that
    the share has all rows of its sector, so that what one subject had on its only day need not be remembered."""
    number = [sector.id for sector in sectors].index(share.sector.id)
    offset = sum(len(sector.criteria) for sector in sectors[:number])
    names = share.frame[KEY].unique(maintain_order=True)
    ent = share.frame[KEY].cast(pl.Enum(names)).to_physical().cast(pl.UInt32).alias(ENT)
    frame = share.frame.with_columns(ent)
    sector = pl.lit(number, dtype=pl.UInt16).alias("sector")
    base = frame.select(ENT, REGION, DATE, sector, pl.lit(1, dtype=pl.UInt32).alias("rows"))
    hit = _described(share.hits, frame, offset)
    facts = [expr for name, field in ladders.facts.items() if name in frame.columns for expr in _parts(name, field)]
    return Roll(
        tuple(sectors), names, _based(base), _hit(hit), _dayed(_days(hit, frame, whole)),
        _summed(frame.select(ENT, DATE, sector, *facts), ENT, "sector"), _least(_late(frame, hit).with_columns(sector), ENT, "sector"),
    )  # fmt: skip


def merge(rolls: Sequence[Roll]) -> Roll:
    """Partial sums added up."""
    if len(rolls) == 1:
        return rolls[0]
    names = pl.concat([roll.names for roll in rolls]).unique(maintain_order=True)
    kind = pl.Enum(names)
    places = [roll.names.cast(kind).to_physical().cast(pl.UInt32) for roll in rolls]

    def joined(name: str) -> pl.DataFrame:
        frames: list[pl.DataFrame] = [getattr(roll, name) for roll in rolls]
        moved = [frame.with_columns(place.gather(frame[ENT]).alias(ENT)) for frame, place in zip(frames, places, strict=True)]
        return pl.concat(moved, how="diagonal")

    return Roll(
        rolls[0].sectors, names, _based(joined("base")), _hit(joined("hits")), _dayed(joined("days")),
        _summed(joined("facts"), ENT, "sector"), _least(joined("late"), ENT, "sector"),
    )  # fmt: skip


def _based(base: pl.DataFrame) -> pl.DataFrame:
    return base.group_by(ENT, "sector", maintain_order=True).agg(pl.col(REGION).drop_nulls().first(), pl.col(DATE).max(), pl.col("rows").sum())


def _hit(hits: pl.DataFrame) -> pl.DataFrame:
    marks = ("sure", "unsure", "suspected", "sure_open", "unsure_open")
    key = (pl.col(ENT).cast(pl.UInt64) * _WIDE + pl.col("criterion")).alias("key")
    made = hits.select(key, *marks).group_by("key").agg(pl.col(*marks).any())
    return made.select((pl.col("key") // _WIDE).cast(pl.UInt32).alias(ENT), (pl.col("key") % _WIDE).cast(pl.UInt32).alias("criterion"), *marks)


def _dayed(days: pl.DataFrame) -> pl.DataFrame:
    return days.group_by(ENT, "subject", "criterion", "day").agg(pl.col("sure").any())


def of_sectors(roll: Roll, wanted: Collection[str]) -> Roll:
    """The partial sums of some of the sectors only."""
    numbers = [n for n, sector in enumerate(roll.sectors) if sector.id in wanted]
    if len(numbers) == len(roll.sectors):
        return roll
    owners = pl.Series([n for n, sector in enumerate(roll.sectors) for _ in sector.criteria], dtype=pl.UInt16)

    def mine(frame: pl.DataFrame) -> pl.DataFrame:
        owner = frame["sector"] if "sector" in frame.columns else owners.gather(frame["criterion"])
        return frame.filter(owner.is_in(numbers))

    return Roll(roll.sectors, roll.names, mine(roll.base), mine(roll.hits), mine(roll.days), mine(roll.facts), mine(roll.late))


FRAMES = ("base", "hits", "days", "facts", "late")


def by_name(roll: Roll) -> dict[str, pl.DataFrame]:
    """The frames of partial sums, the enterprises by name (KEY, the first column) instead of by number."""
    frames: dict[str, pl.DataFrame] = {name: getattr(roll, name) for name in FRAMES}
    return {name: frame.select(roll.names.gather(frame[ENT]).alias(KEY), pl.all().exclude(ENT)) for name, frame in frames.items()}


def from_names(sectors: Sequence[Sector], frames: Mapping[str, pl.DataFrame]) -> Roll:
    """Partial sums from frames as `by_name` makes them."""
    names = pl.concat([frame[KEY] for frame in frames.values()]).unique(maintain_order=True)
    kind = pl.Enum(names)
    numbered = [frames[name].select(pl.col(KEY).cast(kind).to_physical().cast(pl.UInt32).alias(ENT), pl.all().exclude(KEY)) for name in FRAMES]
    return Roll(tuple(sectors), names, *numbered)


# Hits


def _described(hits: pl.DataFrame, frame: pl.DataFrame, offset: int) -> pl.DataFrame:
    """The hits with what counting needs of their rows."""
    index = hits["index"]
    open_ = (
        ~frame[RECTIFIED].gather(index).fill_null(False) if RECTIFIED in frame.columns else pl.repeat(True, len(index), eager=True, dtype=pl.Boolean)
    )
    dated = (
        frame[DATE_FIELD].gather(index).is_not_null() if DATE_FIELD in frame.columns else pl.repeat(True, len(index), eager=True, dtype=pl.Boolean)
    )
    certain = hits["certain"]
    return pl.DataFrame({
        ENT: frame[ENT].gather(index), "criterion": hits["criterion"].cast(pl.UInt32) + offset,
        "sure": certain, "unsure": ~certain, "suspected": hits["suspected"], "sure_open": certain & open_, "unsure_open": ~certain & open_,
        "day": frame[DATE].gather(index), "dated": dated, "index": index,
    })  # fmt: skip


def _days(hit: pl.DataFrame, frame: pl.DataFrame, whole: bool) -> pl.DataFrame:
    """The days on which a subject had a criterion; a row without a date of its own repeats nothing for certain."""
    subject = frame.select(pl.col(SUBJECT).hash(1).fill_null(0).alias("subject"))["subject"]
    if whole:  # on its only day nothing can come again
        days = pl.DataFrame([frame[ENT], subject, frame[DATE].alias("day")]).group_by(ENT, "subject").agg(
            pl.col("day").min().alias("first"), pl.col("day").max().alias("last")
        ).filter(pl.col("first") < pl.col("last")).with_columns(pl.lit(True).alias("again"))  # fmt: skip
        if not days.height:
            hit = hit.clear()
        else:
            again = pl.DataFrame([frame[ENT], subject]).join(days, on=[ENT, "subject"], how="left", maintain_order="left")["again"].fill_null(False)
            hit = hit.filter(again.gather(hit["index"]))
    return hit.select(ENT, subject.gather(hit["index"]).alias("subject"), "criterion", "day", (pl.col("sure") & pl.col("dated")).alias("sure"))


def _repeats(days: pl.DataFrame, latest: pl.DataFrame) -> pl.DataFrame:
    """How often the same criterion came again on the same subject, on other days of the twelve months up to the last inspection: the most
    over the criteria."""
    recent = days.join(latest, on=ENT, how="left").filter(pl.col("day") >= pl.col("date").dt.offset_by(f"-{REPEAT_MONTHS}mo"))
    again = recent.group_by(ENT, "subject", "criterion").agg(
        pl.col("day").filter("sure").n_unique().alias("low"), pl.col("day").n_unique().alias("high")
    )
    ends = {"low": REPEATS.name, "high": REPEATS.name + HIGH}
    return again.group_by(ENT).agg([(pl.col(end).max().cast(pl.Int64) - 1).clip(0).alias(name) for end, name in ends.items()])


def _counted(base: pl.DataFrame, hit: pl.DataFrame, criteria: Sequence[Criterion], counts: Mapping[str, Count]) -> pl.DataFrame:
    """The enterprises with their counts of hazards: by grade, `suspected`, `undetermined`, and each named count as an interval."""
    for still_open in (False, True):
        named = {name: count for name, count in counts.items() if count.open == still_open}
        if still_open and not named:
            continue
        sure, unsure = ("sure_open", "unsure_open") if still_open else ("sure", "unsure")
        part = hit.filter(pl.col(sure) | pl.col(unsure))
        aggs = []
        for name, count in named.items():
            wide = dataclasses.replace(count, grades=())
            fits = pl.Series([wide.matches(c.grade, c.campaign, c.id, c.duty) for c in criteria], dtype=pl.Boolean)
            part = part.with_columns(fits.gather(part["criterion"]).alias(f"fits {name}"))
            aggs += [(pl.col(f"fits {name}") & pl.col(sure)).any().alias(f"sure {name}"), pl.col(f"fits {name}").any().alias(f"fits {name}")]
        for rank in range(1, len(GRAVITY) + 1):
            aggs.append(((pl.col("rank") == rank) & pl.col(unsure)).any().alias(f"open {rank}"))
        hazards = part.group_by(ENT, "hazard").agg(
            pl.col("rank").filter(pl.col(sure)).max().fill_null(0).alias("top"), pl.col("suspected").any().alias("suspected"), *aggs
        )
        totals = []
        for name, count in named.items():
            low, high = _interval(name, count)
            totals += [low.sum().cast(pl.Int64).alias(name), high.sum().cast(pl.Int64).alias(name + HIGH)]
        if not still_open:
            totals += [(pl.col("top") == rank).sum().alias(grade) for rank, grade in enumerate(GRAVITY, 1)]
            totals += [(pl.col("top") == 0).sum().alias("undetermined"), ((pl.col("top") == 0) & pl.col("suspected")).sum().alias("suspected")]
        base = base.join(hazards.group_by(ENT).agg(totals), on=ENT, how="left", maintain_order="left")
    added = [name for name in base.columns if name not in (ENT, REGION, "rows", "date", "sectors")]
    return base.with_columns(pl.col(added).fill_null(0)) if added else base


def _interval(name: str, count: Count) -> tuple[pl.Expr, pl.Expr]:
    """Whether a hazard certainly and possibly belongs to a count. Its grade will be that of its gravest finding: the gravest certain one,
    or that of an undetermined one graver still."""
    wanted = [rank for rank, grade in enumerate(GRAVITY, 1) if not count.grades or grade in count.grades]
    others = [rank for rank in range(1, len(GRAVITY) + 1) if rank not in wanted]
    top = pl.col("top")
    rising = {rank: pl.col(f"open {rank}") & (top < rank) for rank in range(1, len(GRAVITY) + 1)}
    sure, fits = pl.col(f"sure {name}"), pl.col(f"fits {name}")
    low = sure & top.is_in(wanted) & ~pl.any_horizontal([pl.lit(False), *(rising[rank] for rank in others)])
    high = fits & (top.is_in(wanted) | pl.any_horizontal([pl.lit(False), *(rising[rank] for rank in wanted)]))
    return low, high


# Facts: the value of an enterprise from its rows. A blank is unknown: it leaves a maximum without an upper end, a minimum without a lower one,
# anything else unknown unless the other rows settle it.


def _how(field: Field) -> str:
    return field.across or {"bool": "any", "number": "max", "integer": "max"}.get(field.type, "latest")


def _parts(name: str, field: Field) -> list[pl.Expr]:
    value, how = pl.col(name), _how(field)
    blank = value.is_null().alias(f"{name} blank")
    if how == "latest":  # alone in keeping two ends: equal when all rows of the last day agree
        text = value.cast(pl.String) if field.type == "enum" else value
        return [text.alias(f"{name} low"), text.alias(f"{name} high"), blank.alias(f"{name} open")]
    return [value.alias(f"{name} {how}"), blank]


def _summed(facts: pl.DataFrame, *by: str) -> pl.DataFrame:
    """The parts of facts, added up by `by`."""
    names = [name for name in facts.columns if name not in (ENT, DATE, "sector")]
    latest = sorted({name.removesuffix(" low") for name in names if name.endswith(" low")})
    made = [_merged(name) for name in names if not name.endswith((" low", " high"))] + [expr for name in latest for expr in _latest(name)]
    return facts.group_by(by).agg(pl.col(DATE).max(), *made)


def _merged(name: str) -> pl.Expr:
    how = name.rsplit(" ", 1)[1]
    column = pl.col(name)
    if how == "blank":  # null on the rows of a table without the column: blank beside rows that have it, and nothing where none has
        return pl.when(column.is_not_null().any()).then(column.fill_null(True).any())
    if how == "any":
        return column.any(ignore_nulls=True)
    if how == "open":
        return pl.when(column.is_not_null().any()).then(column.fill_null(True).filter(pl.col(DATE) == pl.col(DATE).max()).any())
    return {"max": column.max, "min": column.min, "sum": column.sum}[how]()


def _latest(name: str) -> list[pl.Expr]:
    last = pl.col(DATE) == pl.col(DATE).max()
    return [pl.col(f"{name} low").filter(last).min(), pl.col(f"{name} high").filter(last).max()]


def _fact(name: str, field: Field) -> list[pl.Expr]:
    how = _how(field)
    if how == "latest":
        low, high = pl.col(f"{name} low"), pl.col(f"{name} high")
        value: pl.Expr = pl.when(~pl.col(f"{name} open") & (low == high)).then(low)
        return [(value.cast(pl.Enum(list(field.values))) if field.type == "enum" else value).alias(name)]
    value, whole = pl.col(f"{name} {how}"), ~pl.col(f"{name} blank").fill_null(True)
    if how == "any":
        return [pl.when(value).then(True).when(whole).then(False).alias(name)]
    sure = pl.when(whole).then(value)
    if how == "sum" or not field.numeric:
        return [sure.alias(name)]
    return [(value if how == "max" else sure).alias(name), (sure if how == "max" else value).alias(name + HIGH)]


# Deadlines


def _late(frame: pl.DataFrame, hit: pl.DataFrame) -> pl.DataFrame:
    """What tells for how many days the oldest deadline has been missed.

    A row that is rectified is not overdue. One that is recorded as not rectified is overdue up to the enterprise's last inspection. Without a
    record, it is for certain only as far as its own inspection still found the hazard; with a blank record it may be up to the last one.
    A finding without a deadline may be overdue by any number of days."""
    if DEADLINE not in frame.columns:
        return pl.DataFrame(schema={
            ENT: pl.UInt32, "own": pl.Int64, "own_all": pl.Int64, "recorded": pl.Date, "rest": pl.Date, "endless": pl.Boolean,
        })  # fmt: skip
    seen = hit.group_by("index").agg(pl.col("sure").any().alias("certain"))
    joined = frame.with_row_index("index").join(seen, on="index", how="left", maintain_order="left")
    state = pl.col(RECTIFIED) if RECTIFIED in frame.columns else pl.lit(None, dtype=pl.Boolean)
    done, recorded = state.fill_null(False), ~state.fill_null(True)
    own = (pl.col(DATE) - pl.col(DEADLINE)).dt.total_days().clip(0)
    found, certain = pl.col("certain").is_not_null(), pl.col("certain").fill_null(False)
    ever = RECTIFIED in frame.columns
    rest = pl.when(~done).then(pl.col(DEADLINE))
    return joined.select(
        ENT,
        pl.when(~done & ~recorded & certain).then(own).alias("own"),
        (pl.lit(None, dtype=pl.Int64) if ever else own).alias("own_all"),
        pl.when(recorded).then(pl.col(DEADLINE)).alias("recorded"),
        (rest if ever else pl.lit(None, dtype=pl.Date)).alias("rest"),
        (~done & pl.col(DEADLINE).is_null() & found).alias("endless"),
    )


def _least(late: pl.DataFrame, *by: str) -> pl.DataFrame:
    return late.group_by(by).agg(pl.col("own", "own_all").max(), pl.col("recorded", "rest").min(), pl.col("endless").any())


def _overdue(late: pl.DataFrame, latest: pl.DataFrame) -> pl.DataFrame:
    def since(name: str) -> pl.Expr:
        return (pl.col("date") - pl.col(name)).dt.total_days().clip(0)

    ends = _least(late, ENT).join(latest, on=ENT, how="left")
    low = pl.max_horizontal(since("recorded"), "own", pl.lit(0))
    high = pl.max_horizontal(since("rest"), "own_all", pl.lit(0))
    return ends.select(ENT, low.cast(pl.Int64).alias(OVERDUE.name), pl.when(~pl.col("endless")).then(high.cast(pl.Int64)).alias(OVERDUE.name + HIGH))


# The whole


@dataclass(frozen=True)
class Enterprises:
    """One row an enterprise, in the order of their first rows: counts and facts, numbers as intervals. `hit` has for each of its criteria
    its rank, its hazard and whether it is certain; `absent` are the facts for which no table had a column."""

    table: pl.DataFrame
    hit: pl.DataFrame
    absent: frozenset[str]


def total(roll: Roll, ladders: Ladders) -> Enterprises:
    """The enterprises of all rows that went into the partial sums."""
    criteria = roll.criteria
    hazards = {name: n for n, name in enumerate(dict.fromkeys(c.hazard for c in criteria))}
    ranks = pl.Series([GRAVITY.index(c.grade) + 1 if c.grade else 0 for c in criteria], dtype=pl.Int8)
    numbers = pl.Series([hazards[c.hazard] for c in criteria], dtype=pl.UInt32)
    hit = roll.hits.with_columns(numbers.gather(roll.hits["criterion"]).alias("hazard"), ranks.gather(roll.hits["criterion"]).alias("rank"))
    base = roll.base.group_by(ENT, maintain_order=True).agg(
        pl.col(REGION).drop_nulls().first(), pl.col("rows").sum(), pl.col(DATE).max().alias("date"), pl.col("sector").unique().sort().alias("sectors")
    )
    table = _counted(base, hit, criteria, ladders.counts)
    latest = base.select(ENT, "date")
    stated = [name for name in roll.facts.columns if name not in (ENT, DATE, "sector") and roll.facts[name].null_count() < roll.facts.height]
    known = {name.removesuffix(" blank").removesuffix(" open") for name in stated if name.endswith((" blank", " open"))}
    facts = _summed(roll.facts, ENT).select(ENT, *(expr for name, field in ladders.facts.items() if name in known for expr in _fact(name, field)))
    table = table.join(facts, on=ENT, how="left", maintain_order="left")
    table = table.with_columns(pl.col("date").alias(LATEST.name), *(
        pl.lit(float(parameter.value)).alias(name) for name, parameter in ladders.parameters.items()
    ))  # fmt: skip
    table = table.join(_repeats(roll.days, latest), on=ENT, how="left", maintain_order="left")
    table = table.with_columns(pl.col(REPEATS.name, REPEATS.name + HIGH).fill_null(0))
    absent = set(ladders.facts) - known
    for name in sorted(absent):
        value = blank_value(ladders.facts[name])
        if value is not None:
            table = table.with_columns(pl.lit(value).alias(name))
            absent.discard(name)
    if roll.late.height:
        table = table.join(_overdue(roll.late, latest), on=ENT, how="left", maintain_order="left")
    else:
        absent.add(OVERDUE.name)
    return Enterprises(table.with_columns(roll.names.gather(table[ENT]).alias(KEY)), hit, frozenset(absent))
