"""One file serves two sectors: a document that a sector's `documents` names is judged there too, with the fields that it uses."""

from pathlib import Path

import pandas as pd

import engine
from engine.pack import load_pack, open_library

HOME = """
document: {id: law, title: 某法, number: 某法, issuer: 某机关, in_force: {from: 2020-01-01}}
criteria:
  - {id: home/law/1, clause: 第一条, name: 没有许可证, applies: 大型, when: NOT 有许可证, grade: major, status: verified}
  - {id: home/law/kind, clause: 第二条, name: 大型单位, when: 从业人数 > 300, kind: classification, status: verified}
"""
FIELDS = """
sector: home
title: 甲
fields:
  有许可证: {type: bool, meaning: 持有有效许可证}
  从业人数: {type: integer, unit: 人, meaning: 从业人员数}
  大型: {type: bool, meaning: 属大型单位, derive: MET('home/law/kind')}
  甲专用: {type: bool, meaning: 只有甲用的事实}
"""
OTHER = """
document: {id: own, title: 某规定, number: 某规定, issuer: 某机关, in_force: {from: 2020-01-01}}
criteria:
  - {id: other/own/1, clause: 第一条, name: 没有出口, when: NOT 有出口, grade: general, status: verified}
"""


def _pack(root: Path, documents: str = "[home/law]") -> Path:
    for name, text in {
        "home/fields.yaml": FIELDS, "home/law.yaml": HOME, "other/own.yaml": OTHER,
        "other/fields.yaml": f"sector: other\ntitle: 乙\ndocuments: {documents}\nfields:\n  单位名称: {{type: text, meaning: 单位, role: enterprise}}\n  有出口: {{type: bool, meaning: 有出口}}\n",
    }.items():  # fmt: skip
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def test_a_document_of_another_sector_is_judged_with_the_fields_that_it_uses(tmp_path: Path) -> None:
    sector = load_pack([_pack(tmp_path)], "other", shipped=False).sectors["other"]
    assert [c.id for c in sector.criteria] == ["other/own/1", "home/law/1", "home/law/kind"]
    assert sector.criteria[1].document.sector == "home"
    assert {"有出口", "有许可证", "从业人数", "大型"} <= set(sector.fields)
    assert "甲专用" not in sector.fields


def test_a_classification_feeds_a_fact_and_is_never_a_finding(tmp_path: Path) -> None:
    table = pd.DataFrame({
        "单位名称": ["一", "二", "三"], "检查日期": ["2021-01-01"] * 3, "有许可证": ["否"] * 3, "从业人数": [301, 300, None], "有出口": ["是"] * 3,
    })  # fmt: skip
    result = engine.judge(table, load_pack([_pack(tmp_path)], "other", shipped=False))
    assert [(f["enterprise"], f["criterion"]) for f in result.findings.to_pylist()] == [("一", "home/law/1")]
    assert [(u["enterprise"], u["criterion"], u["suspected"]) for u in result.undetermined.to_pylist()] == [("三", "home/law/1", True)]


def test_loading_both_sectors_is_no_repetition(tmp_path: Path) -> None:
    library = open_library([_pack(tmp_path)], shipped=False)
    pack, problems = library.load()
    assert problems == []
    assert pack.criterion("home/law/1").clause == "第一条"


def test_a_reference_to_nothing_is_named(tmp_path: Path) -> None:
    library = open_library([_pack(tmp_path, "[home/laws]")], shipped=False)
    _, problems = library.load(["other"])
    assert [(p.file.split("/", 1)[1], p.line, p.message) for p in problems] == [("other/fields.yaml", 3, "documents 里的“home/laws”不存在。")]


def test_a_classification_with_a_grade_is_refused(tmp_path: Path) -> None:
    root = _pack(tmp_path)
    (root / "home/law.yaml").write_text(HOME.replace("kind: classification", "kind: classification, grade: major"), encoding="utf-8")
    _, problems = open_library([root], shipped=False).load(["home"])
    assert [p.message for p in problems] == ["条款“home/law/kind”是分类，不是隐患，不能有 grade。"]


def test_a_hazard_without_a_grade_is_refused(tmp_path: Path) -> None:
    root = _pack(tmp_path)
    (root / "home/law.yaml").write_text(HOME.replace("grade: major, ", ""), encoding="utf-8")
    _, problems = open_library([root], shipped=False).load(["home"])
    assert [p.message for p in problems] == ["条款“home/law/1”缺少“grade”。"]
