"""Who must act, put beside findings and enterprises: the place and its government, and who leads in the sectors."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from engine.authorities import Authorities, Responsibility


def located(frame: pl.DataFrame, region: pl.Series, authorities: Authorities) -> pl.DataFrame:
    """The frame with `place` and `government`: null where the region names no known place."""
    found = {text: place for text in region.unique().drop_nulls().to_list() if (place := authorities.places.find(text)) is not None}

    def column(values: list[str], name: str) -> pl.Series:
        return region.cast(pl.String).replace_strict(list(found), values, default=None, return_dtype=pl.String).alias(name)

    return frame.with_columns(
        column([place.name for place in found.values()], "place"), column([place.government for place in found.values()], "government")
    )


def assigned(frame: pl.DataFrame, sectors: pl.Series, authorities: Authorities) -> pl.DataFrame:
    """The frame with `committees`, `departments` (lists of text, never null) and `assignment` (one of BASES, null where nothing is said of the
    sectors). `sectors` names each row's sectors, joined by commas."""
    keys = sectors.unique(maintain_order=True)
    rows = [_of([authorities.by_sector[one] for one in key.split(",") if one in authorities.by_sector]) for key in keys.to_list()]
    texts = pl.List(pl.String)
    about = pl.DataFrame({
        "__sectors": keys, "committees": pl.Series([row[0] for row in rows], dtype=texts),
        "departments": pl.Series([row[1] for row in rows], dtype=texts), "assignment": pl.Series([row[2] for row in rows], dtype=pl.String),
    })  # fmt: skip
    named = frame.with_columns(sectors.alias("__sectors"))
    return named.join(about, on="__sectors", how="left", maintain_order="left").drop("__sectors")


def _of(those: Sequence[Responsibility]) -> tuple[list[str], list[str], str | None]:
    """The committees, the departments, and how sure that is, of some sectors together."""
    committees = list(dict.fromkeys(one.committee for one in those if one.committee))
    departments = list(dict.fromkeys(name for one in those for name in one.departments))
    basis = None if not those else "inferred" if any(one.basis == "inferred" for one in those) else "plan"
    return committees, departments, basis
