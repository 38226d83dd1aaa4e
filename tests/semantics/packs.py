"""Small packs over the dictionary of docs/semantics.md, judged twice: by the engine's one public call and by the interpreter.

A case is a list of criteria (mappings as in a rule file, of which only what matters need be given) and rows of typed cells; a cell that
stands for a blank is None, a field that no row names is a column that the table lacks.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa

from engine import Result, judge
from engine.fields import DATE_FIELD
from engine.judging import verdicts
from engine.pack import Pack, Sector, load_pack

from . import interpreter
from .conditions import DTYPES, dictionary, yaml_text
from .page import fields_yaml

ID = "semantics/rules"
AS_OF = dt.date(2024, 6, 1)
COUNTED = ("met", "not_met", "undetermined", "not_applicable", "not_in_force")
Cells = Mapping[str, object]
Outcome = tuple[str, bool]
"""A verdict, and whether it is suspected."""


def page_pack(folder: Path, criteria: Sequence[Mapping[str, object]], start: str = "2000-01-01", end: str | None = None) -> Pack:
    """A pack in `folder` with the page's fields and one document that states `criteria` (ids are `ID/1`, `ID/2`, … unless given)."""
    place = folder / "semantics"
    place.mkdir(exist_ok=True)
    (place / "fields.yaml").write_text(fields_yaml(), "utf-8")
    period = {"from": start} if end is None else {"from": start, "to": end}
    head = {"id": "rules", "title": "规则", "number": "1号", "issuer": "某局", "in_force": period}
    usual = {"clause": "第一条", "name": "一条", "grade": "major", "status": "verified"}
    listed = [{"id": f"{ID}/{number}", **usual, **criterion} for number, criterion in enumerate(criteria, start=1)]
    (place / "rules.yaml").write_text(yaml_text({"document": head, "criteria": listed}), "utf-8")
    return load_pack([place], shipped=False)


def table_of(rows: Sequence[Cells]) -> pl.DataFrame:
    """The rows as a typed table with the columns of the first, and one more that is no field: a row of blanks alone would be no row."""
    frame = pl.DataFrame([dict(row) for row in rows], schema={name: DTYPES[dictionary()[name].type] for name in rows[0]})
    return frame.with_columns(pl.Series("行号", [f"第{number}行" for number in range(1, len(rows) + 1)]))


def run_engine(pack: Pack, rows: Sequence[Cells], include_unverified: bool = False) -> Result:
    """The rows judged by the engine, as of AS_OF."""
    return judge(table_of(rows), pack, as_of=AS_OF, include_unverified=include_unverified)


def by_engine(pack: Pack, rows: Sequence[Cells]) -> dict[str, list[Outcome]]:
    """What the engine finds: id of each criterion -> its outcome on every row. The result's tables must tell the same."""
    result = run_engine(pack, rows)
    chained = result._parts[0].judged.chained
    found = {criterion.id: [(v, s) for v, s in verdicts(chained, criterion).iter_rows()] for criterion in result.sectors[0].criteria}
    listed = {name: _listed(getattr(result, name)) for name in ("findings", "undetermined")}
    for state in result.coverage.to_pylist():
        outcomes = found[state["criterion"]]
        counts = Counter(verdict for verdict, _ in outcomes)
        assert {name: state[name] for name in COUNTED} == {name: counts[name] for name in COUNTED}, state
        assert state["suspected"] == sum(suspected for _, suspected in outcomes)
        mine = list(enumerate(outcomes, start=1))
        assert listed["findings"][state["criterion"]] == [row for row, (verdict, _) in mine if verdict == "met"]
        open_rows = [row for row, (verdict, suspected) in mine if verdict == "undetermined" and (suspected or state["state"] == "covered")]
        assert listed["undetermined"][state["criterion"]] == open_rows
        assert state["state"] == "covered" or counts["met"] == 0, "what is not covered is never met"
    return found


def _listed(table: pa.Table) -> defaultdict[str, list[int]]:
    """Criterion -> the rows for which the table lists it, in order."""
    made: defaultdict[str, list[int]] = defaultdict(list)
    for one in sorted(table.select(["criterion", "row"]).to_pylist(), key=lambda one: int(one["row"])):
        made[one["criterion"]].append(one["row"])
    return made


def by_interpreter(sector: Sector, rows: Sequence[Cells]) -> dict[str, list[Outcome]]:
    """The same by the interpreter, which judges a row without a date as of AS_OF and lets that day stand for it."""
    rows = [{name: None if value == "" else value for name, value in row.items()} for row in rows]  # so a table reads an empty text
    dates = [row.get(DATE_FIELD) or AS_OF for row in rows]
    typed: list[interpreter.Row] = [{**row, DATE_FIELD: date} for row, date in zip(rows, dates, strict=True)]  # type: ignore[dict-item]
    whole = interpreter.chain(sector, typed, dates)  # type: ignore[arg-type]
    return {
        criterion.id: [interpreter.verdict(criterion, row, date) for row, date in zip(whole, dates, strict=True)]  # type: ignore[arg-type]
        for criterion in sector.criteria
    }


def by_both(pack: Pack, rows: Sequence[Cells]) -> dict[str, list[Outcome]]:
    """What both find; they must agree."""
    (sector,) = pack.sectors.values()
    mine, theirs = by_engine(pack, rows), by_interpreter(sector, rows)
    assert mine == theirs, "the engine (left) and the interpreter (right) disagree"
    return mine
