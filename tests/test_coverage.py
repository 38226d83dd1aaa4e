"""The coverage of documents: each clause is a criterion, or is named with the reason why not; a file that serves two sectors is one document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import main
from engine import InputError
from engine.coverage import Coverage, coverage, find
from engine.pack import open_library
from engine.report.coverage import document_page, documents_list, markdown

LAW = """
document:
  id: law
  title: 某法
  number: 某令第1号
  issuer: 某机关
  in_force: {from: 2020-01-01}
  gaps:
    - {clause: 第九条, kind: missing, reason: 原文没有见到}
    - {clause: 第二条, kind: not_computable, reason: 后半句要由人认定}
criteria:
  - {id: home/law/1, clause: 第一条, name: 没有许可证, when: NOT 有许可证, grade: major, status: verified}
  - {id: home/law/2-a, clause: 第二条, name: 没有出口, when: NOT 有出口, grade: general, status: recalled}
  - {id: home/law/2-b, clause: 第二条, name: 出口锁闭, when: 出口锁闭, grade: general, status: uncertain}
"""
DRAFT = """
document: {id: draft, title: 某稿, number: 某稿, issuer: 某机关, in_force: {from: 2021-01-01}}
criteria:
  - {id: home/draft/1, clause: 第一条, name: 没有许可证, when: NOT 有许可证, grade: major, status: uncertain}
"""
FIELDS = """
sector: home
title: 甲
fields:
  有许可证: {type: bool, meaning: 持有有效许可证}
  有出口: {type: bool, meaning: 有出口}
  出口锁闭: {type: bool, meaning: 出口上锁}
"""
OTHER = "sector: other\ntitle: 乙\ndocuments: [home/law]\nfields:\n  备注: {type: text, meaning: 备注}\n"


@pytest.fixture
def documents(tmp_path: Path) -> tuple[Coverage, ...]:
    for name, text in {"home/fields": FIELDS, "home/law": LAW, "home/draft": DRAFT, "other/fields": OTHER}.items():
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    library = open_library([tmp_path], shipped=False)
    pack, problems = library.load()
    assert problems == []
    return coverage(pack, library)


def test_each_clause_is_encoded_or_has_a_reason(documents: tuple[Coverage, ...]) -> None:
    parts = [(part.clause, part.state, [c.id for c in part.criteria], part.reason) for part in find(documents, "law").parts()]
    assert parts == [
        ("第一条", "encoded", ["home/law/1"], ""),
        ("第二条", "encoded", ["home/law/2-a", "home/law/2-b"], ""),
        ("第二条", "not_computable", [], "后半句要由人认定"),
        ("第九条", "missing", [], "原文没有见到"),
    ]


def test_a_file_that_serves_two_sectors_is_one_document(documents: tuple[Coverage, ...]) -> None:
    assert [(one.id, one.sectors) for one in documents] == [("home/draft", ("home",)), ("home/law", ("home", "other"))]
    assert dict(find(documents, "law").by_status) == {"verified": 1, "recalled": 1, "uncertain": 1}


def test_a_document_with_nothing_but_doubtful_clauses_is_off(documents: tuple[Coverage, ...]) -> None:
    assert [(one.id, one.off) for one in documents] == [("home/draft", True), ("home/law", False)]


@pytest.mark.parametrize("name", ["home/law", "law", "某令第1号", "某法"])
def test_a_document_is_found_by_any_of_its_names(documents: tuple[Coverage, ...], name: str) -> None:
    assert find(documents, name).id == "home/law"


def test_a_document_that_is_not_there_is_told_with_the_nearest(documents: tuple[Coverage, ...]) -> None:
    with pytest.raises(InputError, match="没有“home/laws”这份文件。是不是“home/law”？"):
        find(documents, "home/laws")


def test_the_page_of_a_document(documents: tuple[Coverage, ...]) -> None:
    assert document_page(find(documents, "law"), {"home": "甲", "other": "乙"}).splitlines() == [
        "某法",
        "=" * 40,
        "文件    home/law",
        "文号    某令第1号，某机关",
        "施行    2020-01-01 起（首末两日都算）",
        "行业    甲（home）、乙（other）",
        "条款    3 条（已核 1、待核 1、存疑 1）",
        "",
        "第一条  已编入",
        "  home/law/1  重大  没有许可证〔已核〕",
        "第二条  已编入",
        "  home/law/2-a  一般  没有出口〔依据待核〕",
        "  home/law/2-b  一般  出口锁闭〔存疑，默认不用〕",
        "第二条  不可计算：后半句要由人认定",
        "第九条  缺：原文没有见到",
    ]


def test_the_list_names_counts_gaps_sectors_and_what_is_off(documents: tuple[Coverage, ...]) -> None:
    assert documents_list(documents, {"home": "甲", "other": "乙"}).splitlines() == [
        "甲（home）",
        "  home/draft  《某稿》（某稿）2021-01-01 起；1 条（存疑 1）",
        "  home/law  《某法》（某令第1号）2020-01-01 起；3 条（已核 1、待核 1、存疑 1）；缺 1 处、不可计算 1 处；也用于乙",
        "",
        "共 1 个行业、2 份文件、4 条判定条款（已核 1、待核 1、存疑 2）。",
        "默认不用（全部条款存疑）的文件 1 份：home/draft。",
        "用 hazard rules coverage 文件 看一份文件逐条的情形。",
    ]


def test_the_page_for_readers_names_each_document_and_what_is_left_out(documents: tuple[Coverage, ...]) -> None:
    lines = markdown(documents, {"home": "甲", "other": "乙"}).splitlines()
    assert "- `home/draft`《某稿》：1 条全部存疑" in lines
    assert "| `law` | 某法 | 某令第1号 | 2020-01-01 | 现行 | 3 | 1 | 1 | 1 | 1 | 1 | 乙 |" in lines
    assert lines[lines.index("### home/law") :] == [
        "### home/law",
        "",
        "《某法》（某令第1号）",
        "",
        "- 缺：第九条。原文没有见到。",
        "- 不可计算：第二条。后半句要由人认定。",
        "- 存疑，默认不用：第二条。",
    ]


def test_the_command_gives_a_document_as_data() -> None:
    """MIIT 337: the text ends after item nine in what was found; nothing was put in its place."""
    done = CliRunner().invoke(main, ["rules", "coverage", "civil-explosives/miit337-2023", "--format", "json"])
    record = json.loads(done.stdout)
    assert (record["in_force_from"], record["in_force_to"], record["replaced_by"]) == ("2023-12-01", "2024-12-02", "civil-explosives/miit234-2024")
    assert [(one["clause"], one["state"]) for one in record["clauses"] if one["state"] != "encoded"] == [("第十项起", "missing")]


def test_the_library_lists_every_criterion_once_with_the_sectors_that_judge_it() -> None:
    done = CliRunner().invoke(main, ["rules", "list", "--format", "json"])
    records = json.loads(done.stdout)
    ids = [one["criterion"] for one in records]
    assert len(ids) == len(set(ids)) >= 2_600
    shared = {one["criterion"]: one["sectors"] for one in records}["gas/gb-55037-2022-gas/8.3.3"]
    assert shared == ["gas", "fire"]
    assert {one["kind"] for one in records} == {"direct", "element", "composite", "classification"}
