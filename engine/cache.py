"""Checked rules kept between runs: plain data as JSON, keyed by the content of the rule files and of the code that checked them.

What is kept is a list of records, each of one of the frozen classes below, that refer to earlier ones by number; reading it back can build
these classes and nothing else, so a file that someone tampered with can at worst state other rules, as a changed rule file could. Never
pickle. A cache that cannot be read or written is as good as none.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import gc
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from engine import tree
from engine.authorities import Authorities, Responsibility
from engine.checking import Derived
from engine.children import Child, Lookup
from engine.contradictions import Contradiction
from engine.documents import Criterion, Document, Gap
from engine.fields import Derivation, Field, LookupSpec
from engine.ladder import Basis, Count, Ladder, Ladders, Level, Measure, Parameter, Step
from engine.places import Former, Place, Places
from engine.problems import Problem
from engine.rulefile import Scalar
from engine.units import Unit

_CLASSES: tuple[type, ...] = (
    Level, Parameter, Count, Basis, Measure, Step, Ladder, Ladders, Problem,
    Place, Former, Places, Responsibility, Authorities,
    Unit, Field, Derivation, LookupSpec, Scalar, Document, Gap, Criterion, Derived, Child, Lookup, Contradiction,
    tree.Type, tree.Ref, tree.Literal, tree.Not, tree.And, tree.Or, tree.Compare, tree.IsNull, tree.Arith, tree.Scale, tree.DaysBetween,
    tree.AddMonths, tree.AddDays, tree.Contains, tree.CountMet, tree.Met, tree.Unknown,
)  # fmt: skip
_NUMBER = {kind: number for number, kind in enumerate(_CLASSES)}
_NAMES = [tuple(f.name for f in dataclasses.fields(kind)) for kind in _CLASSES]
_PLAIN = (bool, int, float, str)
_TUPLE, _DICT, _SET, _DATE, _DECIMAL, _FRACTION = range(-6, 0)
MAX_FILES = 200
ENVIRONMENT = "HAZARD_CACHE"


class _Writer:
    """Objects -> records. Equal records are written once, and an object met again is not looked into again."""

    def __init__(self) -> None:
        self.records: list[list[Any]] = []
        self.known: dict[tuple[Any, ...], int] = {}
        self.seen: dict[int, tuple[object, list[int]]] = {}

    def put(self, value: Any) -> Any:
        """The value as JSON can hold it: itself, or [number of its record]."""
        kind = type(value)
        if value is None or kind in _PLAIN:
            return value
        before = self.seen.get(id(value))
        if before is not None:
            return before[1]
        number = _NUMBER.get(kind)
        if number is not None:
            made = [number, *[self.put(getattr(value, name)) for name in _NAMES[number]]]
        elif kind is tuple:
            made = [_TUPLE, *map(self.put, value)]
        elif kind is dict:
            made = [_DICT, *[self.put(part) for pair in value.items() for part in pair]]
        elif kind is frozenset:
            made = [_SET, *map(self.put, sorted(value))]
        elif kind is dt.date:
            made = [_DATE, value.isoformat()]
        elif kind is Decimal:
            made = [_DECIMAL, str(value)]
        elif kind is Fraction:
            made = [_FRACTION, str(value)]
        else:
            raise TypeError(f"not kept in the cache: {kind.__name__}")
        key = tuple((part[0],) if type(part) is list else (type(part), part) for part in made)
        at = self.known.get(key)
        if at is None:
            at = self.known[key] = len(self.records)
            self.records.append(made)
        self.seen[id(value)] = (value, [at])
        return self.seen[id(value)][1]


def dump(value: object) -> bytes:
    """The value as bytes that `restore` reads."""
    writer = _Writer()
    root = writer.put(value)
    return json.dumps([root, writer.records], ensure_ascii=False, separators=(",", ":")).encode()


def restore(content: bytes) -> Any:
    """What `dump` was given. Raises ValueError on anything else."""
    try:
        root, records = json.loads(content)
        made: list[Any] = []
        for record in records:
            parts = [made[part[0]] if type(part) is list else part for part in record[1:]]
            made.append(_BUILD[record[0]](parts))
        return made[root[0]] if type(root) is list else root
    except (ValueError, TypeError, IndexError, KeyError, ArithmeticError, AttributeError, RecursionError) as error:
        raise ValueError("not a cache of rules") from error


def _maker(kind: type, names: tuple[str, ...]) -> Callable[[list[Any]], Any]:
    """Builds a record's object. A frozen dataclass writes each of its attributes through a slow door, so they are put in its dictionary at
    once; the classes compute nothing when they are made."""
    if "__slots__" in kind.__dict__:
        return lambda parts: kind(*parts)
    size = len(names)

    def build(parts: list[Any]) -> Any:
        if len(parts) != size:
            raise ValueError("a record of another shape")
        made: Any = object.__new__(kind)
        made.__dict__.update(zip(names, parts, strict=True))
        return made

    return build


_BUILD: dict[int, Callable[[list[Any]], Any]] = {
    _TUPLE: tuple, _DICT: lambda parts: dict(zip(parts[::2], parts[1::2], strict=True)), _SET: frozenset,
    _DATE: lambda parts: dt.date.fromisoformat(parts[0]), _DECIMAL: lambda parts: Decimal(parts[0]), _FRACTION: lambda parts: Fraction(parts[0]),
    **{number: _maker(kind, names) for number, (kind, names) in enumerate(zip(_CLASSES, _NAMES, strict=True))},
}  # fmt: skip


@cache
def code_digest() -> str:
    """The SHA-256 of the code whose work is kept: with other code there is another cache."""
    whole = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        whole.update(path.read_bytes())
    return whole.hexdigest()


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the cyclic garbage collector: while hundreds of thousands of small objects are made that all stay, it only costs a sixth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def key_of(parts: Iterable[tuple[str, str]]) -> str:
    """The key of what was made from files (name, SHA-256)."""
    whole = hashlib.sha256(code_digest().encode())
    for name, digest in parts:
        whole.update(f"\0{name}\0{digest}".encode())
    return whole.hexdigest()


@cache
def folder() -> Path | None:
    """Where the cache is: the folder that HAZARD_CACHE names (`off`: no cache), else `hazard` in the user's own; None where there is none."""
    named = os.environ.get(ENVIRONMENT, "")
    if named == "off":
        return None
    try:
        base = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hazard"
        base.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return base


def load(key: str) -> Any:
    """What is kept under the key, else None."""
    base = folder()
    if base is None:
        return None
    try:
        return restore((base / f"{key}.json").read_bytes())
    except (OSError, ValueError):
        return None


def keep(key: str, value: object) -> None:
    """Keep a value; the oldest are dropped where there are too many."""
    base = folder()
    if base is None:
        return
    try:
        handle, name = tempfile.mkstemp(dir=base, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(dump(value))
        os.replace(name, base / f"{key}.json")
        kept = sorted(base.glob("*.json"), key=lambda path: path.stat().st_mtime)
        for path in kept[:-MAX_FILES]:
            path.unlink(missing_ok=True)
    except OSError:
        return
