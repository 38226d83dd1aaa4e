"""One cell's text -> a value of a field's type, or the fault that says why it cannot be read. Plain Python, called once for each
distinct value. The rule of the room: whatever is not certain is a fault, never a guess (50箱以下 is not 50, though it is at most 50)."""

from __future__ import annotations

import calendar
import dataclasses
import datetime as dt
import math
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

from engine.fields import Field
from engine.problems import nearest
from engine.tables.bounds import is_about, month_ends, number_ends
from engine.tables.headers import unit_of
from engine.units import ONE, Unit


@dataclass(frozen=True)
class Fault:
    """Why a cell cannot be read: a short code and one Chinese sentence."""

    problem: str
    message: str


@dataclass(frozen=True)
class Bounds(Fault):
    """A cell that gives no single value but bounds of it; None: no bound on that side. Who cannot use bounds takes it as a fault."""

    low: float | dt.date | None = None
    high: float | dt.date | None = None


Value: TypeAlias = "bool | float | dt.date | str | Fault | None"
Reader: TypeAlias = Callable[[str], Value]

BLANK = frozenset(("", "none", "null", "nan", "-", "--", "—", "——", "–", "−", "/", "\\", "<na>", "nat"))
_TRUE = "是 有 ☑ ■ 已 对 y yes true 1 1.0 t 具备"
_FALSE = "否 无 ☐ □ 未 错 n no false 0 0.0 f 不具备"
TICKS = {"√": True, "✓": True, "✔": True, "×": False, "✗": False, "✘": False, "╳": False}
_GOOD = "合格 符合 正常 达标 通过 符合要求"
_POOR = "不合格 不符合 不正常 异常 不达标 不通过 未通过 不符合要求"
CLASH, JUDGED = "\ufdd0", "\ufdd1"
"""Marks put before a text by the reading of long tables: several different answers; a tick that stands in a column of results."""
_CHECKED, _UNCHECKED = "☑■●", "☐□○"
_SEVERAL = re.compile(r"[、,;；/+\n]|\s和\s|及")
_LEVEL = re.compile(r"([^\dⅠ-Ⅻ]{0,6}?)(\d{1,2}|[一二三四五六七八九十]|(?:I{1,3}|IV|VI{0,3}|IX|X))(级|类|型|档|等|度)?$", re.IGNORECASE)
_NUMERALS = {
    mark: str(n)
    for marks in ("一二三四五六七八九十", ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X"))
    for n, mark in enumerate(marks, 1)
}
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
FIRST_SERIAL, LAST_SERIAL = 30_000, 60_000
"""The day numbers of a spreadsheet that are taken for one: 1982 to 2064. No date of these years begins with such five digits, whatever is cut off."""
_SERIAL = re.compile(r"\d{5}(\.\d+)?$")
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
    """The fault of a cell that holds an error value of a spreadsheet, or several answers to one question."""
    if text.startswith(CLASH):
        return Fault("contradiction", f"同一对象有几个不同的答案：{text[1:]}，按空白处理，请核对。")
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
    """Facts (是/否, 有/无, 已/未, ticks) say whether the field holds; words of judgement (合格/不合格) whether things are as they should be, which
    is the field's value only where its `sense` is known."""
    own_true, own_false = _words(field.true), _words(field.false)
    known: dict[str, bool] = dict.fromkeys(_words(_TRUE.split()), True) | dict.fromkeys(_words(_FALSE.split()), False)
    unclear: set[str] = set()
    verdicts = dict.fromkeys(_words(_GOOD.split()), True) | dict.fromkeys(_words(_POOR.split()), False)
    sense = field.sense or ("" if re.search("不合格|不符合", field.name) else "good" if re.search("合格|符合", field.name) else "")
    judged = {JUDGED + token(mark): well for mark, well in TICKS.items()}
    if sense == "good":
        known |= judged
    else:
        unclear |= judged.keys()
    if sense:
        known |= {word: good is (sense == "good") for word, good in verdicts.items()}
    else:
        unclear |= verdicts.keys()
    if field.sense == "bad":  # a tick may say that it is there, or that all is well
        unclear |= _words(TICKS)
    else:
        known |= {token(mark): value for mark, value in TICKS.items()}
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
        if word in unclear:
            return Fault(
                "unclear_bool",
                f"“{shown(text.removeprefix(JUDGED))}”可以指好坏，也可以指有无，“{field.name}”取哪个定不了，按空白处理，请写 是/否、有/无，或在字段字典里写明 sense 或 true、false。",
            )
        options = ticked(text)
        if options is not None:
            return _only(options, text, read)
        return Fault("bad_bool", f"“{shown(text)}”不是“是/否”一类的写法，按空白处理，请写 是/否、有/无、√/×{hint}。")

    return read


def ticked(text: str) -> list[str] | None:
    """The options ticked in a cell that came from a printed form (一般□ 较大□ 重大☑; □是 ☑否), None where it is no such cell."""
    plain = "".join(text.split()).strip("、,，;；")
    marks = f"[{_CHECKED}{_UNCHECKED}]"
    for shape in (rf"(?:({marks})([^{_CHECKED}{_UNCHECKED}]+))", rf"(?:([^{_CHECKED}{_UNCHECKED}]+)({marks}))"):
        if re.fullmatch(rf"{shape}+", plain):
            pairs = re.findall(shape, plain)
            chosen = [(b, a) if a in _CHECKED + _UNCHECKED else (a, b) for a, b in pairs]
            return [label.strip("、,，;；/") for label, mark in chosen if mark in _CHECKED]
    return None


def _only(options: list[str], text: str, read: Reader) -> Value:
    """The value of the one option that is ticked."""
    if not options:
        return None
    if len(options) > 1:
        return Fault("several", f"“{shown(text)}”勾了 {len(options)} 项，这一列只能有一个值，按空白处理，请只留一项。")
    return read(options[0])


def _enum_reader(field: Field) -> Reader:
    exact = dict(field.synonyms) | {value: value for value in field.values}
    folded: dict[str, str | None] = {}
    levels: dict[tuple[str, ...], str | None] = {}
    for word, value in exact.items():
        key, level = token(word), _level(word)
        folded[key] = value if folded.get(key, value) == value else None
        if level is not None:
            levels[level] = value if levels.get(level, value) == value else None

    def one(text: str) -> str | None:
        found = exact.get(text) or exact.get(text.strip()) or folded.get(token(text))
        level = _level(text) if found is None and token(text) not in folded else None
        if level is None:
            return found
        bare = [value for key, value in levels.items() if key[1] == level[1] and key[0] == "" and level[0] == "" and "" in (key[2], level[2])]
        return levels.get(level) or (bare[0] if len(set(bare)) == 1 else None)

    def read(text: str) -> Value:
        value = one(text)
        if value is not None:
            return value
        if is_blank(text):
            return None
        options = ticked(text)
        if options is not None:
            return _only(options, text, read)
        parts = [part for part in _SEVERAL.split(tidy(text)) if part.strip()]
        values = [one(part) for part in parts]
        if len(parts) > 1 and None not in values:
            if len(set(values)) == 1:
                return values[0]
            return Fault("several", f"“{shown(text)}”写了 {len(parts)} 个取值，“{field.name}”一行只能有一个，按空白处理，请分成几行，或只留一个。")
        near = nearest(tidy(text), exact) or f"可填：{'、'.join(field.values[:12])}{'…' if len(field.values) > 12 else ''}。"
        return Fault("bad_enum", f"“{shown(text)}”不是“{field.name}”的取值，按空白处理。{near}")

    return read


def _level(text: str) -> tuple[str, ...] | None:
    """What a level says, however its number is written: 三级, 3级, Ⅲ级 and 3 (which lacks the word)."""
    found = _LEVEL.match("".join(unicodedata.normalize("NFKC", text).split()))
    if found is None:
        return None
    number = found[2].upper()
    value = _NUMERALS.get(number) or (str(int(number)) if number.isdigit() else None)
    return None if value is None else (found[1], value, found[3] or "")


def read_number(text: str, field: Field, unit: Unit | None = None) -> Value:
    """A number in the field's unit. `unit` is what a bare number is in (None: the field's unit); a unit in the cell wins over it."""
    plain = tidy(text).replace("−", "-").replace("－", "-")
    if is_blank(plain):
        return None
    own = field.unit or ONE
    found = _NUMBER.match(plain)
    wrong = Fault("bad_number", f"“{shown(text)}”不是一个确定的数，按空白处理，请只写数字（可带单位）。")
    ends = number_ends(plain)
    if ends is not None:
        return _bounds(text, ends, field, unit) or wrong
    if is_about(plain):
        return Fault("about", f"“{shown(text)}”只是大约的数，定不了界限，按空白处理，请写确切的数，或“不超过”“不少于”多少。")
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


def _bounds(text: str, ends: tuple[tuple[str, str, bool] | None, tuple[str, str, bool] | None], field: Field, unit: Unit | None) -> Value:
    """Both ends read as numbers of the field; None where one cannot be, or the lower one is not the lower."""
    read: list[float | None] = []
    for place, end in enumerate(ends):
        if end is None:
            read.append(None)
            continue
        value = read_number(end[0] + end[1], dataclasses.replace(field, type="number"), unit)
        if not isinstance(value, float):
            return value if isinstance(value, Fault) and not isinstance(value, Bounds) else None
        upper = place == 1
        if field.type == "integer":
            value = float(math.floor(value) if upper else math.ceil(value)) + ((-1 if upper else 1) if end[2] and value == int(value) else 0)
        elif end[2]:
            value = math.nextafter(value, -math.inf if upper else math.inf)
        read.append(value)
    low, high = read
    if low is not None and high is not None and low > high:
        return None
    return Bounds("bounds", f"“{shown(text)}”只说了范围，“{field.name}”要一个确定的数，按空白处理，请写确切的数。", low, high)


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
    if _SERIAL.match(squeezed) and FIRST_SERIAL <= float(squeezed) < LAST_SERIAL:
        return _EPOCH + dt.timedelta(days=int(float(squeezed)))
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
    month = month_ends(plain)
    if month is not None and not only:
        return Bounds("no_day", f"“{shown(text)}”只到月，没有日，定不了是哪一天，按空白处理{only}。", *month)
    if _MONTH.match(plain):
        return Fault("no_day", f"“{shown(text)}”只到月，没有日，定不了是哪一天，按空白处理{only}。")
    if re.match(r"\d{5,7}$", plain):
        return Fault("truncated_date", f"“{shown(text)}”只有 {len(plain)} 位数字，像是截断的日期或未转换的序列号，按空白处理{only}。")
    if re.match(r"\d{1,2}([-/.])\d{1,2}\1\d{4}$", plain):
        return Fault("bad_date", f"“{shown(text)}”分不清月和日哪个在前，按空白处理，请改写成 2023-05-06 的样子{only}。")
    if re.search(r"[oOlI]", plain) and re.match(r"[\doOlI./-]{6,}$", plain):
        return Fault("bad_date", f"“{shown(text)}”里夹有字母（O、l、I），不是数字，按空白处理，请改正{only}。")
    return Fault("bad_date", f"“{shown(text)}”不是日期，按空白处理，请写成 2023-05-06 的样子{only}。")
