"""Who answers for a row: the enterprise, by 统一社会信用代码 where it is valid, else by its name; the subject and the region beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from engine.fields import Field

ENTERPRISE, REGION, SUBJECT = "__enterprise", "__region", "__subject"
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_WEIGHTS = [pow(3, i, 31) for i in range(17)]


def valid_code(code: str) -> bool:
    """Whether a text is a 统一社会信用代码 with the right check character (GB 32100-2015)."""
    if len(code) != 18 or any(ch not in _ALPHABET for ch in code):
        return False
    total = sum(weight * _ALPHABET.index(ch) for weight, ch in zip(_WEIGHTS, code, strict=False))
    return _ALPHABET[(31 - total % 31) % 31] == code[17]


def identify(parts: Sequence[tuple[pl.DataFrame, Mapping[str, Field]]]) -> list[pl.DataFrame]:
    """The frames with ENTERPRISE (never null), REGION and SUBJECT (String or null); an enterprise is the same one in all of them.

    Rows with one valid code are one enterprise, named as on its first named row; rows without one go by their name, compared without
    white space and width, and join a code that alone bears that name. A row with neither goes by its subject, else by its place."""
    keyed = _titled(pl.concat([_keyed(frame, fields) for frame, fields in parts]))
    made, start = [], 0
    for frame, _ in parts:
        made.append(frame.with_columns(keyed.slice(start, frame.height)))
        start += frame.height
    return made


def named(frame: pl.DataFrame, fields: Mapping[str, Field]) -> pl.DataFrame:
    """What the rows say of their enterprise: `name` as written, `plain` (without white space and width), `code` where it is valid, `region`, and the
    `title` that `identify` gave it (null where it was not asked)."""
    by_role = {field.role: name for name, field in fields.items() if field.role and name in frame.columns}

    def column(role: str) -> pl.Expr:
        return pl.col(by_role[role]).cast(pl.String) if role in by_role else pl.lit(None, dtype=pl.String)

    title = pl.col(ENTERPRISE) if ENTERPRISE in frame.columns else pl.lit(None, dtype=pl.String)
    made = frame.select(
        column("enterprise").alias("name"), _tidy(column("enterprise")).alias("plain"), _tidy(column("enterprise_code")).str.to_uppercase().alias("code"),
        column("region").alias("region"), title.alias("title"),
    )  # fmt: skip
    known = [code for code in made["code"].unique().drop_nulls().to_list() if valid_code(code)]
    return made.with_columns(pl.when(pl.col("code").is_in(known)).then(pl.col("code")))


def _keyed(frame: pl.DataFrame, fields: Mapping[str, Field]) -> pl.DataFrame:
    """What tells who a row is of, as far as the frame has it."""
    by_role = {field.role: name for name, field in fields.items() if field.role and name in frame.columns}

    def column(role: str) -> pl.Expr:
        return pl.col(by_role[role]).cast(pl.String) if role in by_role else pl.lit(None, dtype=pl.String)

    several = frame["__table"].n_unique() > 1
    place = pl.format("（第 {} 张表第 {} 行，未填单位）", pl.col("__table") + 1, "__row") if several else pl.format("（第 {} 行，未填单位）", "__row")
    return frame.select(
        column("enterprise").alias("name"), _tidy(column("enterprise")).alias("plain"), _tidy(column("enterprise_code")).str.to_uppercase().alias("code"),
        column("subject").alias("subject"), column("region").alias("region"), place.alias("place"),
    )  # fmt: skip


def _titled(keyed: pl.DataFrame) -> pl.DataFrame:
    if keyed["code"].null_count() < keyed.height:
        right = {code: valid_code(code) for code in keyed["code"].unique().drop_nulls().to_list()}
        known = [code for code, ok in right.items() if ok]
        keyed = keyed.with_columns(pl.when(pl.col("code").is_in(known)).then(pl.col("code")))
        owners = keyed.drop_nulls(["plain", "code"]).group_by("plain").agg(pl.col("code").unique().alias("codes"))
        lone = owners.filter(pl.col("codes").list.len() == 1).select("plain", pl.col("codes").list.first().alias("lone"))
        keyed = keyed.join(lone, on="plain", how="left", maintain_order="left").with_columns(pl.coalesce("code", "lone").alias("code"))
    keyed = keyed.with_columns(key=pl.coalesce("code", "plain", pl.format("\0{}", pl.col("subject")), pl.format("\1{}", "place")))
    titles = keyed.group_by("key", maintain_order=True).agg(
        pl.col("name").str.strip_chars().drop_nulls().first().alias("title"), pl.col("code").first().alias("owner"),
        pl.col("region").drop_nulls().first().alias("home"),
    )  # fmt: skip
    shared = pl.col("title").is_not_null() & pl.col("owner").is_not_null() & (pl.len().over("title") > 1)
    titles = titles.with_columns(
        pl.when(shared).then(pl.format("{}（{}）", "title", "owner")).otherwise(pl.coalesce("title", "owner")).alias("title")
    )
    keyed = keyed.join(titles, on="key", how="left", maintain_order="left")
    return keyed.select(
        pl.coalesce("title", "subject", "place").alias(ENTERPRISE), pl.coalesce("region", "home").alias(REGION), pl.col("subject").alias(SUBJECT)
    )


def _tidy(text: pl.Expr) -> pl.Expr:
    """Texts without white space and width. Nearly all are so already, and to see that is much cheaper than to make them so."""
    plain = text.str.normalize("NFKC").str.replace_all(r"\s+", "")
    odd = text.str.contains(r"[\s\x{00A0}-\x{00BF}\x{2000}-\x{2FFF}\x{3000}\x{3200}-\x{33FF}\x{F900}-\x{FAFF}\x{FE30}-\x{FFEF}]|\p{M}")
    made = pl.when(odd).then(plain).otherwise(text)
    return pl.when(made != "").then(made)
