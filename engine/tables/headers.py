"""Headers: how one is normalised, which field it names, and in which unit. Pure text work; tables and values are other rooms.

A wrong match misreads a whole column in silence, so every step that is not an exact name is narrow: brackets are dropped only when they
hold a unit, options or a note on filling in; a header one letter off is a guess, and never where the letter can turn the meaning.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from engine.fields import Field
from engine.units import UNITS, Unit, find_unit

if TYPE_CHECKING:
    from engine.tables.mapping import TableMapping

_DROP = re.compile(r"[\s:*\"'\u200b-\u200f\u2060\ufeff]+")
_BRACKET = re.compile(r"^(.+?)[(\[【〔]([^()\[\]【】〔〕]*)[)\]】〕]$")
_NOTE = re.compile(r"必填|必选|选填|可选|可空|单选|多选|下拉|填写|格式|例如|例:|如:|示例|年月日|√|打勾|勾选|y{2,4}.?mm|^$|^(是|有)(或)?(否|无)$")
_OPTIONS = re.compile(r"[/、|,;]")
_GUESS_MIN, _SWAP_MIN = 4, 6
_TURNING = frozenset(
    "不未无非否没免勿禁停废缺欠漏超逾已有是应须前后上下内外左右大小多少高低长短新旧首末初复再次重正副主单双总分合本外原现进出收发起止始终"
    "开关男女甲乙丙丁一二三四五六七八九十百零两半年月日时周季旬专兼国省市县区乡镇街村人机车电气水火液固地空自他被受最距核实"
)
"""A letter that can turn the meaning when it is added, dropped or changed: 未/已, 上/下, 首/末, 核定/实际, numbers, periods."""


def normalise(header: str) -> str:
    """Full width to half width, without spaces, line breaks, colons, asterisks and quotes, case folded."""
    return _DROP.sub("", unicodedata.normalize("NFKC", header)).casefold()


def strip_bracket(normal: str) -> tuple[str, str]:
    """A normalised header without a bracket at its end that holds a unit, options or a note, and what the bracket held (else "")."""
    found = _BRACKET.match(normal)
    if found is None:
        return normal, ""
    held = re.sub(r"^单位:?", "", found[2])
    if (unit_of(held) is not None and held != "1") or _NOTE.search(held) or _OPTIONS.search(held):
        return found[1], held
    return normal, ""


@lru_cache(maxsize=4_096)
def unit_of(symbol: str) -> Unit | None:
    """The unit written `symbol` in a header or a cell: also full width, superscripts, capitals where they are not another unit."""
    tidy = symbol.strip()
    for text in (tidy, unicodedata.normalize("NFKC", tidy).replace("°C", "℃").replace("°c", "℃").replace(" ", "")):
        unit = find_unit(text)
        if unit is not None:
            return unit
    tops = [_FOLDED.get(part.casefold(), "") for part in unicodedata.normalize("NFKC", tidy).replace(" ", "").split("/")]
    return find_unit("/".join(tops)) if all(tops) else None


def _folded() -> dict[str, str]:
    folded: dict[str, list[str]] = {}
    for symbol in UNITS:
        folded.setdefault(unicodedata.normalize("NFKC", symbol).casefold(), []).append(symbol)
    folded.pop("mw", None)  # milliwatt or megawatt
    return {key: symbols[0] for key, symbols in folded.items() if len({UNITS[symbol] for symbol in symbols}) == 1 or key in ("m2", "m3")}


_FOLDED = _folded()


@dataclass(frozen=True)
class Match:
    """What a header names: the field, how it was found (see `ColumnMatch`), the rank of the name among the field's names, and the unit
    that the header states (None: none)."""

    field: Field
    how: str
    rank: int
    unit: Unit | None = None


class AmbiguousHeader(Exception):
    """A header that names several fields: `names`; with `guess` it is only near to them."""

    def __init__(self, names: Sequence[str], guess: bool = False):
        self.names, self.guess = names, guess
        super().__init__("、".join(names))


class Vocabulary:
    """All names of a sector's fields, for looking up headers; what a mapping has settled goes before them."""

    def __init__(self, fields: Mapping[str, Field], mapping: TableMapping | None = None):
        self.canonical = {field.name: field for field in fields.values()}
        self.mapping = mapping
        self.aliases: dict[str, list[Match]] = {}
        self.normal: dict[str, list[Match]] = {}
        self.measured: dict[str, list[Match]] = {}
        for field in fields.values():
            for rank, name in enumerate((field.name, *field.aliases)):
                if rank:
                    self._add(self.aliases, name, Match(field, "alias", rank))
                normal = normalise(name)
                self._add(self.normal, normal, Match(field, "normalised", rank))
                stem, _ = strip_bracket(normal)
                if stem != normal:
                    self._add(self.normal, stem, Match(field, "normalised", rank))
                bare, mark, unit = stem.rpartition("_")
                if mark and field.numeric and unit_of(unit) is not None:
                    self._add(self.measured, bare, Match(field, "normalised", rank))

    @staticmethod
    def _add(names: dict[str, list[Match]], name: str, match: Match) -> None:
        known = names.setdefault(name, [])
        if all(other.field.name != match.field.name for other in known):
            known.append(match)

    def find(self, header: str, number: int = 1) -> Match | None:
        """The field that `header` names, or None. A name that ends in its unit (存药量_kg) is also named by a header with a unit of its
        own (存药量(t)), never by one without. `number` counts the columns with this header, for the mapping. Where the mapping gives the header
        to a field that is not in this vocabulary, it keeps its own names but is not guessed at. Raises AmbiguousHeader."""
        text = header.strip()
        if not text:
            return None
        said = self.mapping.field_of(header, number) if self.mapping is not None else None
        if said == "":
            return None
        if said in self.canonical:
            field = self.canonical[said]
            try:
                own = self._named(text, guessing=False)
            except AmbiguousHeader:
                own = None
            if own is not None and own.field.name == said:
                return Match(field, "mapping", own.rank, own.unit)
            return Match(field, "mapping", -1, stated_unit(text) if field.numeric else None)
        return self._named(text, said is None)

    def _named(self, text: str, guessing: bool) -> Match | None:
        if text in self.canonical:
            return Match(self.canonical[text], "exact", 0)
        normal = normalise(text)
        stem, held = strip_bracket(normal)
        unit = unit_of(held) if held else None
        options = unit is None and bool(_OPTIONS.search(held))  # for a number they may be units that nobody knows: 面积(亩/公顷)
        tail = _tail_unit(normal)
        ways: list[tuple[dict[str, list[Match]], str, Unit | None]] = [(self.aliases, text, None), (self.normal, normal, None)]
        if stem != normal:
            ways.append((self.normal, stem, unit))
            if unit is not None:
                ways.append((self.measured, stem, unit))
        if tail is not None:
            ways += [(self.normal, tail[0], tail[1]), (self.measured, tail[0], tail[1])]
        for names, name, stated in ways:
            found = names.get(name, [])
            if len(found) > 1:
                raise AmbiguousHeader([match.field.name for match in found])
            if found and not (not found[0].field.numeric and tail is not None and name == tail[0]):
                match = found[0]
                if options and match.field.numeric and name == stem:
                    return None
                return Match(match.field, match.how, match.rank, stated if match.field.numeric else None)
        return None if options or not guessing else self._guess(stem, unit)

    def _guess(self, stem: str, unit: Unit | None) -> Match | None:
        if len(stem) < _GUESS_MIN:
            return None
        near = [match for name, matches in self.normal.items() if one_off(stem, name) for match in matches]
        if not near:
            return None
        if len({match.field.name for match in near}) > 1:
            raise AmbiguousHeader(list(dict.fromkeys(match.field.name for match in near)), guess=True)
        return Match(near[0].field, "guess", min(match.rank for match in near), unit if near[0].field.numeric else None)


