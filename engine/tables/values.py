"""One cell's text -> a value of a field's type, or the fault that says why it cannot be read. Plain Python, called once for each
distinct value. The rule of the room: whatever is not certain is a fault, never a guess (50箱以下 is not 50)."""

from __future__ import annotations

import calendar
import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

from engine.fields import Field
from engine.problems import nearest
from engine.tables.headers import unit_of
from engine.units import ONE, Unit


@dataclass(frozen=True)
class Fault:
    """Why a cell cannot be read: a short code and one Chinese sentence."""

    problem: str
    message: str


Value: TypeAlias = "bool | float | dt.date | str | Fault | None"
Reader: TypeAlias = Callable[[str], Value]

BLANK = frozenset(("", "none", "null", "nan", "-", "--", "—", "——", "–", "−", "/", "\\", "<na>", "nat"))
_TRUE = "是 有 √ ✓ ✔ ☑ ■ 合格 符合 已 对 y yes true 1 1.0 t 具备"
_FALSE = "否 无 × ✗ ✘ ╳ ☐ □ 不合格 不符合 未 错 n no false 0 0.0 f 不具备"
_ERROR = re.compile(r"#(DIV/0!|N/A|NAME\?|NULL!|NUM!|REF!|VALUE!|GETTING_DATA|SPILL!|CALC!)$", re.IGNORECASE)
_LOST_DIGITS = re.compile(r"\d\.\d+e\+\d+$", re.IGNORECASE)
_NUMBER = re.compile(r"([+-]?)(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?(.*)$", re.IGNORECASE | re.DOTALL)
_MAX_TEXT = 60
EXACT = 2**53

_TIME = (
    r"(?:[T\s]\s*|(?<=[日号])\s*)(?:上午|下午|am|pm)?\s*([01]?\d|2[0-4])(?::[0-5]?\d(?::[0-5]?\d(?:[.,]\d+)?)?|[时点](?:[0-5]?\d分(?:[0-5]?\d秒)?)?)"
    r"\s*(?:am|pm)?\s*(Z|[+-]\d{2}:?\d{2}|[A-Z]{2,5})?"
)
_DATE = re.compile(
    rf"(\d{{4}})(?:([-/.])\s*(\d{{1,2}})\s*\2\s*(\d{{1,2}})|年(\d{{1,2}})月(\d{{1,2}})[日号]|(\d{{2}})(\d{{2}}))(?:{_TIME})?$", re.IGNORECASE
)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})([01]\d|2[0-4])([0-5]\d)([0-5]\d)?$")
_MONTH = re.compile(r"(19|20)\d{2}(?:\s*[-/.年]\s*(0?[1-9]|1[0-2])月?|(0[1-9]|1[0-2]))$")
_FORMATS = {
    "yyyymmdd": r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})$",
    "yyyy-mm-dd": r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})$",
    "yyyy/mm/dd": r"(?P<y>\d{4})/(?P<m>\d{1,2})/(?P<d>\d{1,2})$",
    "mm/dd/yyyy": r"(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>\d{4})$",
    "dd/mm/yyyy": r"(?P<d>\d{1,2})/(?P<m>\d{1,2})/(?P<y>\d{4})$",
}
FIRST_YEAR, LAST_YEAR = 1900, 2100
FIRST_SERIAL, LAST_SERIAL = 20_000, 80_000
_EPOCH = dt.date(1899, 12, 30)


def tidy(text: str) -> str:
    """Half width, without white space and leftover quotes at the ends; ✓ and the like stay as they are."""
    return unicodedata.normalize("NFKC", text).strip(" \t\r\n\xa0\u200b\ufeff").strip('"').strip()


def token(text: str) -> str:
    """A word for comparison: tidy, without inner white space, case folded."""
    return "".join(tidy(text).split()).casefold()


def shown(text: str) -> str:
    """A value as a message quotes it: cut when long."""
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"


def is_blank(text: str) -> bool:
    """Whether a text cell stands for nothing: empty, a bare dash or slash, None, null, NaN. 无 is a value."""
    return token(text) in BLANK


