"""Text tables: encodings, separators, quotes, torn and shifted records."""

from pathlib import Path

import polars as pl
import pytest

from engine.problems import InputError
from engine.tables import load

ROWS = "单位名称,检查日期,备注\n甲店,2023-05-06,好\n乙店,2023-05-07,\n"


def cells(path: Path) -> list[tuple[object, ...]]:
    return load(path)[0].frame.rows()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be"])
def test_every_usual_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "表.csv"
    path.write_bytes(("Name,Date,X\n" + ROWS).encode(encoding))
    table = load(path)[0]
    assert table.headers == ("Name", "Date", "X")
    assert table.frame.rows()[1] == ("甲店", "2023-05-06", "好")


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
def test_the_separator_is_found(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(ROWS.replace(",", separator))
    assert load(path)[0].headers == ("单位名称", "检查日期", "备注")


def test_commas_inside_cells_do_not_mislead_the_separator(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("单位名称;存在隐患\n甲店;a,b,c,d\n乙店;a,b,c,e\n")
    assert load(path)[0].headers == ("单位名称", "存在隐患")


def test_a_quoted_line_break_stays_in_its_cell_and_rows_count_records(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('单位名称,存在隐患\n甲店,"1.门\n2.窗"\n\n乙店,无\n')
    table = load(path)[0]
    assert table.frame.rows() == [("甲店", "1.门\n2.窗"), ("乙店", "无")]
    assert table.rows.to_list() == [2, 4]


def test_leading_zeros_and_long_codes_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("单位名称,编号\n甲店,00012345678901234567\n")
    assert cells(path) == [("甲店", "00012345678901234567")]


def test_windows_and_old_mac_line_ends_are_read(tmp_path: Path) -> None:
    for end in (b"\r\n", b"\r"):
        path = tmp_path / "a.csv"
        path.write_bytes(ROWS.encode().replace(b"\n", end))
        assert cells(path)[0] == ("甲店", "2023-05-06", "好")


def test_a_stray_quote_inside_a_cell_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('单位名称,规格,数量\n甲店,5"管,3\n')
    assert cells(path) == [("甲店", '5"管', "3")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "是空的"),
        (" \n\n", "是空的"),
        ("单位名称,检查日期\n", "没有数据行"),
        ('单位名称,备注\n甲店,"没有配对\n乙店,b\n丙店,c\n', "引号没有配对"),
        ("单位名称,地址,数量\n甲店,东街1号,院内,3\n", "错位"),
        ("单位名称,地址,数量\n" + "甲店,a,1\n" * 100 + "乙店,东街,院内,3\n", "错位"),
        ("单位名称,隐患,数量\n甲店,门\n窗,3\n", "第 2、3 条记录"),
    ],
)
def test_a_file_whose_values_would_shift_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "坏.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        load(path)
    assert "坏.csv" in str(caught.value)


def test_missing_cells_at_the_end_of_one_record_are_blank(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("单位名称,地址,数量\n甲店,东街\n乙店,西街,3\n")
    assert cells(path) == [("甲店", "东街", None), ("乙店", "西街", "3")]


def test_a_trailing_comma_is_no_column(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("单位名称,数量,\n甲店,3,\n")
    assert load(path)[0].headers == ("单位名称", "数量")


def test_damaged_utf8_is_refused_rather_than_read_as_gbk(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("单位名称,检查日期\n某某烟花爆竹零售店,".encode() + b"\xe5\xff\n")
    with pytest.raises(InputError, match="第 2 行附近有损坏"):
        load(path)


def test_binary_content_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(bytes(range(256)) * 10)
    with pytest.raises(InputError, match="二进制|编码"):
        load(path)


def test_title_rows_totals_and_notes_are_listed_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "某市检查台账,,,\n填报人：张三,,,\n单位名称,检查日期,数量,备注\n甲店,2023-05-06,3,\n单位名称,检查日期,数量,备注\n"
        "乙店,2023-05-07,4,\n合计,,7,\n,,,\n填写要求：,,,\n1.如实填写。,,,\n"
    )
    table = load(path, known={"单位名称", "检查日期"})[0]
    assert table.frame["c0"].to_list() == ["甲店", "乙店"]
    assert table.rows.to_list() == [4, 6]
    assert table.skipped == (
        (1, "表头上方的标题或说明"),
        (2, "表头上方的标题或说明"),
        (5, "重复的表头"),
        (7, "合计行"),
        (9, "表尾的说明或签字"),
        (10, "表尾的说明或签字"),
    )


def test_a_folder_a_pattern_and_standard_input_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b.csv", "a.csv", "~$c.csv"):
        (tmp_path / name).write_text(ROWS)
    assert [Path(table.file).name for table in load(tmp_path)] == ["a.csv", "b.csv"]
    assert len(load(str(tmp_path / "[ab].csv"))) == 2
    with (tmp_path / "a.csv").open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert load("-")[0].file == "标准输入"


@pytest.mark.parametrize("name", ["没有.csv", "没有*.csv", "a.docx"])
def test_a_path_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.docx").write_text("x")
    with pytest.raises(InputError, match="docx|没有"):
        load(tmp_path / name)


def test_an_untitled_csv_keeps_its_text_types(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2.5\n")
    assert load(path)[0].frame.dtypes == [pl.String, pl.String]