def stated_unit(header: str) -> Unit | None:
    """The unit that a header states in a bracket or after an underscore, slash or comma; None where it states none."""
    normal = normalise(header)
    _, held = strip_bracket(normal)
    unit = unit_of(held) if held else None
    tail = _tail_unit(normal) if unit is None else None
    return tail[1] if tail is not None else unit


def _tail_unit(normal: str) -> tuple[str, Unit] | None:
    """A unit after an underscore, slash or comma: 存药量_t, 面积/m2."""
    for mark in "_/,":
        stem, found, tail = normal.rpartition(mark)
        unit = unit_of(tail) if found and stem else None
        if unit is not None and tail != "1":
            return stem, unit
    return None


def one_off(header: str, name: str) -> bool:
    """Whether two normalised headers of at least four letters differ by one letter that was dropped, added, swapped with its neighbour
    or (from six letters on) mistaken, none of them a letter that can turn the meaning."""
    if header == name or abs(len(header) - len(name)) > 1 or min(len(header), len(name)) < _GUESS_MIN - 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(header, name, strict=False)) if a != b), min(len(header), len(name)))
    if len(header) != len(name):
        long, short = (header, name) if len(header) > len(name) else (name, header)
        return long[start + 1 :] == short[start:] and _harmless(long[start])
    if header[start + 1 :] == name[start + 1 :]:
        return len(name) >= _SWAP_MIN and _harmless(header[start] + name[start])
    swapped = header[start : start + 2] == name[start : start + 2][::-1]
    return swapped and header[start + 2 :] == name[start + 2 :] and _harmless(name[start : start + 2])


def _harmless(letters: str) -> bool:
    return all("\u4e00" <= ch <= "\u9fff" and ch not in _TURNING for ch in letters)


def known_headers(fields: Iterable[Field]) -> frozenset[str]:
    """The normalised names of fields, for finding header rows (`load(known=…)`)."""
    names: set[str] = set()
    for field in fields:
        for name in (field.name, *field.aliases):
            normal = normalise(name)
            stem, _ = strip_bracket(normal)
            names.update((normal, stem))
            bare, mark, unit = stem.rpartition("_")
            if mark and unit_of(unit) is not None:
                names.add(bare)
    names.discard("")
    return frozenset(names)


def hits(row: Collection[object], known: Collection[str]) -> int:
    """How many different cells of a row are known headers."""
    found = {normal for cell in row if isinstance(cell, str) and len(cell) <= 120 and (normal := strip_bracket(normalise(cell))[0])}
    return sum(normal in known for normal in found)
