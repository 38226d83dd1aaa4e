"""Which fields a header that names none may mean: a short list for a person to choose from, never used to read anything."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from engine.fields import Field
from engine.tables.headers import normalise, strip_bracket

LIMIT = 3
_NEAR = 0.45


def suggestions(header: str, fields: Mapping[str, Field], taken: Collection[str] = (), limit: int = LIMIT) -> tuple[str, ...]:
    """The fields with a name most like the header, nearest first, without those already `taken`; none where nothing is like it."""
    stem = strip_bracket(normalise(header))[0]
    grams = _grams(stem)
    if not grams:
        return ()
    scored = []
    for field in fields.values():
        if field.name in taken:
            continue
        near = max(_likeness(stem, grams, name) for name in (field.name, *field.aliases))
        if near >= _NEAR:
            scored.append((-near, len(field.name), field.name))
    return tuple(name for _, _, name in sorted(scored)[:limit])


def _likeness(stem: str, grams: frozenset[str], name: str) -> float:
    """Dice's coefficient over letters and pairs of letters; a name that stands whole in the other is near in any case."""
    other = strip_bracket(normalise(name))[0].partition("_")[0]
    mine = _grams(other)
    if not mine:
        return 0.0
    likeness = 2 * len(grams & mine) / (len(grams) + len(mine))
    short, long = sorted((stem, other), key=len)
    return max(likeness, 0.5) if len(short) >= 3 and short in long else likeness


def _grams(text: str) -> frozenset[str]:
    return frozenset(_each(text))


def _each(text: str) -> Iterable[str]:
    yield from text
    yield from (text[at : at + 2] for at in range(len(text) - 1))