def reader_of(field: Field, unit: Unit | None = None) -> Reader:
    """The reader of text cells for a field of any type but text. `unit` is that of the header, None for the field's own."""
    read = {"bool": _bool_reader, "enum": _enum_reader}.get(field.type)
    if read is not None:
        return _guarded(read(field))
    if field.type == "date":
        return _guarded(lambda text: read_date(text, field.formats))
    return _guarded(lambda text: read_number(text, field, unit))


def _guarded(read: Reader) -> Reader:
    def guarded(text: str) -> Value:
        return error_of(text) or read(text)

    return guarded


def error_of(text: str) -> Fault | None:
    """The fault of a cell that holds an error value of a spreadsheet."""
    if _ERROR.match(tidy(text)):
        return Fault("error_cell", f"这一格是表格软件的错误值“{shown(text)}”，按空白处理，请改正公式或填写数值。")
    return None


def lost_digits(text: str) -> Fault | None:
    """The fault of a code that a spreadsheet turned into a number (1.1E+17), of which the last digits are gone."""
    if _LOST_DIGITS.match(text.strip()):
        return Fault("lost_digits", f"“{shown(text)}”是被表格软件变成数的长编号，末尾几位已丢失，按空白处理，请按文本格式重新填写或导出。")
    return None


def _words(words: Iterable[str]) -> set[str]:
    return {token(word) for word in words}


def _bool_reader(field: Field) -> Reader:
    own_true, own_false = _words(field.true), _words(field.false)
    known: dict[str, bool] = dict.fromkeys(_words(_TRUE.split()), True) | dict.fromkeys(_words(_FALSE.split()), False)
    known |= dict.fromkeys(own_true, True) | dict.fromkeys(own_false, False)
    for both in own_true & own_false:
        del known[both]
    own = [*field.true, *field.false]
    hint = f"，或这一列的 {'、'.join(own[:6])}" if own else ""

    def read(text: str) -> Value:
        word = token(text)
        if word in known:
            return known[word]
        if word in BLANK:
            return None
        return Fault("bad_bool", f"“{shown(text)}”不是“是/否”一类的写法，按空白处理，请写 是/否、有/无、√/×{hint}。")

    return read


def _enum_reader(field: Field) -> Reader:
    exact = dict(field.synonyms) | {value: value for value in field.values}
    folded: dict[str, str | None] = {}
    for word, value in exact.items():
        key = token(word)
        folded[key] = value if folded.get(key, value) == value else None

    def read(text: str) -> Value:
        value = exact.get(text) or exact.get(text.strip()) or folded.get(token(text))
        if value is not None:
            return value
        if is_blank(text):
            return None
        near = nearest(tidy(text), exact) or f"可填：{'、'.join(field.values[:12])}{'…' if len(field.values) > 12 else ''}。"
        return Fault("bad_enum", f"“{shown(text)}”不是“{field.name}”的取值，按空白处理。{near}")

    return read


def read_number(text: str, field: Field, unit: Unit | None = None) -> Value:
    """A number in the field's unit. `unit` is what a bare number is in (None: the field's unit); a unit in the cell wins over it."""
    plain = tidy(text).replace("−", "-").replace("－", "-")
    if is_blank(plain):
        return None
    own = field.unit or ONE
    found = _NUMBER.match(plain)
    wrong = Fault("bad_number", f"“{shown(text)}”不是一个确定的数，按空白处理，请只写数字（可带单位）。")
    if found is None:
        return wrong
    sign, digits, exponent, rest = found.groups()
    stated = unit or own
    if rest.strip():
        symbol = rest.strip()
        raw = re.search(r"[^\d.,\s][^\d]*[²³]?$", text.strip().strip('"'))
        named = (unit_of(raw[0]) if raw else None) or unit_of(symbol)
        if named is None or symbol[0].isdigit():
            return wrong
        stated = named
    if stated.dimensions != own.dimensions:
        return Fault("bad_unit", f"“{shown(text)}”的单位与“{field.name}”的单位（{own}）不是一类，换算不了，按空白处理。")
    value = Fraction(Decimal(sign + digits.replace(",", "") + (exponent or ""))) * stated.factor_to(own)
    try:
        return whole(float(value), text, field)
    except OverflowError:
        return wrong


