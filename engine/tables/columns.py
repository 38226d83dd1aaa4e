"""One raw column -> one typed column and its faults. All columnar: Python sees distinct values only (`values.py`)."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from engine.fields import Field
from engine.problems import InputError
from engine.tables.table import MIXED
from engine.tables.values import (
    BLANK,
    CLASH,
    EXACT,
    FIRST_YEAR,
    LAST_YEAR,
    Bounds,
    Fault,
    Reader,
    Value,
    error_of,
    lost_digits,
    reader_of,
    whole,
)
from engine.units import ONE, Unit

FAULTS = {"index": pl.UInt32, "value": pl.String, "problem": pl.String, "message": pl.String}
_STRIP = " \t\r\n\u3000\xa0\u200b\ufeff"
_MOMENT = r"^\d{4}-\d{2}-\d{2}[ T]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?$"
_FEW = 16
_LONG = 1e15
"""A spreadsheet keeps 15 digits: a longer number in a text column is a code whose last digits are gone."""


@dataclass(frozen=True)
class Column:
    """A column read: `values` typed, null where blank or unreadable; `faults` (index, value, problem, message), one a faulty cell. Where cells
    give bounds, `values` holds the lower and `high` the upper ends (equal for a single value, null where there is no bound)."""

    values: pl.Series
    faults: pl.DataFrame
    high: pl.Series | None = None


def dtype_of(field: Field) -> pl.DataType:
    """The type of a field's column."""
    if field.type == "enum":
        return pl.Enum(list(field.values))
    plain: dict[str, pl.DataType] = {
        "bool": pl.Boolean(), "number": pl.Float64(), "integer": pl.Int64(), "date": pl.Date(), "text": pl.String(),
    }  # fmt: skip
    return plain[field.type]


def read_column(series: pl.Series, field: Field, unit: Unit | None = None, sheet: bool = False, bounds: bool = False) -> Column:
    """Read a raw column as `field`. `unit` is the header's (None: the field's own); `sheet` tells that numbers come from a workbook; with
    `bounds` a cell such as 50箱以下 gives the ends of what it can be, else it is a fault. Who and when a row is about must be certain: no bounds
    for a field with a role. Blank cells become `field.blank` where the field has one. Raises InputError for a column of lists and the like."""
    reader = reader_of(field, unit) if field.type != "text" else None
    bounds = bounds and not field.role
    if series.dtype == MIXED:
        parts = [part for part in series.struct.unnest() if part.null_count() < len(part)]
    else:
        parts = [series]
    read = [_read_part(part, field, unit, sheet, reader, bounds) for part in parts]
    values = read[0].values if read else pl.Series([None] * len(series), dtype=dtype_of(field))
    high = None
    if any(column.high is not None for column in read):
        ends = [column.values if column.high is None else column.high for column in read]
        filled = [column.values.is_not_null() | end.is_not_null() for column, end in zip(read, ends, strict=True)]
        high, values, settled = ends[0], read[0].values, filled[0]
        for more, end, mine in zip(read[1:], ends[1:], filled[1:], strict=True):
            high, values, settled = high.zip_with(settled, end), values.zip_with(settled, more.values), settled | mine
    else:
        for more in read[1:]:
            values = values.zip_with(values.is_not_null(), more.values)
    faults = pl.concat([column.faults for column in read]) if read else pl.DataFrame(schema=FAULTS)
    if field.blank is not None:
        told = values.is_not_null() if high is None else values.is_not_null() | high.is_not_null()
        filled_in = _fill_blank(values, told, faults, field, reader)
        high = None if high is None else high.zip_with(told, filled_in)
        values = filled_in
    return Column(values, faults, high)


def _fill_blank(values: pl.Series, told: pl.Series, faults: pl.DataFrame, field: Field, reader: Reader | None) -> pl.Series:
    """Give blank cells (those that are not `told`) the value that the field declares for them; unreadable cells stay null."""
    value = reader(field.blank or "") if reader else field.blank
    if isinstance(value, Fault):
        raise InputError(f"字段“{field.name}”的 blank 写的是“{field.blank}”，读不成它的取值：{value.message}请改正字段字典。")
    faulty = pl.int_range(len(values), dtype=pl.UInt32, eager=True).is_in(faults["index"].implode())
    filler = pl.Series([value], dtype=values.dtype).new_from_index(0, len(values))
    return filler.zip_with(~told & ~faulty, values)


