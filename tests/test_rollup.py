"""Partial sums: rows rolled up in parts, in any split and order, make the same enterprises as rolled up at once; ladders see their sectors."""

import dataclasses
import datetime as dt

import polars as pl
from hypothesis import given, settings, strategies as st

from engine.escalate import escalate
from engine.pack import Sector, load_pack
from engine.rollup import Share, gather, merge
from tests.test_escalate import SECTOR, SMALL, criterion

DAY = dt.date(2024, 6, 1)
LADDERS = load_pack(sector="gas").ladders
FACTS = {name: field for name, field in LADDERS.facts.items() if field.type in ("bool", "enum", "number", "integer")}


def _value(name: str) -> st.SearchStrategy[object]:
    field = FACTS[name]
    if field.type == "bool":
        return st.sampled_from([None, True, False])
    return st.sampled_from([None, *field.values]) if field.type == "enum" else st.sampled_from([None, 0.0, 2.0, 5.0])


@st.composite
def shares(draw: st.DrawFn) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A frame of inspection rows with some facts and deadlines, and hits on it."""
    names = draw(st.lists(st.sampled_from(sorted(FACTS)), max_size=4, unique=True))
    count = draw(st.integers(1, 12))
    day = st.integers(-400, 0).map(lambda n: DAY + dt.timedelta(n))
    row = st.fixed_dictionaries({
        "__enterprise": st.sampled_from(["甲", "乙", "丙"]), "__region": st.sampled_from([None, "信州区"]),
        "__subject": st.sampled_from([None, "一", "二"]), "__date": day, "检查日期": st.none() | day, "整改期限": st.none() | day,
        "隐患已整改": st.sampled_from([None, True, False]), **{name: _value(name) for name in names},
    })  # fmt: skip
    schema = {
        "__enterprise": pl.String, "__region": pl.String, "__subject": pl.String, "__date": pl.Date, "检查日期": pl.Date, "整改期限": pl.Date,
        "隐患已整改": pl.Boolean,
    } | {n: {"bool": pl.Boolean, "number": pl.Float64, "integer": pl.Int64}.get(FACTS[n].type, pl.Enum(FACTS[n].values)) for n in names}  # fmt: skip
    frame = pl.DataFrame(draw(st.lists(row, min_size=count, max_size=count)), schema=schema, strict=False)
    if draw(st.booleans()):
        frame = frame.drop("隐患已整改")
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, 6))
    found = draw(st.dictionaries(pairs, st.sampled_from(["met", "open", "suspected"]), max_size=20))
    hits = pl.DataFrame(
        [(index, number, how == "met", how == "suspected") for (index, number), how in sorted(found.items())],
        schema={"index": pl.UInt32, "criterion": pl.UInt16, "certain": pl.Boolean, "suspected": pl.Boolean}, orient="row",
    )  # fmt: skip
    return frame, hits


@settings(max_examples=150, deadline=None)
@given(shares(), st.randoms(use_true_random=False))
def test_any_split_of_the_rows_makes_the_same_enterprises(share: tuple[pl.DataFrame, pl.DataFrame], random: object) -> None:
    frame, hits = share
    sector = Sector("gas", "行业", {}, SECTOR.criteria, {}, (), frozenset())
    whole = escalate(LADDERS, gather(Share(sector, frame, hits), [sector], LADDERS))
    assert escalate(LADDERS, gather(Share(sector, frame, hits), [sector], LADDERS, whole=True)) == whole
    parts = []
    for part in range(3):
        rows = pl.Series([index for index in range(frame.height) if index % 3 == part], dtype=pl.UInt32)
        mine = pl.DataFrame({"index": rows}).with_row_index("new")
        moved = hits.join(mine, on="index", how="inner").with_columns(pl.col("new").cast(pl.UInt32).alias("index")).drop("new")
        if len(rows):
            parts.append(gather(Share(sector, frame[rows], moved), [sector], LADDERS))
    random.shuffle(parts)  # type: ignore[attr-defined]
    merged = escalate(LADDERS, merge([merge(parts[:2]), *parts[2:]]))
    regions = merged.column("region").to_pylist()  # the first region of an enterprise is that of its first row, which a shuffle may change
    assert all(region in (None, "信州区") for region in regions)
    key = "enterprise"
    assert merged.drop_columns("region").sort_by(key).to_pylist() == whole.drop_columns("region").sort_by(key).to_pylist()


def _two_sectors() -> tuple[Sector, Sector]:
    one = Sector("one", "甲业", {}, (criterion("1", "major"),), {}, (), frozenset())
    two = Sector("two", "乙业", {}, (criterion("2", "major"), criterion("3", "general")), {}, (), frozenset())
    return one, two


def _rows(*names: str) -> pl.DataFrame:
    return pl.DataFrame(
        [(name, None, None, DAY) for name in names],
        schema={"__enterprise": pl.String, "__region": pl.String, "__subject": pl.String, "__date": pl.Date}, orient="row",
    )  # fmt: skip


def _met(*pairs: tuple[int, int]) -> pl.DataFrame:
    schema = {"index": pl.UInt32, "criterion": pl.UInt16, "certain": pl.Boolean, "suspected": pl.Boolean}
    return pl.DataFrame([(index, number, True, False) for index, number in pairs], schema=schema, orient="row")


def test_an_enterprise_in_two_sectors_is_one_and_a_ladder_of_one_sector_sees_only_that_sector() -> None:
    one, two = _two_sectors()
    sectors = [one, two]
    roll = merge([
        gather(Share(one, _rows("甲", "乙"), _met((0, 0))), sectors, SMALL), gather(Share(two, _rows("甲", "丙"), _met((0, 0), (0, 1), (1, 0))), sectors, SMALL),
    ])  # fmt: skip
    found = {row["enterprise"]: row for row in escalate(SMALL, roll).to_pylist()}
    assert {name: (row["major"], row["general"], row["rows"]) for name, row in found.items()} == {"甲": (2, 1, 2), "乙": (0, 0, 1), "丙": (1, 0, 1)}
    main = next(ladder for ladder in SMALL.ladders if ladder.id == "main")
    narrow = dataclasses.replace(SMALL, ladders=(dataclasses.replace(main, sectors=("one",)),))
    levels = {row["enterprise"]: (row["major"], row["level"], row["level_possible"]) for row in escalate(narrow, roll).to_pylist()}
    assert levels == {"甲": (2, "限期整改", "限期整改"), "乙": (0, None, None), "丙": (1, None, None)}
    assert [row["reasons"][-1] for row in escalate(narrow, roll).to_pylist() if row["enterprise"] == "甲"] == [
        "达到“总阶梯”第1步“限期整改”：未整改隐患数 1 项。"
    ]
