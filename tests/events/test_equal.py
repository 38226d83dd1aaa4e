"""Both engines find the same: on random packs and rows, on every sample table, alone or among others, and up to the enterprise's level."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from engine import Result, judge, run
from engine.columnar import HIGH
from engine.events.frames import row_by_row
from engine.events.judging import VERDICTS
from engine.events.program import DAY
from engine.fields import DATE_FIELD
from engine.judging import judge_frame
from engine.pack import Pack, load_pack
from tests.semantics.conditions import Choice, facts, frame_of, rows
from tests.semantics.packs import AS_OF as PAGE_AS_OF, by_interpreter, page_pack, table_of
from tests.semantics.random_packs import RandomPack, packs
from tests.test_samples import MIXED, PARTS, SAMPLES, table

from .streams import AS_OF, answers, pack_of, worker

Row = dict[str, object]
PLAIN = Choice()
SAME_EVERY_RUN = settings(
    derandomize=True, deadline=None, database=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck)
)
TABLES = ("findings", "undetermined", "enterprises", "coverage", "defects")


@contextmanager
def by_events() -> Iterator[None]:
    """`judge` with the event engine, in the worker that all share."""
    columns = run.judge_frame
    run.judge_frame = row_by_row(worker())  # type: ignore[assignment]
    try:
        yield
    finally:
        run.judge_frame = columns


def assert_same(columnar: Result, events: Result) -> None:
    for name in TABLES:
        assert getattr(events, name).to_pylist() == getattr(columnar, name).to_pylist(), name
    assert events.manifest == columnar.manifest


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packs")


def kept(cells: list[Row], lacking: set[str]) -> list[Row]:
    return [{name: value for name, value in row.items() if name not in lacking} for row in cells]


@settings(SAME_EVERY_RUN, max_examples=60)
@given(pack=packs(PLAIN), cells=rows(PLAIN, size=8), lacking=st.sets(st.sampled_from(sorted(facts())), max_size=3))
def test_a_random_pack_finds_the_same_by_both_engines(folder: Path, pack: RandomPack, cells: list[Row], lacking: set[str]) -> None:
    made, data = page_pack(folder, pack.criteria), table_of(kept(cells, lacking))
    columnar = judge(data, made, as_of=PAGE_AS_OF)
    with by_events():
        assert_same(columnar, judge(data, made, as_of=PAGE_AS_OF))


@settings(SAME_EVERY_RUN, max_examples=60)
@given(pack=packs(PLAIN), cells=rows(PLAIN, size=1), lacking=st.sets(st.sampled_from(sorted(facts())), max_size=3))
def test_an_inspection_that_comes_alone_is_judged_as_the_interpreter_judges_it(
    folder: Path, pack: RandomPack, cells: list[Row], lacking: set[str]
) -> None:
    """Aggregates over an inspection included: its rows are then this one."""
    (row,) = ({name: None if value == "" else value for name, value in row.items()} for row in kept(cells, lacking))
    (sector,) = page_pack(folder, pack.criteria).sectors.values()
    day = row.get(DATE_FIELD) or PAGE_AS_OF
    ids = tuple(criterion.id for criterion in sector.criteria)
    (judgement,) = worker().judge(sector, ids, frozenset(), frozenset(), [{**row, DATE_FIELD: day, DAY: day}])
    found = {name: VERDICTS[code] for name, code in zip(ids, judgement.verdicts, strict=True)}
    expected = {name: "suspected" if suspected else verdict for name, [(verdict, suspected)] in by_interpreter(sector, [row]).items()}
    assert found == expected


def bounds(low: object, grow: int | None, blank: bool) -> tuple[object, object]:
    """Two ends of what a cell may be: one value, a range, or no bound on one side."""
    if low is None or grow is None:
        return (low, low)
    high = low + dt.timedelta(grow) if isinstance(low, dt.date) else low + grow  # type: ignore[operator]
    return (None, high) if blank else (low, high)


@settings(SAME_EVERY_RUN, max_examples=60)
@given(pack=packs(PLAIN), cells=rows(PLAIN, size=4), data=st.data())
def test_values_of_which_only_bounds_are_known_are_judged_the_same(folder: Path, pack: RandomPack, cells: list[Row], data: st.DataObject) -> None:
    (sector,) = page_pack(folder, pack.criteria).sectors.values()
    frame = frame_of([{name: None if value == "" else value for name, value in row.items()} for row in cells])
    frame = frame.with_columns(pl.lit(0, dtype=pl.UInt16).alias("__table"), pl.int_range(1, len(cells) + 1, dtype=pl.UInt32).alias("__row"))
    for name in data.draw(st.sets(st.sampled_from(["数量", "限值", "高度_m", "件数", "检验日期", "到期日期"]), min_size=1)):
        ends = [bounds(low, data.draw(st.none() | st.integers(0, 40)), data.draw(st.booleans())) for low in frame[name]]
        kind = frame[name].dtype
        frame = frame.with_columns(pl.Series(name, [e[0] for e in ends], dtype=kind), pl.Series(name + HIGH, [e[1] for e in ends], dtype=kind))
    columnar, events = judge_frame(frame, sector, PAGE_AS_OF), row_by_row(worker())(frame, sector, PAGE_AS_OF)
    assert events.hits.rows() == columnar.hits.rows()
    assert events.tallies == columnar.tallies


def test_a_date_that_follows_from_a_month_alone_has_bounds_too(tmp_path: Path) -> None:
    """Inspected 2023-05, so due 2024-05-01 to 2024-05-31: on 2024-05-31 perhaps, a day later certainly overdue; a due day filled in is held to it."""
    (tmp_path / "shop").mkdir()
    fields = "sector: shop\ntitle: 店\nfields:\n  单位名称: {type: text, role: enterprise, meaning: 单位}\n"
    fields += "  检查日期: {type: date, role: date, meaning: 日期}\n  检验日期: {type: date, meaning: 检验}\n"
    fields += "  到期: {type: date, meaning: 到期, derive: 'ADD_MONTHS(检验日期, 12)'}\n"
    (tmp_path / "shop/fields.yaml").write_text(fields, "utf-8")
    rules = "document: {id: d, title: 某标准, number: 某号, issuer: 某机关, in_force: {from: 2020-01-01}}\ncriteria:\n"
    rules += "  - {id: shop/d/1, clause: 一, name: 超期, when: 检查日期 > 到期, grade: major, status: verified}\n"
    (tmp_path / "shop/d.yaml").write_text(rules, "utf-8")
    pack = load_pack([tmp_path], shipped=False)
    days, due = ["2024-05-01", "2024-05-31", "2024-06-01", "2024-06-01"], [None, None, None, "2024-07-01"]
    rows = [{"单位名称": f"第{n}店", "检查日期": day, "检验日期": "2023-05", "到期": one} for n, (day, one) in enumerate(zip(days, due, strict=True))]
    columnar = judge(pl.DataFrame(rows), pack)
    assert [f["row"] for f in columnar.findings.to_pylist()] == [3]
    assert [u["row"] for u in columnar.undetermined.to_pylist()] == [2]
    with by_events():
        assert_same(columnar, judge(pl.DataFrame(rows), pack))
    came = answers(pack, rows)
    assert [[v["verdict"] for v in answer["verdicts"]] for answer in came] == [[], ["undetermined"], ["met"], []]
    assert [[d["field"] for d in answer["defects"]] for answer in came] == [[], [], [], ["到期"]]


def rules_of(sample: str) -> Pack:
    return pack_of(None if sample == MIXED else PARTS.get(sample, sample))


def columnar(sample: str) -> Result:
    return judge(table(sample), rules_of(sample), as_of=AS_OF)


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_table_gives_the_same_result_by_both_engines(sample: str) -> None:
    with by_events():
        events = columnar(sample)
    assert_same(columnar(sample), events)


def lines_of(sample: str) -> list[dict[str, str]]:
    data = table(sample).read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("gb18030")
    return list(csv.DictReader(text.splitlines(keepends=True)))


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_table_line_by_line_comes_to_the_same_verdicts_and_levels(sample: str) -> None:
    result = columnar(sample)
    left = {d["row"] - 1 for d in result.defects.to_pylist() if d["problem"] == "sector"}  # a line alone goes by its columns instead
    came = [answer for answer in answers(rules_of(sample), lines_of(sample)) if answer["line"] not in left]
    listed = {(a["line"], v["criterion"], v["verdict"], v["suspected"]) for a in came for v in a["verdicts"]}
    assert listed == {(f["row"] - 1, f["criterion"], "met", False) for f in result.findings.to_pylist()} | {
        (u["row"] - 1, u["criterion"], "undetermined", u["suspected"]) for u in result.undetermined.to_pylist()
    }
    assert {(a["line"], d["field"], d["problem"], d["message"]) for a in came for d in a["defects"]} == {
        (d["row"] - 1, d["field"], d["problem"], d["message"]) for d in result.defects.to_pylist() if d["row"] - 1 not in left
    }
    last = {answer["enterprise"]: answer["present"] for answer in came}
    for enterprise in result.enterprises.to_pylist():
        present = last.pop(enterprise["enterprise"])
        assert {**present, "date": enterprise["date"]} == {name: enterprise[name] for name in present}
        assert present["date"] == enterprise["date"].isoformat()
    assert last == {}


def test_conditions_as_large_as_the_language_allows_are_cut_up_and_found_the_same(tmp_path: Path) -> None:
    """The native library holds 64 nodes waiting, 31 marks and 255 facts a rule: a condition may have 200 parts, three deep and more."""
    names = ["甲", "乙", "丙", "NOT 甲", "NOT 乙", "NOT 丙"]
    limits = [f"数量 > {n}" for n in range(120)] + [f"限值 <> {n}.5" for n in range(70)]
    deep = " OR ".join(
        f"({a} AND ({b} OR ({c} AND 数量 > {n})))" for n, (a, b, c) in enumerate([(x, y, z) for x in names for y in names for z in names][:45])
    )
    many = " OR ".join(limits)
    conditions = [many, f"NOT ({many})", many.replace(" OR ", " AND "), deep, f"NOT ({deep})", f"COUNT_MET({many.replace(' OR ', ', ')}) >= 100"]
    conditions += [f"数量 = {n} OR 品种 = '{n}号' AND NOT 甲" for n in range(300)]
    pack = page_pack(tmp_path, [{"when": text} for text in conditions])
    cells = [
        {"甲": a, "乙": b, "丙": None, "数量": q, "限值": 3.5, "品种": p} for a in (True, None) for b in (False, None) for q in (1e9, 57.0, None, -1.0)
        for p in ("7号", None, "\"\\\n{")
    ]  # fmt: skip
    columnar = judge(table_of(cells), pack, as_of=PAGE_AS_OF)
    with by_events():
        assert_same(columnar, judge(table_of(cells), pack, as_of=PAGE_AS_OF))


@pytest.mark.parametrize("number", [1e-7, 1e15, 123456789012.5, 1e300, 5e-324, 0.1, -0.0])
def test_a_number_of_any_size_reaches_the_rules_whole(tmp_path: Path, number: float) -> None:
    pack: Pack = page_pack(tmp_path, [{"when": "数量 > 0"}, {"when": "数量 > 0.1"}, {"when": "数量 <= 123456789012.5"}, {"when": "数量 = 0.0000001"}])
    columnar = judge(table_of([{"数量": number}]), pack, as_of=PAGE_AS_OF)
    with by_events():
        assert_same(columnar, judge(table_of([{"数量": number}]), pack, as_of=PAGE_AS_OF))
