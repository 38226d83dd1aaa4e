"""The command as a person meets it: what it prints, what it writes, how it refuses."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from python_calamine import CalamineWorkbook

from cli import main
from engine.problems import width as columns

ROOT = Path(__file__).resolve().parent.parent
FIREWORKS = str(ROOT / "datasets" / "fireworks" / "烟花爆竹检查表.csv")
GAS = str(ROOT / "datasets" / "gas" / "城镇燃气检查表.csv")
PACK = """
sector: shops
title: 店铺
fields:
  单位名称: {type: text, role: enterprise, meaning: 单位}
  检查日期: {type: date, role: date, meaning: 检查日期}
  住人: {type: bool, meaning: 店里住人}
"""
DOCUMENT = """
document: {id: d, title: 规定, number: 1号, issuer: 某局, in_force: {from: 2020-01-01}}
criteria:
  - {id: shops/d/1, clause: 第一条, name: 店里住人, when: 住人, grade: major, status: verified}
"""


def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=stdin)


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "shops"
    folder.mkdir()
    (folder / "fields.yaml").write_text(PACK, "utf-8")
    (folder / "d.yaml").write_text(DOCUMENT, "utf-8")
    return folder


def table(path: Path, names: list[str], living: str = "是") -> str:
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["单位名称", "检查日期", "住人"], *[[name, "2024-01-01", living] for name in names]])
    return str(path)


def test_the_worst_enterprises_come_first_with_level_and_leading_clause() -> None:
    result = run("score", FIREWORKS)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("单位")
    levels = [level for line in lines for level in ("关闭", "挂牌督办", "警示约谈", "限期整改") if f" {level} " in line]
    assert levels == sorted(levels, key=["关闭", "挂牌督办", "警示约谈", "限期整改"].index)
    assert "零售场所和居民住处同在一栋建筑" in result.stdout
    assert "行业：烟花爆竹（fireworks，由列名识别）" in result.stdout
    assert "hazard explain" in lines[-1]


@pytest.mark.parametrize("width", ["60", "80", "140"])
def test_the_text_fits_the_terminal(monkeypatch: pytest.MonkeyPatch, width: str) -> None:
    monkeypatch.setenv("COLUMNS", width)
    told = run("score", FIREWORKS).stdout.split("\n想知道")[0]
    assert "合计" in told and max(columns(line) for line in told.splitlines()) <= int(width)
    told = run("explain", FIREWORKS, "--unit", "石狮乡鸿运烟花零售店").stdout
    assert "措施：" in told and max(columns(line) for line in told.splitlines()) <= int(width)
    told = run("rules", "show", "gas/mohurd-gas-4-2023/5-1").stdout
    assert "判定条件" in told and max(columns(line) for line in told.splitlines()) <= int(width)


def test_without_a_terminal_a_fact_stays_on_its_line() -> None:
    assert "（待核实成立时可达 挂牌督办）" in run("explain", FIREWORKS, "--unit", "石狮乡鸿运烟花零售店").stdout.splitlines()[0]


def test_json_is_one_object_with_the_eight_keys() -> None:
    made = json.loads(run("score", GAS, "--format", "json").stdout)
    assert set(made) == {"manifest", "coverage", "enterprises", "findings", "undetermined", "grade_differences", "duplicates", "defects"}
    assert made["manifest"]["counts"]["met"] == len(made["findings"]) > 0


def test_jsonl_names_the_kind_of_each_line() -> None:
    lines = [json.loads(line) for line in run("score", GAS, "--format", "jsonl").stdout.splitlines()]
    assert lines[0]["kind"] == "manifest"
    assert {line["kind"] for line in lines} == {"manifest", "enterprise", "finding", "undetermined", "defect", "coverage"}


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl", ".parquet", ".xlsx"])
def test_the_suffix_of_the_output_picks_the_format(tmp_path: Path, pack: Path, suffix: str) -> None:
    source = table(tmp_path / "表.csv", ["甲店", "乙店", "丙店"])
    path = tmp_path / f"结果{suffix}"
    before = {*tmp_path.iterdir(), path}
    assert run("score", source, "--rules", str(pack), "-o", str(path), "-q").exit_code == 0
    readers: dict[str, Any] = {
        ".csv": lambda: len(list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))),
        ".json": lambda: len(json.loads(path.read_text("utf-8"))["findings"]),
        ".jsonl": lambda: sum('"kind": "finding"' in line for line in path.read_text("utf-8").splitlines()),
        ".parquet": lambda: pq.read_table(path).num_rows,
        ".xlsx": lambda: len(CalamineWorkbook.from_path(path).get_sheet_by_name("隐患").to_python()) - 1,
    }
    assert readers[suffix]() == 3
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["=cmd()", "+1+1", "-2+3", "@SUM(A1)", "\t=1"])
def test_no_cell_becomes_a_formula(tmp_path: Path, pack: Path, name: str) -> None:
    source = table(tmp_path / "表.csv", [name])
    out = tmp_path / "结果.csv"
    assert run("score", source, "--rules", str(pack), "-o", str(out), "-q").exit_code == 0
    (row,) = csv.DictReader(io.StringIO(out.read_text("utf-8-sig")))
    assert row["enterprise"].startswith("'")
    book = tmp_path / "结果.xlsx"
    assert run("score", source, "--rules", str(pack), "-o", str(book), "-q").exit_code == 0
    import zipfile

    with zipfile.ZipFile(book) as archive:
        assert all(b"<f>" not in archive.read(name) for name in archive.namelist() if name.startswith("xl/worksheets/"))


def test_control_characters_of_a_table_do_not_reach_the_terminal(tmp_path: Path, pack: Path) -> None:
    result = run("score", table(tmp_path / "表.csv", ["甲\x1b[31m店"]), "--rules", str(pack))
    assert result.exit_code == 0 and "\x1b" not in result.stdout


def test_standard_input_is_a_csv_table(tmp_path: Path, pack: Path) -> None:
    result = run("score", "-", "--rules", str(pack), stdin="单位名称,检查日期,住人\n甲店,2024-01-01,是\n")
    assert result.exit_code == 0 and "甲店" in result.stdout


@pytest.mark.parametrize(("grade", "code"), [("重大", 1), ("major", 1), ("一般", 1)])
def test_fail_on_a_grade_that_is_there(grade: str, code: int) -> None:
    assert run("score", GAS, "-q", "--fail-on", grade).exit_code == code


def test_fail_on_a_grade_that_is_not_there(tmp_path: Path, pack: Path) -> None:
    assert run("score", table(tmp_path / "表.csv", ["甲店"], "否"), "--rules", str(pack), "-q", "--fail-on", "一般").exit_code == 0


def test_filters_restrict_enterprises_and_findings() -> None:
    made = json.loads(run("score", GAS, "--format", "json", "--region", "广信区", "--min-grade", "重大").stdout)
    assert {one["enterprise"] for one in made["enterprises"]} == {"上饶恒安燃气有限公司"}
    assert {one["grade"] for one in made["findings"]} == {"major"}
    made = json.loads(run("score", FIREWORKS, "--format", "json", "--level", "关闭").stdout)
    assert {one["level"] for one in made["enterprises"]} == {"关闭"}


def test_a_restricted_list_says_so_and_what_is_said_of_the_whole_table() -> None:
    text = run("score", GAS, "--region", "广信区").stdout
    assert "以上只列区县为广信区的单位；以下说的是整张表。" in text and text.count("挂牌督办") == 1


def test_quiet_prints_nothing() -> None:
    result = run("score", GAS, "-q")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_explain_names_the_clause_the_cell_and_the_distance() -> None:
    text = run("explain", FIREWORKS, "--unit", "石狮乡鸿运烟花零售店", "--criterion", "fireworks/aq-4128-2019/5.1").stdout
    plain = "".join(text.split())  # the lines are wrapped to the terminal
    assert "AQ4128-2019" in plain and "零售场所面积_m2=9.5（列“经营面积（平方米）”）" in plain
    assert "9.5m2与10m2，相差0.5m2" in plain


def test_rules_list_has_every_criterion_with_its_own_id() -> None:
    made = json.loads(run("rules", "list", "--format", "json").stdout)
    ids = [one["criterion"] for one in made]
    assert len(ids) == len(set(ids)) >= 466


def test_rules_show_is_a_page_with_basis_condition_facts_and_examples() -> None:
    page = run("rules", "show", "fireworks/saws-121-2017-fw/20-a").stdout
    for part in ("安监总管三〔2017〕121号", "判定条件", "要记录的事实", "例子", "整改办法"):
        assert part in page


def test_rules_check_and_test_pass_on_the_shipped_library() -> None:
    assert run("rules", "check").exit_code == 0
    result = run("rules", "test")
    assert result.exit_code == 0 and "不符 0 个" in result.stdout


def test_rules_test_fails_where_a_rule_says_something_else(pack: Path) -> None:
    (pack / "d.tests.yaml").write_text("tests:\n  - {criterion: shops/d/1, row: {住人: 是}, verdict: not_met}\n", "utf-8")
    result = run("rules", "test", str(pack), "--sector", "shops")
    assert result.exit_code == 1
    assert "应为 not_met，判为 met" in result.stderr


def test_rules_check_lists_all_errors_with_place(pack: Path) -> None:
    (pack / "d.yaml").write_text(DOCUMENT.replace("when: 住人", "when: 住仁 AND 5").replace("grade: major", "grade: 重大"), "utf-8")
    result = run("rules", "check", str(pack))
    assert result.exit_code == 2
    assert "没有“住仁”这个字段" in result.stderr and "是不是“住人”" in result.stderr and "“重大”不认识" in result.stderr
    assert "第4行" in result.stderr and "^^" in result.stderr


BAD: list[tuple[str, bytes | None]] = [
    ("没有.csv", None), ("空.csv", b""), ("表.docx", b"x"), ("无列.csv", "甲,乙\n1,2\n".encode()), ("只有表头.csv", "单位名称,住人\n".encode()),
    ("坏.xlsx", b"PK\x03\x04 broken"), ("坏.parquet", b"PAR1 broken"), ("坏.json", b"{"), ("坏.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 broken"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content"), BAD, ids=[name for name, _ in BAD])
def test_a_table_that_cannot_be_used_gets_one_paragraph_and_nothing_is_written(tmp_path: Path, pack: Path, name: str, content: bytes | None) -> None:
    source = tmp_path / name
    if content is not None:
        source.write_bytes(content)
    before = sorted(tmp_path.iterdir())
    result = run("score", str(source), "--rules", str(pack), "--sector", "shops", "-o", str(tmp_path / "结果.json"))
    assert result.exit_code == 2
    assert result.stdout == "" and len(result.stderr.strip().splitlines()) == 1
    assert "请" in result.stderr and "Traceback" not in result.stderr
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["scor"], "没有这个命令：scor"), (["score"], "缺少“表…”"), (["score", GAS, "--min-grad", "重大"], "没有“--min-grad”这个选项"),
        (["score", GAS, "--as-of", "2024年"], "不是日期"), (["score", GAS, "--min-grade", "重要"], "没有“重要”这个等级"),
        (["score", GAS, "--sector", "煤气"], "没有“煤气”这个行业"), (["score", GAS, "--level", "挂牌"], "是不是“挂牌督办”"),
        (["score", GAS, "-o", "结果.docx"], "后缀不认识"), (["score", GAS, "-o", "没有的文件夹/结果.csv"], "文件夹不存在"),
        (["score", GAS, "--region", "广新区"], "是不是“广信区”"), (["score", GAS, "--format", "xml"], "只能取 text、json、jsonl、csv"),
        (["score", GAS, "--format"], "“--format”的写法不对"), (["explain", GAS], "缺少“--unit”"), (["rules", "show", "a", "b"], "多写了参数：b"),
        (["score", "坏\udcc1名.csv"], "不存在"), (["rules", "check", "没有的目录"], "不存在"),
        (["score", GAS, "--rules", "没有的目录"], "不存在"), (["explain", GAS, "--unit", "没有的单位"], "没有单位或检查对象“没有的单位”"),
        (["explain", GAS, "--unit", "老街李记小炒店", "--criterion", "gas/x"], "没有条款“gas/x”"), (["rules", "show", "gas/none"], "没有条款"),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_chinese_paragraph_and_code_2(arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2 and said in result.stderr and result.stdout == ""


def test_an_output_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.report import data

    path = tmp_path / "结果.json"
    path.write_text("以前的结果", "utf-8")

    def fail(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(data, "as_json", fail)
    assert run("score", GAS, "-o", str(path), "-q").exit_code == 2
    assert path.read_text("utf-8") == "以前的结果"
    assert [one.name for one in tmp_path.iterdir()] == ["结果.json"]


def test_the_table_itself_is_never_overwritten(tmp_path: Path, pack: Path) -> None:
    source = table(tmp_path / "表.csv", ["甲店"])
    before = Path(source).read_bytes()
    (tmp_path / "同一个.csv").symlink_to(source)
    for named, target in ((source, source), (source, str(tmp_path / "同一个.csv")), (str(tmp_path / "*.csv"), source)):
        result = run("score", named, "--rules", str(pack), "--sector", "shops", "-o", target)
        assert result.exit_code == 2 and "会盖掉它" in result.stderr
    assert Path(source).read_bytes() == before


def test_a_file_name_from_an_old_system_is_refused_not_a_traceback(tmp_path: Path, pack: Path) -> None:
    source = os.path.join(os.fsencode(tmp_path), "旧表.csv".encode("gb18030"))
    with open(source, "w", encoding="utf-8") as file:
        file.write("单位名称,检查日期,住人\n甲店,2024-01-01,是\n")
    result = run("score", os.fsdecode(source), "--rules", str(pack), "-o", str(tmp_path / "结果.json"))
    assert result.exit_code == 2 and "改名" in result.stderr
    assert not (tmp_path / "结果.json").exists()


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_the_output_has_the_permissions_of_any_new_file(tmp_path: Path, pack: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        run("score", table(tmp_path / "表.csv", ["甲店"]), "--rules", str(pack), "-q", "-o", str(tmp_path / "结果.csv"))
    finally:
        os.umask(before)
    assert (tmp_path / "结果.csv").stat().st_mode & 0o777 == 0o666 & ~umask


def test_rules_check_and_test_of_a_folder_speak_of_that_folder(pack: Path) -> None:
    (pack / "d.tests.yaml").write_text("tests:\n  - {criterion: shops/d/1, row: {住人: 是}, verdict: met}\n", "utf-8")
    assert "有 1 条判定条款；连同随附规则库" in run("rules", "check", str(pack)).stdout
    assert run("rules", "test", str(pack)).stdout == "检验用例 1 个，相符 1 个，不符 0 个。\n"


def test_the_hint_can_be_pasted_into_a_shell(tmp_path: Path, pack: Path) -> None:
    source = table(tmp_path / "表 一.csv", ["O'Neill 店; rm -rf x"])
    hint = run("score", source, "--rules", str(pack)).stdout.splitlines()[-1]
    words = shlex.split(hint.split("：", 1)[1])
    assert words == ["hazard", "explain", source, "--unit", "O'Neill 店; rm -rf x"]


def installed(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run([sys.executable, "-m", "cli", *arguments], cwd=ROOT, capture_output=True, text=True, encoding="utf-8", **options)


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["score"],
        ["explain"],
        ["columns"],
        ["events"],
        ["rules"],
        ["rules", "list"],
        ["rules", "show"],
        ["rules", "check"],
        ["rules", "test"],
        ["rules", "coverage"],
    ],
)
def test_help_is_chinese_fits_80_columns_and_loads_no_engine(command: list[str]) -> None:
    code = f"import sys; sys.argv = ['hazard', *{command!r}, '--help']; import cli\ntry: cli.main()\nexcept SystemExit as end: print(end.code, *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    page, _, last = done.stdout.rstrip("\n").rpartition("\n")
    assert page.startswith("用法：hazard") and "显示本页" in page and not re.search(r"Usage|Options|Commands|Show|required", page)
    assert max(columns(line) for line in page.splitlines()) <= 80
    code, *modules = last.split()
    assert code == "0" and not {"polars", "pandas", "pyarrow", "sqlglot", "yaml"} & set(modules)
    assert {name for name in modules if name.startswith("engine.")} == {"engine.report", "engine.report.usage"}


def test_no_command_at_all_shows_the_help_and_is_wrong_usage() -> None:
    done = installed()
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith("用法：hazard")


def test_a_reader_that_stops_early_is_no_error() -> None:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {shlex.quote(sys.executable)} -m cli rules list | head -1"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stderr == "" and done.stdout.startswith("《")


def test_a_reader_that_is_gone_before_the_first_line_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "cli", "rules", "list", "--format", "json"], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_terminal_that_lacks_the_characters_gets_question_marks() -> None:
    done = installed("score", GAS, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0 and "GB 55009-2021" in done.stdout and done.stderr == ""


def test_nothing_but_messages_goes_to_standard_error() -> None:
    done = installed("score", GAS, "--format", "json")
    assert done.stderr == "" and json.loads(done.stdout)["manifest"]["sector"] == "gas"


FIELDS_OF_ALL_TYPES = (
    PACK
    + """
  类别: {type: enum, values: [甲类, 乙类], meaning: 类别}
  高_m: {type: number, unit: m, meaning: 高}
  重_t: {type: number, unit: t, meaning: 重}
