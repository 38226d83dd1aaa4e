"""What is wrong with the data of a table: cells that cannot be read, facts that contradict one another, names that no look-up knows.

None of it is a hazard; all of it is listed with its cells.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from engine.chain import needed
from engine.evidence import shown
from engine.fields import DATE_FIELD
from engine.judging import Judged
from engine.result import DEFECTS
from engine.tables import Inspection


def defects_of(judged: Judged, inspection: Inspection, children: Mapping[str, Inspection]) -> pl.DataFrame:
    """The cells that could not be read and the contradictions of one sector's rows and child tables, with the columns of DEFECTS."""
    frame, clashes = judged.chained.frame, judged.chained.clashes
    unread = inspection.defects.select(DEFECTS.names)
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
    )  # fmt: skip
    read = [child.defects.select(DEFECTS.names) for child in children.values()]
    return pl.concat([unread, found, *_contradicted(judged, inspection), *read, _not_found(judged, children)], how="vertical_relaxed")


def _contradicted(judged: Judged, inspection: Inspection) -> list[pl.DataFrame]:
    """The cells of the rows that say what no honest row can. A row without a date of its own is not held to a date that the run lent it."""
    chained, sector, origins = judged.chained, judged.sector, inspection.origins
    if not sector.contradictions or inspection.owners:
        return []
    compiler = chained.compiler()
    truths = chained.frame.lazy().select(compiler.compile(one.when).fill_null(False).alias(str(n)) for n, one in enumerate(sector.contradictions))
    broken = truths.collect()
    own_date = inspection.frame[DATE_FIELD].is_not_null() if DATE_FIELD in inspection.frame.columns else None
    made = []
    for n, one in enumerate(sector.contradictions):
        rows = broken[str(n)]
        if DATE_FIELD in needed(sector, [one.when]):
            rows = rows & own_date if own_date is not None else rows & False
        index = rows.arg_true()
        if not len(index):
            continue
        values = chained.frame[index].select([shown(chained, sector, name).alias(name) for name in one.fields]).rechunk()
        table, row = chained.frame["__table"].gather(index), chained.frame["__row"].gather(index).cast(pl.Int64)
        said = values.select(
            pl.concat_str(
                [pl.when(pl.col(name).is_not_null()).then(pl.format("{}={}", pl.lit(name), pl.col(name))) for name in one.fields],
                separator="，", ignore_nulls=True,
            ).alias("said")
        )["said"]  # fmt: skip
        message = pl.DataFrame({"said": said}).select(pl.format("{}（{}），互相矛盾，判定用所填的值，请核对。", pl.lit(one.message), "said"))
        for name in one.fields:
            found = pl.DataFrame({
                "file": pl.Series([o.file for o in origins], dtype=pl.String).gather(table),
                "sheet": pl.Series([o.sheet for o in origins], dtype=pl.String).gather(table),
                "row": row, "column": pl.Series([o.headers.get(name) for o in origins], dtype=pl.String).gather(table),
                "value": values[name], "message": message.to_series(),
            }).filter(pl.col("value").is_not_null())  # fmt: skip
            made.append(found.with_columns(field=pl.lit(name), problem=pl.lit("contradiction")).select(DEFECTS.names))
    return made


def _not_found(judged: Judged, children: Mapping[str, Inspection]) -> pl.DataFrame:
    """The cells of child tables that no look-up knows."""
    made = []
    for name, child in children.items():
        lost = judged.missed.filter(pl.col("child") == name)
        if not lost.height:
            continue
        table, origins = lost["__table"], child.origins
        headers = [origins[t].headers.get(one) for t, one in zip(table, lost["field"], strict=True)]
        made.append(lost.select(
            pl.Series("file", [o.file for o in origins], dtype=pl.String).gather(table),
            pl.Series("sheet", [o.sheet for o in origins], dtype=pl.String).gather(table),
            pl.col("__row").cast(pl.Int64).alias("row"), pl.Series("column", headers, dtype=pl.String), "field", "value",
            pl.lit("not_found").alias("problem"),
            pl.format("“{}”在该日期施行的查找表里没有，“{}”按不知道处理。请核对名称，或填上类别或数值。", "value", "wanted").alias("message"),
        ))  # fmt: skip
    return pl.concat(made) if made else pl.DataFrame(schema={**dict.fromkeys(DEFECTS.names, pl.String), "row": pl.Int64})
