"""The table's own grade beside the engine's: rows on which 隐患等级 says another grade than the gravest criterion that is met.

The own grade is never an input. What it means is read as people write it (一般事故隐患, 一般3级, 较大, □一般 ☑重大 …); a bare number or letter means another
grade in every system (3 is 一般3级 in one and 重大 in another), so it is said to be unclear until a mapping settles it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from engine.chain import DATE
from engine.documents import GRADE_NAMES
from engine.identity import ENTERPRISE, REGION, SUBJECT
from engine.judging import Judged
from engine.result import GRADE_DIFFERENCES
from engine.tables import Origin

NONE, UNCLEAR = "none", "unclear"
RANKS = {NONE: 0, "violation": 0, "general": 1, "serious": 2, "major": 3}
"""How grave; a document that forbids without grading says nothing about the grade."""

_WORDS = (
    ("general", "非重大 不重大 不是重大 不属重大 不属于重大 未达重大 不构成重大 未构成重大 无重大 没有重大 未发现重大"),
    ("major", "重大 特大 major critical"),
    ("serious", "较大 重点 严重 较重 serious"),
    ("general", "一般 轻微 较小 general minor"),
    (NONE, "无 无隐患 没有 未发现 合格 符合 正常 不构成 none"),
)
_WHOLE = frozenset(("无", "正常", "合格", "符合", "没有", "none"))
_CHECKED, _BOX = "☑√✓✔■☒●◉▣", "□☐○◯"
_OPTION = re.compile(rf"([{_CHECKED}{_BOX}])")


def own_grade(text: str) -> str:
    """What an own grade means: major, serious, general, none, or unclear."""
    plain = "".join(unicodedata.normalize("NFKC", text).split()).casefold()
    marked = _marked(plain)
    if marked is not None:
        found = {grade for option in marked for grade in _named(option)}
        return found.pop() if len(found) == 1 else UNCLEAR
    found = _named(plain)
    return found.pop() if len(found) == 1 else UNCLEAR


def _named(plain: str) -> set[str]:
    """The grades that a text names; a word that stands in a longer one (重大 in 非重大) counts with it."""
    found: set[str] = set()
    rest = plain
    for grade, words in _WORDS:
        for word in words.split():
            if (rest == word) if word in _WHOLE else (word in rest):
                found.add(grade)
                rest = rest.replace(word, "|")
    return found


def _marked(plain: str) -> list[str] | None:
    """The options that are ticked in a text of boxes, None where there are no boxes. A box stands before its option or after it, as the first
    letter tells."""
    if not _OPTION.search(plain):
        return None
    pieces = [piece for piece in _OPTION.split(plain) if piece]
    before = pieces[0] in _CHECKED + _BOX
    chosen = []
    for at, piece in enumerate(pieces):
        if piece in _CHECKED:
            option = pieces[at + 1] if before and at + 1 < len(pieces) else pieces[at - 1] if not before and at else ""
            chosen.append(option)
    return chosen


@dataclass(frozen=True)
class Share:
    """What one sector judged: the outcome and the tables that it read."""

    judged: Judged
    origins: Sequence[Origin]


def grade_differences(shares: Sequence[Share]) -> pa.Table:
    """The rows on which the own grade and the engine's differ, graver by the engine first, as GRADE_DIFFERENCES. A row that several sectors judged counts
    once, with the gravest of them."""
    rows = [made for share in shares if (made := _rows(share)) is not None]
    if not rows:
        return GRADE_DIFFERENCES.empty_table()
    whole = pl.concat(rows).sort("__rank", descending=True, maintain_order=True, nulls_last=True)
    place = ["file", "sheet", "row"]
    whole = whole.group_by(place, maintain_order=True).agg(
        pl.col("sector").unique(maintain_order=True).str.join("、").alias("sectors"), pl.col("open", "suspected").sum(), pl.exclude("sector", "open", "suspected").first()
    )  # fmt: skip
    texts = whole["own"].unique().to_list()
    meaning = pl.DataFrame({"own": texts, "own_grade": [own_grade(text) for text in texts]}, schema={"own": pl.String, "own_grade": pl.String})
    whole = whole.join(meaning, on="own", how="left", maintain_order="left").with_columns(
        pl.col("own_grade").replace_strict(RANKS, default=None, return_dtype=pl.Int8).alias("__own"),
        pl.col("__rank").fill_null(0),
    )  # fmt: skip
    violation = pl.col("grade") == "violation"
    same = (pl.col("__own") == pl.col("__rank")) & ~(violation & (pl.col("own_grade") == NONE)).fill_null(False)
    same |= (violation & (pl.col("own_grade") == "general")).fill_null(False)
    unclear = pl.col("own_grade") == UNCLEAR
    kept = whole.filter(pl.when(unclear).then(pl.col("__rank") > 0).otherwise(~same)).rechunk()
    if not kept.height:
        return GRADE_DIFFERENCES.empty_table()
    return _told(kept).select(GRADE_DIFFERENCES.names).to_arrow().cast(GRADE_DIFFERENCES)


def _told(kept: pl.DataFrame) -> pl.DataFrame:
    """The rows with which way they differ and the reason in words, in order."""
    difference = (
        pl.when(pl.col("own_grade") == UNCLEAR).then(pl.lit(UNCLEAR))
        .when((pl.col("__rank") > pl.col("__own")) | ((pl.col("grade") == "violation") & (pl.col("own_grade") == NONE)).fill_null(False))
        .then(pl.lit("higher")).otherwise(pl.lit("lower"))
    )  # fmt: skip
    grades = {**GRADE_NAMES, NONE: "没有隐患"}
    made = kept.with_columns(
        difference.alias("difference"), pl.col("grade").replace_strict(grades, default="没有隐患", return_dtype=pl.String).alias("__grade"),
        pl.when(pl.col("suspected") > 0).then(pl.format("（疑似 {}）", "suspected")).otherwise(pl.lit("")).alias("__suspected"),
    ).rechunk()  # fmt: skip
    opened = pl.when(pl.col("open") > 0).then(pl.format("；另有待核实 {} 条{}", "open", "__suspected")).otherwise(pl.lit(""))
    by = (
        pl.when(pl.col("grade").is_not_null()).then(pl.format("按{}判为{}：{}", "basis", "__grade", "name")).otherwise(pl.lit("没有一条判定条款构成"))
    )
    made = made.with_columns(opened.alias("__opened"), by.alias("__by")).rechunk()
    unclear = pl.format("{}；表里写“{}”，说不清是哪一等，可在映射文件的 values 里写明", "__by", "own")
    plain = pl.format("{}；表里写“{}”{}", "__by", "own", "__opened")
    made = made.with_columns(
        pl.when(pl.col("difference") == UNCLEAR).then(unclear).otherwise(plain).alias("reason"),
        pl.when(pl.col("own_grade") != UNCLEAR).then(pl.col("own_grade")).alias("own_grade"),
        pl.when(pl.col("file") != "").then(pl.col("file")).alias("file"), pl.when(pl.col("sheet") != "").then(pl.col("sheet")).alias("sheet"),
        pl.col("sectors").alias("sector"),
    )  # fmt: skip
    order = pl.col("difference").replace_strict({"higher": 0, UNCLEAR: 1, "lower": 2}, return_dtype=pl.Int8)
    gravest = pl.max_horizontal(pl.col("__rank"), pl.col("__own").fill_null(0))
    return made.sort(order, -gravest.cast(pl.Int8), "__order", "row", maintain_order=True)


def _rows(share: Share) -> pl.DataFrame | None:
    """The rows that have an own grade, each with the gravest criterion that is met; None where the table has no such column."""
    judged, origins = share.judged, share.origins
    frame, criteria = judged.chained.frame, judged.sector.criteria
    field = next((name for name, one in judged.sector.fields.items() if one.role == "grade" and name in frame.columns), None)
    if field is None:
        return None
    own = frame.select(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("index"), pl.col(field).cast(pl.String).str.strip_chars().alias("own"),
        pl.col(ENTERPRISE).alias("enterprise"), pl.col(SUBJECT).alias("subject"), pl.col(REGION).alias("region"), pl.col(DATE).alias("date"), "__table",
        pl.col("__row").cast(pl.Int64).alias("row"),
    ).filter(pl.col("own").is_not_null() & (pl.col("own") != ""))  # fmt: skip
    about = pl.DataFrame(
        [
            (n, c.id, c.name, f"《{c.document.title}》（{c.document.number}）{c.clause}", c.grade, RANKS.get(c.grade, 0), c.status != "verified")
            for n, c in enumerate(criteria)
        ],
        schema={
            "__criterion": pl.UInt16, "criterion": pl.String, "name": pl.String, "basis": pl.String, "grade": pl.String, "__rank": pl.Int8,
            "__doubt": pl.Boolean,
        },
        orient="row",
    )  # fmt: skip
    met = judged.hits.filter("certain").rename({"criterion": "__criterion"}).join(about, on="__criterion", how="left", maintain_order="left")
    gravest = met.sort(["index", pl.col("__rank").neg(), "__doubt", "__criterion"]).group_by("index", maintain_order=True).first()
    open_ = (
        judged.hits.filter(~pl.col("certain")).group_by("index").agg(pl.len().cast(pl.Int64).alias("open"), pl.col("suspected").sum().cast(pl.Int64))
    )
    made = own.join(gravest.select("index", "criterion", "name", "basis", "grade", "__rank"), on="index", how="left", maintain_order="left")
    made = made.join(open_, on="index", how="left", maintain_order="left").with_columns(pl.col("open", "suspected").fill_null(0))
    table = made["__table"].cast(pl.UInt32)

    def of(values: Mapping[int, str | None] | Sequence[str | None], name: str) -> pl.Series:
        return pl.Series(name, list(values), dtype=pl.String).gather(table)

    return made.with_columns(
        of([o.file for o in origins], "file"), of([o.sheet for o in origins], "sheet"), of([o.headers.get(field) for o in origins], "column"),
        pl.lit(judged.sector.id).alias("sector"), table.alias("__order"),
    ).drop("index", "__table")  # fmt: skip