"""
)
BAD_RULES: dict[str, tuple[str, str, str, str]] = {  # what is wrong: (file, text, instead, what the message says)
    "unknown key": ("d.yaml", "grade:", "garde:", "是不是“grade”"),
    "unknown field": ("d.yaml", "when: 住人", "when: 住仁", "没有“住仁”这个字段"),
    "wrong type": ("d.yaml", "when: 住人", "when: 类别 > 3", "类型不同"),
    "wrong unit": ("d.yaml", "when: 住人", "when: 高_m > 重_t", "单位不合"),
    "unknown value": ("d.yaml", "when: 住人", "when: 类别 = '丙类'", "是不是“甲类”"),
    "unknown grade": ("d.yaml", "grade: major", "grade: 重大", "“重大”不认识"),
    "unknown function": ("d.yaml", "when: 住人", "when: SLEEP(住人)", "没有“SLEEP”这个函数"),
    "ends before it begins": ("d.yaml", "{from: 2020-01-01}", "{from: 2020-01-01, to: 2019-12-31}", "末日 2019-12-31 早于首日 2020-01-01"),
    "no yaml": ("d.yaml", "criteria:", "criteria: [", "不是合法的 YAML"),
    "alias bomb": ("d.yaml", "criteria:", "x: &a [1]\ny: &b [*a, *a]\ncriteria:", "不许用锚点和别名"),
    "tag": ("d.yaml", "number: 1号", "number: !!python/name:os.system 1号", "不许用标签"),
    "deep condition": ("d.yaml", "when: 住人", "when: " + "(" * 10_000 + "住人" + ")" * 10_000, "超过"),
    "deep condition, short": ("d.yaml", "when: 住人", "when: " + "(" * 500 + "住人" + ")" * 500, "32 层"),
    "deep yaml": ("d.yaml", "number: 1号", "number: " + "[" * 10_000 + "]" * 10_000, "不是合法的 YAML"),
    "cycle": ("fields.yaml", "meaning: 店里住人", "meaning: 店里住人, derive: NOT 无人}\n  无人: {type: bool, meaning: 没有人住, derive: NOT 住人", "推导成环"),
    "duplicate id": ("d.yaml", "status: verified}", "status: verified}\n  - {id: shops/d/1, clause: 二, name: 重, when: 住人, grade: major, status: verified}", "重复"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", list(BAD_RULES))
def test_a_rule_file_that_cannot_be_used_is_named_with_place_and_mend(tmp_path: Path, pack: Path, wrong: str) -> None:
    name, good, bad, said = BAD_RULES[wrong]
    (pack / "fields.yaml").write_text(FIELDS_OF_ALL_TYPES, "utf-8")
    assert run("rules", "check", str(pack)).exit_code == 0
    text = (pack / name).read_text("utf-8")
    assert text.count(good) == 1
    (pack / name).write_text(text.replace(good, bad), "utf-8")
    source = table(tmp_path / "表.csv", ["甲店"])
    before = sorted(tmp_path.iterdir())
    for arguments in (["rules", "check", str(pack)], ["score", source, "--rules", str(pack), "--sector", "shops", "-o", str(tmp_path / "结果.json")]):
        result = run(*arguments)
        assert result.exit_code == 2 and result.stdout == "" and "Traceback" not in result.stderr
        assert said in result.stderr and f"shops/{name}" in result.stderr
        assert max(map(len, result.stderr.splitlines())) < 400
    assert sorted(tmp_path.iterdir()) == before
