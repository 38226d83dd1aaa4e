"""Documents that follow one another: the links lead somewhere and back, and the days in force join; gaps are read as written."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.documents import Gap
from engine.pack import load_pack, open_library
from engine.problems import Problem

FIELDS = "sector: shops\ntitle: 店铺\nfields:\n  有证: {type: bool, meaning: 证}\n"


def document(name: str, period: str, *more: str) -> str:
    keys = [f"id: {name}", f"title: {name}", "number: 1号", "issuer: 某局", f"in_force: {period}", *more]
    criterion = f"criteria:\n  - {{id: shops/{name}/1, clause: 一, name: 无证, when: NOT 有证, grade: major, status: verified}}\n"
    return "document:\n" + "".join(f"  {key}\n" for key in keys) + criterion


def problems(root: Path, *documents: str, sectors: list[str] | None = None) -> list[Problem]:
    folder = root / "shops"
    folder.mkdir(exist_ok=True)
    (folder / "fields.yaml").write_text(FIELDS, "utf-8")
    for number, text in enumerate(documents):
        (folder / f"{'ab'[number]}.yaml").write_text(text, "utf-8")
    return open_library([folder], shipped=False).load(sectors)[1]


def shown(found: list[Problem]) -> list[tuple[str, str, str]]:
    return [(p.file, p.excerpt[p.column - 1 : p.column - 1 + p.length], p.message) for p in found]


OLD, NEW = "{from: 2020-01-01, to: 2022-12-31}", "{from: 2023-01-01}"


def test_two_editions_that_join_and_name_each_other(tmp_path: Path) -> None:
    assert problems(tmp_path, document("a", OLD, "replaced_by: b"), document("b", NEW, "replaces: [a]")) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (("replaced_by: c",), (), ("shops/a.yaml", "c", "replaced_by 指的文件“c”不存在。")),
        ((), ("replaces: [c]",), ("shops/b.yaml", "c", "replaces 指的文件“c”不存在。")),
        ((), ("replaces: [a]",), ("shops/b.yaml", "a", "replaces 里的“a”没有反过来写明被本文件替代。")),
        (("replaced_by: b",), (), ("shops/a.yaml", "b", "replaced_by 指的“b”没有写明替代本文件。")),
    ],
)  # fmt: skip
def test_a_link_that_leads_nowhere_or_does_not_lead_back_is_named(
    tmp_path: Path, old: tuple[str, ...], new: tuple[str, ...], expected: tuple[str, str, str]
) -> None:
    assert shown(problems(tmp_path, document("a", OLD, *old), document("b", NEW, *new))) == [expected]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{from: 2020-01-01}", NEW, "“a”已被替代，却没有末日。"),
        ("{from: 2020-01-01, to: 2023-01-01}", NEW, "“a”施行到 2023-01-01，本文件 2023-01-01 起施行，两版重叠。"),
        ("{from: 2020-01-01, to: 2022-12-30}", NEW, "“a”施行到 2022-12-30，本文件 2023-01-01 起施行，中间有几天没有依据。"),
    ],
)
def test_editions_that_overlap_or_leave_days_without_one(tmp_path: Path, old: str, new: str, message: str) -> None:
    found = problems(tmp_path, document("a", old, "replaced_by: b"), document("b", new, "replaces: [a]"))
    assert shown(found) == [("shops/b.yaml", "a", message)]


@pytest.mark.parametrize(
    ("day", "note", "ok"),
    [
        ("2023-06-30", "过渡期内两版并行", True),
        ("2022-06-30", "其间为空档", True),
        ("2022-06-30", "两版并行", False),
        ("2023-06-30", "其间为空档", False),
    ],
)
def test_a_note_owns_up_to_an_overlap_or_a_gap(tmp_path: Path, day: str, note: str, ok: bool) -> None:
    old = document("a", f"{{from: 2020-01-01, to: {day}}}", "replaced_by: b", f"note: {note}")
    assert (problems(tmp_path, old, document("b", NEW, "replaces: [a]")) == []) is ok


def test_loading_one_sector_does_not_ask_where_links_lead(tmp_path: Path) -> None:
    assert problems(tmp_path, document("a", OLD, "replaced_by: elsewhere"), sectors=["shops"]) == []


def test_a_citys_own_edition_may_replace_a_shipped_document(tmp_path: Path) -> None:
    """The shipped file cannot answer, and both stay at work."""
    home, city = tmp_path / "home", tmp_path / "city"
    for root, text in ((home, document("a", "{from: 2020-01-01}")), (city, document("b", NEW, "replaces: [a]"))):
        (root / "shops").mkdir(parents=True)
        (root / "shops" / "fields.yaml").write_text(FIELDS, "utf-8")
        (root / "shops" / f"{'a' if root == home else 'b'}.yaml").write_text(text, "utf-8")
    assert open_library([home, city], shipped=False).load()[1] == []


def test_gaps_are_kept_as_written(tmp_path: Path) -> None:
    gaps = "gaps: [{clause: 第十项起, kind: missing, reason: 原文截断}, {clause: 第三项, kind: not_computable, reason: 要由人认定}]"
    assert problems(tmp_path, document("a", OLD, gaps)) == []
    (criterion,) = load_pack([tmp_path / "shops"], shipped=False).sectors["shops"].criteria
    assert criterion.document.gaps == (Gap("第十项起", "missing", "原文截断"), Gap("第三项", "not_computable", "要由人认定"))


def test_a_gap_without_reason_or_of_an_unknown_kind_is_named(tmp_path: Path) -> None:
    found = problems(tmp_path, document("a", OLD, "gaps: [{clause: 一, kind: mising, reason: 缺}, {clause: 二, kind: missing}]"))
    assert [(p.message, p.hint) for p in found] == [("“kind”的值“mising”不认识。", "是不是“missing”？"), ("gaps 的一项缺少“reason”。", "")]