def _read_part(series: pl.Series, field: Field, unit: Unit | None, sheet: bool, reader: Reader | None, bounds: bool) -> Column:
    kind = series.dtype
    quick = _quick(series, field, unit)
    if quick is not None:
        return Column(quick, pl.DataFrame(schema=FAULTS))
    if isinstance(kind, pl.Categorical | pl.Enum) or kind == pl.Categorical:
        return _from_categories(series, field, unit, reader, bounds)
    if kind == pl.String:
        return _from_text(series.str.strip_chars(_STRIP), field, unit, reader, bounds)
    if kind == pl.Boolean:
        return _from_truth(series, field, reader)
    if kind in (pl.Int64, pl.Float64):
        return _from_number(series, field, unit, sheet, reader, bounds)
    if kind == pl.Date or isinstance(kind, pl.Datetime):
        return _from_date(series, field, reader)
    raise InputError(f"“{field.name}”这一列是 {kind} 类型，不是一格一个值。请先把它展开成普通的列。")


def _quick(series: pl.Series, field: Field, unit: Unit | None) -> pl.Series | None:
    """The column at once where every cell already is what the field wants; None where it has to be looked into."""
    kind = series.dtype
    if kind == pl.Date and field.type == "date":
        low, high = series.min(), series.max()
        if low is None or (low.year >= FIRST_YEAR and high.year <= LAST_YEAR):  # type: ignore[union-attr]
            return series
    elif kind == pl.Int64 and field.type == "integer" and unit is None:
        low, high = series.min(), series.max()
        if low is None or (low > -EXACT and high < EXACT):  # type: ignore[operator]
            return series
    elif kind == pl.String and field.type == "enum" and len(field.values) <= _FEW:
        return _canonical(series, field)
    return None


def _canonical(series: pl.Series, field: Field) -> pl.Series | None:
    """Cells that all are blank or a value of the field as it is written: comparing with a few values is cheaper than looking texts up."""
    sample = series.head(1_000).drop_nulls()
    if not bool(sample.is_in(list(field.values)).all()):
        return None
    codes, left = pl.repeat(None, len(series), dtype=pl.UInt8, eager=True), series.len() - series.null_count()
    for code, value in enumerate(field.values):
        if not left:
            break
        same = (series == value).fill_null(False)
        count = int(same.sum())
        if count:
            left -= count
            codes = pl.repeat(code, len(series), dtype=pl.UInt8, eager=True).zip_with(same, codes)
    return None if left else codes.cat.to(dtype_of(field))


def _from_categories(series: pl.Series, field: Field, unit: Unit | None, reader: Reader | None, bounds: bool) -> Column:
    """Texts that the source already holds once each: the texts are read, the column only takes its values from them."""
    if isinstance(series.dtype, pl.Enum):
        categories = series.dtype.categories
    else:
        categories = series.unique().drop_nulls().cast(pl.String)
        series = series.cast(pl.Enum(categories))
    read = _from_text(categories.str.strip_chars(_STRIP), field, unit, reader, bounds)
    codes = series.to_physical().cast(pl.UInt32)
    values, high = read.values.gather(codes), None if read.high is None else read.high.gather(codes)
    if not read.faults.height:
        return Column(values, read.faults, high)
    at = (
        pl.DataFrame({"code": codes}).with_row_index("row").join(read.faults.rename({"index": "code"}), on="code", how="inner", maintain_order="left")
    )
    return Column(values, at.select(pl.col("row").cast(pl.UInt32).alias("index"), "value", "problem", "message"), high)


def _from_text(series: pl.Series, field: Field, unit: Unit | None, reader: Reader | None, bounds: bool) -> Column:
    if reader is None:
        return _as_text(series)
    if field.numeric:
        numbers = series.cast(pl.Float64, strict=False)
        numbers = numbers.set(~numbers.is_finite(), None)
        rest = series.set(numbers.is_not_null(), None)
        plain = _scaled(numbers, field, unit)
        faults = _integral(plain, series, field)
        if faults.height:
            plain = plain.scatter(faults["index"], None)
        other = _by_value(rest, reader, pl.Float64(), bounds)
        values = plain.zip_with(plain.is_not_null(), other.values)
        high = None if other.high is None else _cast(plain.zip_with(plain.is_not_null(), other.high), field)
        return Column(_cast(values, field), pl.concat([faults, other.faults]), high)
    if field.type == "date":
        dated = series.str.contains(_MOMENT)
        if not field.formats and bool(dated.any()):  # moments are many, days are few
            days = series.str.head(10).zip_with(dated.fill_null(False), series)
            read = _by_value(days, reader, dtype_of(field), bounds)
            return Column(read.values, _with_value(read.faults, series), read.high)
    return _by_value(series, reader, dtype_of(field), bounds)