def whole(value: float, text: str, field: Field) -> Value:
    """The value, or for an integer field the fault that it is no integer."""
    if field.type == "integer" and value != int(value):
        return Fault("not_integer", f"“{shown(text)}”不是整数，“{field.name}”要填整数，按空白处理。")
    if field.type == "integer" and abs(value) >= EXACT:
        return Fault("bad_number", f"“{shown(text)}”大得不像“{field.name}”，按空白处理，请核对。")
    return value


def read_date(text: str, formats: tuple[str, ...] = ()) -> Value:
    """A date from text; the time of day is dropped, except that a moment in universal time (Z, +00:00) becomes the Beijing date.

    With `formats` (keys of `engine.fields.FORMATS`) only these count."""
    plain = tidy(text)
    if is_blank(plain):
        return None
    if formats:
        for name in formats:
            found = re.match(_FORMATS[name], plain)
            if found:
                return _date(int(found["y"]), int(found["m"]), int(found["d"]), text)
        return _no_date(text, plain, f"，这一列只接受 {'、'.join(formats)}")
    squeezed = re.sub(r"\s*([年月])\s*", r"\1", plain)
    squeezed = re.sub(r"\s+([日号])", r"\1", squeezed)
    found = _DATE.match(squeezed)
    if found:
        year, _, m1, d1, m2, d2, m3, d3, hour, zone = found.groups()
        day = _date(int(year), int(m1 or m2 or m3), int(d1 or d2 or d3), text)
        if zone in ("Z", "z") or (zone and re.match(r"[+-]00:?00$", zone)):
            late = isinstance(day, dt.date) and int(hour) >= 16
            return day + dt.timedelta(days=1) if late and isinstance(day, dt.date) else day
        return day
    compact = _COMPACT.match(squeezed)
    if compact:
        return _date(int(compact[1]), int(compact[2]), int(compact[3]), text)
    return _no_date(text, squeezed, "")


def _date(year: int, month: int, day: int, text: str) -> Value:
    if not 1 <= month <= 12 or not 1 <= day <= 31:
        return Fault("impossible_date", f"“{shown(text)}”的月或日超出范围，没有这一天，按空白处理。")
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return Fault("impossible_date", f"“{shown(text)}”的年份不在 {FIRST_YEAR}—{LAST_YEAR} 年，按空白处理，请核对。")
    if day > calendar.monthrange(year, month)[1]:
        return Fault("impossible_date", f"“{shown(text)}”这一天不存在，按空白处理，请核对。")
    return dt.date(year, month, day)


def _no_date(text: str, plain: str, only: str) -> Fault:
    """Why a text is not a date."""
    if _MONTH.match(plain):
        return Fault("no_day", f"“{shown(text)}”只到月，没有日，定不了是哪一天，按空白处理{only}。")
    if re.match(r"\d{5,7}$", plain):
        return Fault("truncated_date", f"“{shown(text)}”只有 {len(plain)} 位数字，像是截断的日期或未转换的序列号，按空白处理{only}。")
    if re.match(r"\d{1,2}([-/.])\d{1,2}\1\d{4}$", plain):
        return Fault("bad_date", f"“{shown(text)}”分不清月和日哪个在前，按空白处理，请改写成 2023-05-06 的样子{only}。")
    if re.search(r"[oOlI]", plain) and re.match(r"[\doOlI./-]{6,}$", plain):
        return Fault("bad_date", f"“{shown(text)}”里夹有字母（O、l、I），不是数字，按空白处理，请改正{only}。")
    return Fault("bad_date", f"“{shown(text)}”不是日期，按空白处理，请写成 2023-05-06 的样子{only}。")


def read_day_number(text: str, formats: tuple[str, ...], sheet: bool) -> Value:
    """A date from a numeric cell, given as its text: yyyymmdd, or in a sheet (`sheet`) the day number of Excel."""
    if not formats and sheet:
        value = float(text)
        if FIRST_SERIAL <= value < LAST_SERIAL:
            return _EPOCH + dt.timedelta(days=int(value))
    return read_date(text, formats)
