"""Random condition texts that are well typed, of bounded size, and rows for them.

A condition is made as text, as a person writes it (brackets only where the grammar needs them), so that parsing is under test too.
DuckDB reads the same text, but for COUNT_MET, which takes a list there: hence two texts for each part.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import polars as pl
import yaml
from hypothesis import strategies as st

from engine.fields import Field, read_fields
from engine.rulefile import Source, parse_rule_text

from .page import fields_yaml

OR, AND, NOT, COMPARISON, SUM, PRODUCT, ATOM = range(7)


@dataclass(frozen=True)
class Text:
    """A part of a condition: as in a rule file, as DuckDB reads it, and how tightly it binds."""

    rule: str
    duckdb: str
    level: int

    def within(self, level: int) -> Text:
        """The part in brackets, if something that binds so tightly stands around it."""
        return self if self.level >= level else Text(f"({self.rule})", f"({self.duckdb})", ATOM)

    def __str__(self) -> str:
        return self.rule


@dataclass(frozen=True)
class Choice:
    """What the conditions may hold. `binary_exact`: only arithmetic that doubles do without rounding, and no conversion of units, for
    DuckDB; `null_tests`: IS NULL; `booleans`: the facts that stand alone as a condition."""

    binary_exact: bool = False
    null_tests: bool = True
    booleans: tuple[str, ...] = ("甲", "乙", "丙")


@cache
def dictionary() -> Mapping[str, Field]:
    """The fields of docs/semantics.md, without their derivations: what conditions are checked against."""
    source = Source("fields.yaml", fields_yaml())
    top = parse_rule_text(source)
    assert top is not None
    fields = read_fields(source, top.get("fields"), {})
    assert not source.problems, source.problems
    return fields


@cache
def facts() -> Mapping[str, Field]:
    """The fields that are not derived."""
    return {name: field for name, field in dictionary().items() if field.derivation is None}


DTYPES: Mapping[str, pl.DataType] = {
    "bool": pl.Boolean(), "enum": pl.String(), "number": pl.Float64(), "integer": pl.Int64(), "date": pl.Date(), "text": pl.String(),
}  # fmt: skip


def frame_of(rows: list[dict[str, object]], columns: list[str] | None = None) -> pl.DataFrame:
    """The rows as a typed frame with these columns (default: those of the first row)."""
    names = list(rows[0]) if columns is None else columns
    schema = {name: DTYPES[dictionary()[name].type] for name in names}
    return pl.DataFrame([{name: row[name] for name in names} for row in rows], schema=schema)


def _same(text: str, level: int = ATOM) -> Text:
    return Text(text, text, level)


def _join(op: str, level: int, parts: list[Text], inner: list[int]) -> Text:
    made = [part.within(need) for part, need in zip(parts, inner, strict=True)]
    return Text(f" {op} ".join(p.rule for p in made), f" {op} ".join(p.duckdb for p in made), level)


def _call(name: str, parts: list[Text]) -> Text:
    return Text(f"{name}({', '.join(p.rule for p in parts)})", f"{name}({', '.join(p.duckdb for p in parts)})", ATOM)


_QUARTERS = st.integers(-40, 40).map(lambda n: n / 4)
_HUNDREDTHS = st.one_of(st.sampled_from([0.1, 0.2, 0.3, 0.29, 0.57, 1.1, 10.0, 11.0]), st.integers(-2000, 2000).map(lambda n: n / 100))
_DAYS = st.one_of(
    st.sampled_from([dt.date(2024, 1, 31), dt.date(2024, 2, 29), dt.date(2023, 2, 28), dt.date(2024, 12, 31)]),
    st.dates(dt.date(2022, 1, 1), dt.date(2026, 12, 31)),
)
_WORDS = ["超期", "停用", "蒸汽锅炉", "乘客电梯"]


def literal(value: float) -> Text:
    """A number as a condition writes it; a negative one is a sign and a number."""
    digits = f"{abs(value):.2f}".rstrip("0").rstrip(".")
    return _same(f"-{digits}", PRODUCT) if value < 0 else _same(digits)


@cache
def numbers(choice: Choice, family: str) -> st.SearchStrategy[Text]:
    """Numbers that may stand on one side of a comparison: of no unit (`plain`), a length, or a whole number of pieces."""
    if family == "length":
        names = ["高度_m"] if choice.binary_exact else ["高度_m", "高度_cm"]
        leaves = st.one_of(st.sampled_from(names).map(_same), _HUNDREDTHS.map(literal))
        return leaves if choice.binary_exact else _arithmetic(leaves, "+-")
    if family == "pieces":
        return _arithmetic(st.one_of(st.just(_same("件数")), st.integers(-3, 8).map(lambda n: literal(float(n)))), "+-")
    leaves = st.one_of(st.sampled_from(["数量", "限值"]).map(_same), (_QUARTERS if choice.binary_exact else _HUNDREDTHS).map(literal))
    sums = _arithmetic(leaves, "+-*")
    return st.one_of(sums, st.tuples(sums, sums).map(lambda pair: _join("/", PRODUCT, list(pair), [PRODUCT, ATOM])))


def _arithmetic(leaves: st.SearchStrategy[Text], ops: str) -> st.SearchStrategy[Text]:
    def one(op: str, left: Text, right: Text) -> Text:
        level = SUM if op in "+-" else PRODUCT
        return _join(op, level, [left, right], [level, level + 1])

    once = st.builds(one, st.sampled_from(ops), leaves, leaves)
    negative = leaves.map(lambda x: Text(f"-{x.within(ATOM).rule}", f"-{x.within(ATOM).duckdb}", PRODUCT))
    return st.one_of(leaves, once, negative, st.builds(one, st.sampled_from(ops), st.one_of(leaves, once), st.one_of(leaves, once)))


@cache
def dates() -> st.SearchStrategy[Text]:
    """Dates: cells, constants, and both moved by days and months."""
    leaves = st.one_of(
        st.sampled_from(["检查日期", "检验日期", "到期日期"]).map(_same),
        _DAYS.map(lambda day: _same(f"DATE '{day}'")),
    )
    months = st.one_of(st.just(_same("周期_月")), st.integers(-26, 26).map(lambda n: literal(float(n))))
    days = st.one_of(st.just(_same("天数")), st.integers(-800, 800).map(lambda n: literal(float(n))))
    moved = st.one_of(
        st.builds(lambda d, n: _call("ADD_MONTHS", [d, n]), leaves, months),
        st.builds(lambda d, n: _call("ADD_DAYS", [d, n]), leaves, days),
    )
    return st.one_of(leaves, moved, st.builds(lambda d, n: _call("ADD_MONTHS", [d, n]), moved, months))


_OPS = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])


def _compared(sides: st.SearchStrategy[Text]) -> st.SearchStrategy[Text]:
    between = st.builds(
        lambda word, a, b, c: _join("AND", COMPARISON, [_join(word, COMPARISON, [a, b], [SUM, SUM]), c], [COMPARISON, SUM]),
        st.sampled_from(["BETWEEN", "NOT BETWEEN"]), sides, sides, sides,
    )  # fmt: skip
    return st.one_of(st.builds(lambda op, a, b: _join(op, COMPARISON, [a, b], [SUM, SUM]), _OPS, sides, sides), between)


def _listed(name: str, items: list[str], word: str) -> Text:
    return _same(f"{name} {word} ({', '.join(items)})", COMPARISON)


@cache
def leaves(choice: Choice) -> st.SearchStrategy[Text]:
    """Conditions without AND, OR, NOT."""
    words = st.lists(st.sampled_from([f"'{word}'" for word in _WORDS] + ["NULL"]), min_size=1, max_size=3)
    kinds = st.lists(st.sampled_from(["'锅炉'", "'电梯'", "'叉车'", "NULL"]), min_size=1, max_size=3)
    some = st.lists(st.sampled_from(["1", "2.5", "0", "限值", "NULL"]), min_size=1, max_size=3)
    inside = st.sampled_from(["IN", "NOT IN"])
    spans = st.builds(lambda a, b: _join("-", SUM, [a, b], [SUM, PRODUCT]), dates(), dates())
    lengths = st.one_of(st.just(_same("天数")), st.integers(-400, 800).map(lambda n: literal(float(n))))
    parts = [
        st.sampled_from(choice.booleans).map(_same),
        st.sampled_from(["TRUE", "FALSE"]).map(_same),
        st.sampled_from(["plain", "length", "pieces"]).flatmap(lambda family: _compared(numbers(choice, family))),
        _compared(dates()),
        st.builds(lambda op, a, b: _join(op, COMPARISON, [a, b], [SUM, SUM]), _OPS, spans, lengths),
        st.builds(lambda op, v: _same(f"类别 {op} '{v}'", COMPARISON), st.sampled_from(["=", "<>"]), st.sampled_from(["锅炉", "电梯", "叉车"])),
        st.builds(lambda op, v: _same(f"品种 {op} '{v}'", COMPARISON), st.sampled_from(["=", "<>"]), st.sampled_from(_WORDS)),
        st.builds(lambda items, word: _listed("类别", items, word), kinds, inside),
        st.builds(lambda items, word: _listed("品种", items, word), words, inside),
        st.builds(lambda items, word: _listed("数量", items, word), some, inside),
        st.builds(lambda word: _same(f"CONTAINS(备注, '{word}')"), st.sampled_from(_WORDS)),
        st.builds(lambda op, a, b: _same(f"{a} {op} {b}", COMPARISON), st.sampled_from(["=", "<>"]), *[st.sampled_from(choice.booleans)] * 2),
    ]
    if choice.null_tests:
        names = sorted(facts())
        parts.append(
            st.builds(lambda name, word: _same(f"{name} {word}", COMPARISON), st.sampled_from(names), st.sampled_from(["IS NULL", "IS NOT NULL"]))
        )
    return st.one_of(parts)


def _counted(op: str, parts: list[Text], limit: int) -> Text:
    rule = ", ".join(part.rule for part in parts)
    listed = f"[{', '.join(part.duckdb for part in parts)}]"
    return Text(f"COUNT_MET({rule}) {op} {limit}", _INTERVALS[op](f"certain({listed})", f"possible({listed})", limit), COMPARISON)


def _case(true: str, false: str) -> str:
    return f"(CASE WHEN {true} THEN TRUE WHEN {false} THEN FALSE END)"


_INTERVALS: Mapping[str, Callable[[str, str, int], str]] = {
    ">=": lambda low, high, k: _case(f"{low} >= {k}", f"{high} < {k}"),
    ">": lambda low, high, k: _case(f"{low} > {k}", f"{high} <= {k}"),
    "<": lambda low, high, k: _case(f"{high} < {k}", f"{low} >= {k}"),
    "<=": lambda low, high, k: _case(f"{high} <= {k}", f"{low} > {k}"),
    "=": lambda low, high, k: _case(f"{low} = {k} AND {high} = {k}", f"{high} < {k} OR {low} > {k}"),
    "<>": lambda low, high, k: _case(f"{high} < {k} OR {low} > {k}", f"{low} = {k} AND {high} = {k}"),
}

MACROS = (
    "CREATE MACRO ADD_MONTHS(d, n) AS CAST(d + to_months(CAST(n AS INTEGER)) AS DATE)",
    "CREATE MACRO ADD_DAYS(d, n) AS CAST(d + to_days(CAST(n AS INTEGER)) AS DATE)",
    "CREATE MACRO certain(l) AS len(list_filter(l, lambda x: x))",
    "CREATE MACRO possible(l) AS len(list_filter(l, lambda x: x IS NULL OR x))",
)
"""What DuckDB lacks of the language."""


@cache
def conditions(choice: Choice, size: int = 8) -> st.SearchStrategy[Text]:
    """Conditions of at most `size` leaves or so."""

    def grow(inner: st.SearchStrategy[Text]) -> st.SearchStrategy[Text]:
        some = st.lists(inner, min_size=2, max_size=3)
        return st.one_of(
            inner.map(lambda x: Text(f"NOT {x.within(NOT).rule}", f"NOT {x.within(NOT).duckdb}", NOT)),
            some.map(lambda parts: _join("AND", AND, parts, [AND] * len(parts))),
            some.map(lambda parts: _join("OR", OR, parts, [OR] * len(parts))),
            st.builds(_counted, _OPS, some, st.integers(0, 3)),
        )

    return st.recursive(leaves(choice), grow, max_leaves=size)


def _cells(field: Field, choice: Choice) -> st.SearchStrategy[object]:
    if field.type == "bool":
        return st.booleans()
    if field.type == "enum":
        return st.sampled_from(field.values)
    if field.type == "date":
        return _DAYS
    if field.type == "integer":
        return {"周期_月": st.integers(-15, 15), "周期_年": st.integers(0, 3), "天数": st.integers(-400, 400)}.get(field.name, st.integers(-3, 8))
    if field.type == "number":
        return _QUARTERS if choice.binary_exact and field.name in ("数量", "限值") else _HUNDREDTHS
    return st.sampled_from(["一", "二"]) if field.name == "检查编号" else st.sampled_from([*_WORDS, "灭火器超期未检", ""])


@cache
def rows(choice: Choice, blanks: bool = True, size: int = 6) -> st.SearchStrategy[list[dict[str, object]]]:
    """Some rows with a cell for every fact, blank (None) often unless `blanks` is false."""
    cells = {name: _cells(field, choice) for name, field in facts().items()}
    if blanks:
        cells = {name: st.one_of(st.none(), made) for name, made in cells.items()}
    return st.lists(st.fixed_dictionaries(cells), min_size=1, max_size=size)


def filled(row: dict[str, object], more: dict[str, object], which: set[str]) -> dict[str, object]:
    """`row` with those of its blanks filled from `more` that are in `which`."""
    return {name: more[name] if value is None and name in which else value for name, value in row.items()}


def yaml_text(tree: object) -> str:
    """A tree as a rule file."""
    made = yaml.safe_dump(tree, allow_unicode=True, sort_keys=False)
    assert isinstance(made, str)
    return made