def _with_value(faults: pl.DataFrame, series: pl.Series) -> pl.DataFrame:
    return faults.with_columns(value=series.gather(faults["index"])) if faults.height else faults


def _as_text(series: pl.Series) -> Column:
    """Text fields: blanks become null, leftover csv quotes go, codes that lost digits and error values are faults."""
    quoted = series.str.contains_any(['"'])
    if bool(quoted.any()):
        leftover = series.str.starts_with('"') | (series.str.ends_with('"') & (series.str.count_matches('"', literal=True) == 1))
        series = series.str.strip_chars('"' + _STRIP).zip_with(leftover.fill_null(False), series)
    short = series.set(series.str.len_bytes() > 12, None)
    blank = short.str.to_lowercase().is_in(list(BLANK)) if bool(series.is_not_null().any()) else series.is_null()
    series = series.set(blank.fill_null(False), None)
    odd = series.str.contains(rf"^#[A-Z]|^\d\.\d+[eE]\+\d+$|^{CLASH}").fill_null(False)
    if not bool(odd.any()):
        return Column(series, pl.DataFrame(schema=FAULTS))
    wrong = _by_value(series.set(~odd, None), lambda text: error_of(text) or lost_digits(text), pl.String())
    return Column(series.scatter(wrong.faults["index"], None), wrong.faults)


def _from_number(series: pl.Series, field: Field, unit: Unit | None, sheet: bool, reader: Reader | None, bounds: bool) -> Column:
    if not field.numeric:
        text = _number_text(series)
        if reader is not None:
            return _by_value(text, reader, dtype_of(field), bounds)
        if series.dtype == pl.Int64:
            return Column(text, pl.DataFrame(schema=FAULTS))
        lost = (series.abs() >= _LONG).fill_null(False)
        faults = _faults(lost, text, "lost_digits", "是长编号被存成了数，末尾几位已丢失，按空白处理，请按文本格式重新填写或导出。")
        return Column(text.set(lost, None), faults)
    numbers = series.cast(pl.Float64)
    bad = (~numbers.is_finite()).fill_null(False)
    faults = pl.DataFrame(schema=FAULTS)
    if bool(bad.any()):
        faults = _faults(bad, _number_text(series), "bad_number", "不是一个确定的数，按空白处理。")
    if sheet and field.unit is not None and field.unit.symbol == "%":
        unclear = ((numbers.abs() <= 1) & (numbers != 0)).fill_null(False)
        message = "可能是百分数格式的数（0.15 显示为 15%），分不清是 15 还是 0.15，按空白处理，请连同 % 写成文字。"
        faults = pl.concat([faults, _faults(unclear, _number_text(series), "bad_unit", message)])
        bad = bad | unclear
    numbers = _scaled(numbers.set(bad, None), field, unit)
    fractions = _integral(numbers, series, field)
    if fractions.height:
        numbers = numbers.scatter(fractions["index"], None)
    return Column(_cast(numbers, field), pl.concat([faults, fractions]))


def _from_truth(series: pl.Series, field: Field, reader: Reader | None) -> Column:
    if field.type == "bool":
        return Column(series, pl.DataFrame(schema=FAULTS))
    text = pl.Series([None, "TRUE", "FALSE"]).gather(pl.select(pl.when(series).then(1).when(~series).then(2).otherwise(0)).to_series())
    if reader is None:
        return Column(text, pl.DataFrame(schema=FAULTS))
    return _by_value(text, reader, dtype_of(field))


def _from_date(series: pl.Series, field: Field, reader: Reader | None) -> Column:
    if field.type == "date":
        days = series.cast(pl.Date)
        out = ~days.dt.year().is_between(FIRST_YEAR, LAST_YEAR)
        out = out.fill_null(False)
        faults = _faults(out, days.cast(pl.String), "impossible_date", f"的年份不在 {FIRST_YEAR}—{LAST_YEAR} 年，按空白处理，请核对。")
        return Column(days.set(out, None), faults)
    text = series.cast(pl.Date).cast(pl.String)
    if isinstance(series.dtype, pl.Datetime) and field.type == "text":
        timed = (series.dt.time() != dt.time()).fill_null(False)
        text = series.dt.strftime("%Y-%m-%d %H:%M:%S").zip_with(timed, text)
    if reader is None:
        return Column(text, pl.DataFrame(schema=FAULTS))
    if field.numeric:
        message = "是日期，不是数（表格软件会把 3/1 变成日期），按空白处理，请核对。"
        return Column(pl.Series([None] * len(text), dtype=dtype_of(field)), _faults(text.is_not_null(), text, "bad_number", message))
    return _by_value(text, reader, dtype_of(field))


