"""One inspection in, one answer out: what an answer holds, what a line may be, whose it is, and where its enterprise then stands."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import main
from engine import InputError
from engine.events.stream import batches

from .streams import answers, met, pack_of, small_pack, text_of

SHOP = {"单位名称": "沙溪烟花店", "单位类型": "零售店", "检查日期": "2024-05-01"}
CODE = "91350100M000100Y43"
"""A 统一社会信用代码 with the right check character (GB 32100-2015)."""


def test_an_answer_holds_the_verdicts_and_where_the_enterprise_stands_now() -> None:
    """A shop in one building with homes is a major hazard (第二十项); plan item 19 (饶安发〔2023〕3号) closes it."""
    first, second = answers(pack_of("fireworks"), [SHOP, {**SHOP, "检查日期": "2024-05-02", "下店上宅": "是"}])
    assert first["enterprise"] == second["enterprise"] == "沙溪烟花店"
    assert (first["line"], first["date"], first["sectors"]) == (1, "2024-05-01", ["fireworks"])
    assert met(first) == set() and first["present"]["level"] is None and first["present"]["rows"] == 1
    assert "fireworks/saws-121-2017-fw/20-a" in met(second)
    assert (second["present"]["level"], second["present"]["major"], second["present"]["rows"]) == ("关闭", 1, 2)
    assert any(measure["certain"] for measure in second["present"]["measures"])


def test_what_an_enterprise_was_found_to_have_stays_with_it_and_with_no_other() -> None:
    bad, good, other = (
        {**SHOP, "下店上宅": "是"},
        {**SHOP, "检查日期": "2024-05-09", "下店上宅": "否"},
        {**SHOP, "单位名称": "洋口烟花店", "下店上宅": "否"},
    )
    levels = [answer["present"]["level"] for answer in answers(pack_of("fireworks"), [bad, other, good])]
    assert levels == ["关闭", None, "关闭"]


def test_a_blank_is_open_and_a_lacking_name_is_not_covered() -> None:
    """docs/semantics.md, point 4: a line that does not have the column cannot be undetermined for want of it."""
    blank, lacking = answers(pack_of("fireworks"), [{**SHOP, "下店上宅": None}, SHOP])

    def undetermined(answer: dict) -> set[str]:  # type: ignore[type-arg]
        return {v["criterion"] for v in answer["verdicts"] if v["verdict"] == "undetermined"}

    assert "fireworks/saws-121-2017-fw/20-a" in undetermined(blank)
    assert "fireworks/saws-121-2017-fw/20-a" not in undetermined(lacking)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "JSON"), ("", "JSON"), ("[1]", "不是一条记录"), ('"甲"', "不是一条记录"), ("{}", "没有一格内容"), ('{"完全不认得": 1}', "没有一个名字"),
        ('{"单位名称": {"a": 1}}', "套着一层"), ('{"单位名称": "甲", "清单": [1]}', "没有这个子表"), ("[" * 100_000, "JSON"), ('{"a": "\\ud800"', "JSON"),
    ],
)  # fmt: skip
def test_a_line_that_is_no_inspection_gets_an_error_with_its_number_and_the_stream_goes_on(line: str, says: str) -> None:
    came = answers(pack_of("fireworks"), [SHOP, line, {**SHOP, "下店上宅": "是"}])
    assert [answer["line"] for answer in came] == [1, 2, 3]
    assert says in came[1]["error"] and set(came[1]) == {"seq", "line", "error"}
    assert "fireworks/saws-121-2017-fw/20-a" in met(came[2]) and came[2]["present"]["rows"] == 2


def test_an_unreadable_cell_is_a_defect_of_its_line() -> None:
    (answer,) = answers(pack_of("fireworks"), [{**SHOP, "下店上宅": "大概吧"}])
    assert [(one["column"], one["value"], one["problem"]) for one in answer["defects"]] == [("下店上宅", "大概吧", "bad_bool")]


def test_each_line_goes_to_the_sector_that_it_names(tmp_path: Path) -> None:
    pack = small_pack(tmp_path, {"shop": ("1", "major"), "mine": ("1", "general")}, {"shop": "商店", "mine": "矿山"})
    sectors = ["商店", "矿山", "商店、矿山", "渔业", None]
    came = answers(pack, [{"单位名称": "甲", "行业": sector, "甲": True} for sector in sectors])
    found = [sorted(met(answer)) if "error" not in answer else "error" for answer in came]
    assert found == [["shop/d/1"], ["mine/d/1"], ["mine/d/1", "shop/d/1"], "error", "error"]
    assert (came[2]["present"]["major"], came[2]["present"]["general"], came[2]["present"]["rows"]) == (1, 1, 4)


def test_child_rows_stand_in_the_line_of_their_inspection() -> None:
    """GB 18218-2018: 30 t of chlorine against 5 t is S = 6, so the works are a major hazard source, and 第八条 wants them assessed."""
    works = {"企业名称": "某厂", "检查日期": "2024-05-01", "已完成安全评估并分级": "否"}
    substance = {"单元": "罐区", "物质名称": "液氯", "设计最大量(t)": 30, "暴露人数": 29}
    wanted = "hazardous-chemicals/saws40-2011/8"
    alone, listed, less, odd = answers(
        pack_of("hazardous-chemicals"),
        [works, {**works, "物质清单": [substance]}, {**works, "物质清单": [{**substance, "设计最大量(t)": 4.9}]},
         {**works, "物质清单": [{**substance, "物质名称": "没有这种物质"}]}],
    )  # fmt: skip
    assert [wanted in met(answer) for answer in (alone, listed, less, odd)] == [False, True, False, False]
    assert {one["value"] for one in odd["defects"]} == {"没有这种物质"} and {one["problem"] for one in odd["defects"]} == {"not_found"}


def test_a_name_joins_the_code_that_alone_bears_it_whatever_comes_first() -> None:
    name, coded = {**SHOP, "下店上宅": "是"}, {**SHOP, "统一社会信用代码": CODE, "检查日期": "2024-05-03"}
    came = answers(pack_of("fireworks"), [name, coded, SHOP])
    assert [answer["present"]["rows"] for answer in came] == [1, 2, 3]
    assert {answer["present"]["level"] for answer in came} == {"关闭"}


def test_a_line_without_a_date_is_judged_on_the_day_asked_for() -> None:
    (answer,) = answers(pack_of("fireworks"), [{"单位名称": "甲", "单位类型": "零售店"}])
    assert answer["date"] == "2024-06-01"


def test_lines_are_handed_on_as_soon_as_they_are_there() -> None:
    """A line that has come is not kept waiting for the next."""
    read, write = os.pipe()
    with os.fdopen(read, "rb", 0) as source:
        came = batches(source, 2)
        os.write(write, b"1\n2\n3\n4")
        assert [next(came), next(came)] == [[b"1", b"2"], [b"3"]]
        os.write(write, b"4\n")
        assert next(came) == [b"44"]
        os.write(write, b"5")
        os.close(write)
        assert list(came) == [[b"5"]]


def test_a_line_too_long_for_any_inspection_is_cut_and_refused() -> None:
    came = answers(pack_of("fireworks"), ['{"单位名称": "' + "长" * 2_000_000 + '"}', SHOP])
    assert "MB" in came[0]["error"] and came[1]["enterprise"] == "沙溪烟花店"


def test_the_command_answers_line_by_line_through_pipes(tmp_path: Path) -> None:
    """The first answer comes before the second line is sent."""
    command = [sys.executable, "-c", "from cli import main; main()", "events", "--sector", "fireworks", "--as-of", "2024-06-01"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert process.stdin is not None and process.stdout is not None
    guard = threading.Timer(120, process.kill)
    guard.start()
    try:
        for name in ("甲店铺", "乙店铺"):
            process.stdin.write(text_of([{**SHOP, "单位名称": name}]))
            process.stdin.flush()
            assert f'"enterprise": "{name}"'.encode() in process.stdout.readline()
        process.stdin.close()
        assert process.stdout.read() == b"" and process.wait() == 0
    finally:
        guard.cancel()
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_command_says_what_is_wrong_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "不是状态.db").write_text("一些别的东西" * 100, "utf-8")
    for arguments, says in (
        (["--sector", "没有这行"], "没有“没有这行”这个行业"), (["--state", str(tmp_path / "不是状态.db")], "打不开或不是本命令写的"),
        (["--rules", str(tmp_path / "无")], "不存在"), (["--state", str(tmp_path / "无" / "状态.db")], "打不开"),
    ):  # fmt: skip
        result = CliRunner().invoke(main, ["events", *(["--sector", "fireworks"] if "--sector" not in arguments else []), *arguments], input="{}\n")
        assert result.exit_code == 2 and result.stdout == "" and says in result.stderr, result.output


def test_without_the_extra_the_command_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.events import native

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(native.importlib, "import_module", missing)
    with pytest.raises(InputError, match=r"hazard\[events\]"):
        native.library()


def test_score_has_the_engine_as_an_option(tmp_path: Path) -> None:
    table = tmp_path / "表.csv"
    table.write_text("单位名称,单位类型,检查日期,下店上宅\n沙溪烟花店,零售店,2024-05-01,是\n", "utf-8")
    outputs = [CliRunner().invoke(main, ["score", str(table), "--sector", "fireworks", "--engine", engine]) for engine in ("columnar", "events")]
    assert outputs[0].exit_code == 0 and "沙溪烟花店" in outputs[0].stdout
    assert outputs[0].stdout == outputs[1].stdout
