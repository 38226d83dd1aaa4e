"""A stream over bytes in memory, and a worker that all tests of a run share: the rules of a sector are loaded once."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from engine.events.state import State
from engine.events.stream import Stream
from engine.events.worker import Worker
from engine.pack import Pack, load_pack
from engine.run import naming_of

pytest.importorskip("durable_rules_engine", reason="the extra `events` is not installed")

AS_OF = dt.date(2024, 6, 1)


@cache
def worker() -> Worker:
    return Worker()


@cache
def pack_of(sector: str | None) -> Pack:
    return load_pack(sector=sector)


_LADDER = """
levels: [{{rank: 1, name: 警示}}]
measures:
  - {{id: M1, name: 警示, order: 约谈, decided_by: 某局, time_limit: 七日, status: verified,
     legal_basis: [{{title: 某法, number: 某号, article: 第一条, from: 2000-01-01}}]}}
ladders: [{{id: main, title: 阶梯, steps: [{{step: 1, level: 警示, when: {when}, measures: [M1]}}]}}]
"""


def small_pack(folder: Path, sectors: Mapping[str, tuple[str, str]], titles: Mapping[str, str] | None = None, ladder: str = "") -> Pack:
    """A pack with sectors (id -> name of the criteria, grades), each with the facts 甲 and 乙, of which any makes every criterion hold. `ladder`:
    the condition of the only step of a ladder."""
    if ladder:
        (folder / "escalation").mkdir(exist_ok=True)
        (folder / "escalation" / "ladder.yaml").write_text(_LADDER.format(when=ladder), "utf-8")
    for name, (ids, grades) in sectors.items():
        (folder / name).mkdir(exist_ok=True)
        fields = f"sector: {name}\ntitle: {(titles or {}).get(name, name)}\nfields:\n  单位名称: {{type: text, role: enterprise, meaning: 单位}}\n"
        fields += "  检查日期: {type: date, role: date, meaning: 日期}\n  检查对象: {type: text, role: subject, meaning: 对象}\n"
        fields += "  行业: {type: text, role: sector, meaning: 行业}\n  甲: {type: bool, meaning: 甲}\n  乙: {type: bool, meaning: 乙}\n"
        (folder / name / "fields.yaml").write_text(fields, "utf-8")
        rules = "document: {id: d, title: 某标准, number: 某号, issuer: 某机关, in_force: {from: 2020-01-01}}\ncriteria:\n"
        for one, grade in zip(ids.split(), grades.split(), strict=True):
            rules += f"  - {{id: {name}/d/{one}, clause: 一, name: 一条, when: 甲 OR 乙, grade: {grade}, status: verified}}\n"
        (folder / name / "d.yaml").write_text(rules, "utf-8")
    return load_pack([folder], shipped=False)


def text_of(rows: Iterable[Mapping[str, Any] | str]) -> bytes:
    """Records as lines; a text stands for itself."""
    return "".join((row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)) + "\n" for row in rows).encode()


def answers(
    pack: Pack, rows: Iterable[Mapping[str, Any] | str], state: Path | None = None, sink: io.BytesIO | None = None, by: Worker | None = None
) -> list[dict[str, Any]]:
    """What a stream answers to lines, all of them waiting at once."""
    out = io.BytesIO() if sink is None else sink
    kept = State(state)
    try:
        Stream(pack, naming_of(pack), list(pack.sectors) if len(pack.sectors) == 1 else [], kept, by or worker(), AS_OF, False).run(
            io.BytesIO(text_of(rows)), out
        )
    finally:
        kept.close()
    return [json.loads(line) for line in out.getvalue().splitlines()]


def met(answer: Mapping[str, Any]) -> set[str]:
    """The criteria that a line meets."""
    return {one["criterion"] for one in answer["verdicts"] if one["verdict"] == "met"}