def _by_value(series: pl.Series, read: Callable[[str], Value], dtype: pl.DataType, bounds: bool = False) -> Column:
    """Read each distinct text once and put the results in place. With `bounds` a cell that gives bounds is no fault."""
    distinct = series.unique().drop_nulls()
    if not len(distinct):
        return Column(pl.Series([None] * len(series), dtype=dtype), pl.DataFrame(schema=FAULTS))
    texts = distinct.to_list()
    results = [read(text) for text in texts]
    codes = series.cast(pl.Enum(distinct)).to_physical()
    high = None
    if bounds and any(isinstance(result, Bounds) for result in results):
        ends = [result.high if isinstance(result, Bounds) else None if isinstance(result, Fault) else result for result in results]
        high = pl.Series(ends, dtype=dtype, strict=False).gather(codes)
        results = [result.low if isinstance(result, Bounds) else result for result in results]
    values = pl.Series([None if isinstance(result, Fault) else result for result in results], dtype=dtype, strict=False).gather(codes)
    bad = {text: result for text, result in zip(texts, results, strict=True) if isinstance(result, Fault)}
    if not bad:
        return Column(values, pl.DataFrame(schema=FAULTS), high)
    wrong = pl.Series([isinstance(result, Fault) for result in results]).gather(codes).fill_null(False)
    index = wrong.arg_true().cast(pl.UInt32)
    problems = pl.Series([result.problem if isinstance(result, Fault) else None for result in results], dtype=pl.String)
    messages = pl.Series([result.message if isinstance(result, Fault) else None for result in results], dtype=pl.String)
    at = codes.gather(index)
    faults = pl.DataFrame(
        {"index": index, "value": series.gather(index), "problem": problems.gather(at), "message": messages.gather(at)}, schema=FAULTS
    )
    return Column(values, faults, high)


def _faults(mask: pl.Series, text: pl.Series, problem: str, message: str) -> pl.DataFrame:
    index = mask.arg_true().cast(pl.UInt32)
    if not len(index):
        return pl.DataFrame(schema=FAULTS)
    values = text.gather(index)
    frame = pl.DataFrame({"index": index, "value": values}).with_columns(
        problem=pl.lit(problem), message=pl.format("“{}”{}", pl.col("value"), pl.lit(message))
    )
    return frame.cast(FAULTS)  # type: ignore[arg-type]


def _number_text(series: pl.Series) -> pl.Series:
    """Numbers as a person would write them: 3.0 is 3."""
    if series.dtype == pl.Int64:
        return series.cast(pl.String)
    integral = ((series == series.floor()) & (series.abs() < _LONG)).fill_null(False)
    return series.set(~integral, None).cast(pl.Int64).cast(pl.String).zip_with(integral, series.cast(pl.String))


def _scaled(numbers: pl.Series, field: Field, unit: Unit | None) -> pl.Series:
    """From the header's unit to the field's: multiplied and divided by integers, so that 0.1 t is 100 kg exactly."""
    if unit is None:
        return numbers
    factor = unit.factor_to(field.unit or ONE)
    scaled = numbers * float(factor.numerator) if factor.numerator != 1 else numbers
    return scaled / float(factor.denominator) if factor.denominator != 1 else scaled


def _integral(numbers: pl.Series, text: pl.Series, field: Field) -> pl.DataFrame:
    """The faults of an integer field's numbers that are not integers; `text` are the cells, as texts or as numbers."""
    if field.type != "integer":
        return pl.DataFrame(schema=FAULTS)
    huge = (numbers.abs() >= EXACT).fill_null(False)
    odd = (numbers != numbers.floor()).fill_null(False) & ~huge
    found = [pl.DataFrame(schema=FAULTS)]
    for mask, example in ((odd, 0.5), (huge, float(EXACT))):
        if bool(mask.any()):
            text = text if text.dtype == pl.String else _number_text(text)
            found.append(_by_value(text.set(~mask, None), functools.partial(_not_whole, example, field), pl.Float64()).faults)
    return pl.concat(found)


def _not_whole(example: float, field: Field, text: str) -> Value:
    return whole(example, text, field)


def _cast(numbers: pl.Series, field: Field) -> pl.Series:
    return numbers.cast(pl.Int64) if field.type == "integer" else numbers
