"""docs/rules.md is for people who write rules: its complete example loads, passes its own tests and judges as it says."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import polars as pl
import pytest

from engine import Result, judge
from engine.documents import CRITERION_KEYS
from engine.fields import FIELD_KEYS
from engine.pack import open_library
from engine.ruletests import run_tests

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "rules.md").read_text("utf-8")


@pytest.fixture
def city(tmp_path: Path) -> Path:
    """The four files of the example."""
    files = re.findall(r"^`(city/[\w./-]+)`：\n\n```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert [name for name, _ in files] == ["city/pack.yaml", "city/fireworks/fields.yaml", "city/fireworks/city-1-2026.yaml", "city/changes.yaml"]
    for name, text in files:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return tmp_path / "city"


def run(city: Path, **cells: str) -> Result:
    row = {"检查日期": "2026-03-01", "单位类型": "零售店", **cells}
    return judge(pl.DataFrame({name: [cell] for name, cell in row.items()}), [city], sector="fireworks", as_of=dt.date(2026, 3, 1))


def test_the_example_loads_without_a_problem_and_passes_its_own_tests(city: Path) -> None:
    _, problems = open_library([city]).load(["fireworks"])
    assert problems == []
    outcomes = [outcome for outcome in run_tests([city], ["fireworks"]) if outcome.criterion == "fireworks/city-1-2026/2"]
    assert len(outcomes) == 6
    assert [outcome.message for outcome in outcomes if not outcome.ok] == []


def test_the_example_adds_a_criterion_with_a_header_of_its_own(city: Path) -> None:
    assert run(city, 电动车店内充电="是").findings["criterion"].to_pylist() == ["fireworks/city-1-2026/2"]


@pytest.mark.parametrize(("boxes", "met"), [("109", False), ("110", False), ("111", True)])
def test_the_example_replaces_a_condition_and_says_why(city: Path, boxes: str, met: bool) -> None:
    result = run(city, 实际存放箱数=boxes, 核定存放箱数="100")
    assert ("fireworks/aq-4128-2019/5.2-t2" in result.findings["criterion"].to_pylist()) is met
    assert result.manifest["replaced"] == [{"criterion": "fireworks/aq-4128-2019/5.2-t2", "reason": "本市留一成余地"}]


def test_the_example_suspends_a_criterion_and_says_why(city: Path) -> None:
    result = run(city, **{"零售场所面积_m2": "5"})
    assert "fireworks/aq-4128-2019/5.1" not in result.findings["criterion"].to_pylist()
    assert {"criterion": "fireworks/aq-4128-2019/5.1", "reason": "本市小店另有规定"} in result.manifest["suspended"]


@pytest.mark.parametrize("keys", [FIELD_KEYS, CRITERION_KEYS])
def test_every_key_that_the_loader_knows_is_explained(keys: tuple[str, ...]) -> None:
    assert [key for key in keys if f"`{key}`" not in PAGE] == []
