"""Cells that say no single value but bounds of it: 50箱以下, 不超过3吨, ≥3, 2-3米, 2016年10月. Text in, the two ends out.

A bound is used only where it is certain: words for "about" give none, and a strict bound of a number excludes its end.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re

_NUMBER = r"[+-]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.?\d*|\.\d+)"
_UNIT = r"[^\d\s<>≤≥＜＞~～-][^\d<>≤≥~～]{0,7}?[23²³]?"
_AT_MOST = r"不超过|不多于|不大于|不高于|至多|最多|最大|不足|低于|少于|小于|未达到|未超过|不满|未满|不到|≤|<=|<|≦"
_AT_LEAST = r"不少于|不低于|不小于|至少|最少|超过|大于|多于|高于|≥|>=|>|≧"
_STRICT = ("不足", "低于", "少于", "小于", "未达到", "不满", "未满", "不到", "<", "超过", "大于", "多于", "高于", ">")
_BEFORE = re.compile(rf"({_AT_MOST}|{_AT_LEAST})\s*({_NUMBER})\s*({_UNIT})?$")
_AFTER = re.compile(rf"({_NUMBER})\s*({_UNIT})?\s*[(（]?(及以下|以下|以内|之内|及以上|以上)(?:[(（]含(?:本数)?[)）])?[)）]?$")
_RANGE = re.compile(rf"({_NUMBER})\s*({_UNIT})?\s*(?:[-~～—–至到]|--|——)\s*({_NUMBER})\s*({_UNIT})?$")
_ABOUT = re.compile(r"约|大概|左右|上下|近|余|多$|几")
_MONTH = re.compile(r"((?:19|20)\d{2})(?:\s*[-/.年]\s*(0?[1-9]|1[0-2])\s*月?|(0[1-9]|10))$")


def number_ends(text: str) -> tuple[tuple[str, str, bool] | None, tuple[str, str, bool] | None] | None:
    """The lower and upper end that a text states, each as (digits, unit, whether the end itself is excluded), None where it states none;
    None when the text is no bound at all. `text` is half width, without white space at its ends."""
    if _ABOUT.search(text):
        return None
    found = _BEFORE.match(text)
    if found:
        end = (found[2], found[3] or "", found[1] in _STRICT)
        return (None, end) if re.fullmatch(_AT_MOST, found[1]) else (end, None)
    found = _AFTER.match(text)
    if found:
        end = (found[1], found[2] or "", False)
        return (end, None) if "上" in found[3] else (None, end)
    found = _RANGE.match(text)
    if found:
        low, high = (found[1], found[2] or found[4] or "", False), (found[3], found[4] or found[2] or "", False)
        return low, high
    return None


def is_about(text: str) -> bool:
    """Whether a text says that its number is not exact."""
    return bool(_ABOUT.search(text)) and bool(re.search(r"\d", text))


def month_ends(text: str) -> tuple[dt.date, dt.date] | None:
    """The first and the last day of a month that stands for a day. Six digits are a month only where they cannot be a day that lost its
    noughts: 202112 may be the second of January."""
    found = _MONTH.match(text)
    if found is None:
        return None
    year, month = int(found[1]), int(found[2] or found[3])
    return dt.date(year, month, 1), dt.date(year, month, calendar.monthrange(year, month)[1])
