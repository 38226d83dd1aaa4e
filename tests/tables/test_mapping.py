"""A mapping file: what a person settles about headers and cells, what is refused in it, and what must be settled at all."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from engine.fields import Field
from engine.problems import InputError
from engine.tables import bind, check_mapping, load, read_mapping
from engine.tables.mapping import TableMapping, replace_cells
from engine.tables.table import MIXED
from engine.units import UNITS

FIELDS = {
    field.name: field
    for field in (
        Field("单位名称", "text", role="enterprise", aliases=("企业名称", "使用单位")),
        Field("已报停", "bool"),
        Field("设备类别", "enum", values=("锅炉", "电梯")),
        Field("存药量_kg", "number", unit=UNITS["kg"]),
        Field("隐患等级", "text", role="grade"),
    )
}


def mapping(folder: Path, text: str) -> TableMapping:
    path = folder / "映射.yaml"
    path.write_text(text, encoding="utf-8")
    return read_mapping(path)


def settled(folder: Path, text: str, columns: dict[str, list[object]]) -> pl.DataFrame:
    """The columns read with the mapping, once it is found to fit them."""
    tables = load(pl.DataFrame(columns, strict=False))
    made = mapping(folder, text)
    check_mapping(made, tables, [FIELDS])
    return bind(tables, FIELDS, made).frame


def test_a_header_becomes_the_field_that_the_mapping_says(tmp_path: Path) -> None:
    made = settled(tmp_path, "columns: {名头: 单位名称, 单位名称: null}", {"名头": ["甲"], "单位名称": ["乙"]})
    assert made["单位名称"].to_list() == ["甲"]


def test_a_header_that_means_another_field_by_itself_obeys_the_mapping(tmp_path: Path) -> None:
    made = settled(tmp_path, "columns: {已报停: 隐患等级}", {"企业名称": ["甲"], "已报停": ["是"]})
    assert "已报停" not in made.columns and made["隐患等级"].to_list() == ["是"]


def test_a_header_may_be_written_with_other_spaces_and_marks_than_in_the_table(tmp_path: Path) -> None:
    made = settled(tmp_path, "columns: {停用情况: 已报停}", {"停用\n情况*：": ["是", "否"], "企业名称": ["甲", "乙"]})
    assert made["已报停"].to_list() == [True, False]


def test_the_unit_in_a_header_counts_for_the_field_that_the_mapping_gives_it(tmp_path: Path) -> None:
    made = settled(tmp_path, "columns: {库里的药(t): 存药量_kg}", {"库里的药(t)": [1.5], "企业名称": ["甲"]})
    assert made["存药量_kg"].to_list() == [1500.0]


@pytest.mark.parametrize(
    ("cells", "values", "expected"),
    [
        (["开着", "是", "停着", "停着 "], "{开着: 否, 停着: 是}", [False, True, True, True]),
        (["是", "待查"], "{待查: null}", [True, None]),
        ([1, 2, 3], "{1: 否, 2: 是, 3: null}", [False, True, None]),  # numbers as a person writes them
        ([1.0, 2.0], "{2: 否}", [True, False]),
        ([True, False], "{'TRUE': 否, 'FALSE': 是}", [False, True]),
    ],
)
def test_a_cell_is_read_as_the_mapping_says(cells: list[object], values: str, expected: list[object], tmp_path: Path) -> None:
    assert settled(tmp_path, f"values: {{已报停: {values}}}", {"已报停": cells, "企业名称": ["甲"] * len(cells)})["已报停"].to_list() == expected


def test_cells_of_several_types_in_one_column_are_replaced_each_by_its_own_text() -> None:
    cells = pl.Series(
        [
            {"text": "三", "number": None, "date": None, "truth": None},
            {"text": None, "number": 3.0, "date": None, "truth": None},
            {"text": None, "number": None, "date": dt.datetime(2023, 5, 6), "truth": None},
            {"text": None, "number": 4.5, "date": None, "truth": None},
        ],
        dtype=MIXED,
    )
    made = replace_cells(cells, {"三": "重大", "3": "一般", "2023-05-06": None})
    assert made.struct.field("text").to_list() == ["重大", "一般", None, None]
    assert made.struct.field("number").to_list() == [None, None, None, 4.5]
    assert made.struct.field("date").to_list() == [None] * 4


def test_what_is_wrong_in_a_mapping_is_told_all_at_once_with_place_and_nearest_name(tmp_path: Path) -> None:
    text = "columns:\n  企业名呈: 单位名称\n  企业名称: 单位名\nvalues:\n  设备类型: {a: b}\n  设备类别: {老炉: 锅炉, 旧梯: 电提}\n  存药量_kg: {少: 很少}\n"
    tables = load(pl.DataFrame({"企业名称": ["甲"]}))
    with pytest.raises(InputError) as caught:
        check_mapping(mapping(tmp_path, text), tables, [FIELDS])
    said = str(caught.value)
    assert "共 5 处错误" in said
    assert "映射.yaml 第2行第3列：表里没有列“企业名呈”。 是不是“企业名称”？" in said
    assert "第3行第9列：没有字段“单位名”。 是不是“单位名称”？" in said
    assert "第5行第3列：没有字段“设备类型”。 是不是“设备类别”？" in said
    assert "第6行第22列：字段“设备类别”的取值不能是“电提”" in said and "是不是“电梯”？" in said
    assert "第7行第15列：字段“存药量_kg”的取值不能是“很少”" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("columms: {a: b}", "没有“columms”这个键。 是不是“columns”？"),
        ("columns: [a]", "columns 应当是“列名: 字段”"),
        ("values: {已报停: 是}", "values 的“已报停” 应当是“格里的字: 取值”"),
        ("columns: {a: {b: c}}", "列“a”后面应当是一个词"),
        ("columns: {a: &x 单位名称}", "不许用锚点"),
        ("columns: {a: 单位名称, a: 已报停}", "键“a”重复了"),
        ("", "文件是空的"),
    ],
)
def test_a_mapping_of_another_shape_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="映射文件不能用") as caught:
        mapping(tmp_path, text)
    assert said in str(caught.value)


def test_two_columns_for_one_field_are_asked_about_and_settled_by_a_mapping(tmp_path: Path) -> None:
    columns: dict[str, list[object]] = {"企业名称": ["甲"], "已报停": ["是"], "已报停（是/否）": ["否"]}
    with pytest.raises(InputError) as caught:
        bind(load(pl.DataFrame(columns)), FIELDS)
    said = str(caught.value)
    assert "“已报停”（第 2 列）、“已报停（是/否）”（第 3 列）" in said and 'columns: {"已报停": 已报停}' in said and "--mapping" in said
    assert settled(tmp_path, 'columns: {"已报停（是/否）": 已报停}', columns)["已报停"].to_list() == [False]
    assert settled(tmp_path, 'columns: {"已报停（是/否）": null}', columns)["已报停"].to_list() == [True]


def test_the_second_of_two_columns_with_one_header_is_named_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("企业名称,已报停,已报停\n甲,是,否\n", encoding="utf-8")
    tables = load(path)
    with pytest.raises(InputError, match='columns: {"已报停#1": 已报停}'):
        bind(tables, FIELDS)
    for number, value in ((1, True), (2, False)):
        made = mapping(tmp_path, f"columns: {{已报停#{number}: 已报停}}")
        check_mapping(made, tables, [FIELDS])
        assert bind(tables, FIELDS, made).frame["已报停"].to_list() == [value]


def test_a_guess_between_two_fields_is_asked_about_and_settled_by_a_mapping(tmp_path: Path) -> None:
    columns: dict[str, list[object]] = {"企业名称": ["甲"], "附件校验报": ["2023-05-06"]}
    fields = {**FIELDS, "附件校验": Field("附件校验", "date"), "附件校验报告": Field("附件校验报告", "date")}
    with pytest.raises(InputError) as caught:
        bind(load(pl.DataFrame(columns)), fields)
    said = str(caught.value)
    assert "列“附件校验报”（第 2 列）与几个字段都只差一个字" in said and "“附件校验”、“附件校验报告”" in said and "写 null" in said
    open_one = bind(load(pl.DataFrame(columns)), fields, ask=False).columns[1]
    assert (open_one.field, open_one.how, open_one.candidates) == ("", "open", ("附件校验", "附件校验报告"))
    made = bind(load(pl.DataFrame(columns)), fields, mapping(tmp_path, "columns: {附件校验报: 附件校验报告}")).frame
    assert made["附件校验报告"].to_list() == [dt.date(2023, 5, 6)]


def test_two_columns_near_to_one_field_are_asked_about() -> None:
    fields = {"安全出口保持畅通": Field("安全出口保持畅通", "bool")}
    with pytest.raises(InputError, match="有 2 列都是字段“安全出口保持畅通”"):
        bind(load(pl.DataFrame({"安全出囗保持畅通": ["是"], "安全出口保特畅通": ["否"]})), fields)


def test_a_column_by_its_own_name_wins_over_one_that_is_only_near_and_the_other_says_so() -> None:
    fields = {"安全出口保持畅通": Field("安全出口保持畅通", "bool")}
    made = bind(load(pl.DataFrame({"安全出囗保持畅通": ["是"], "安全出口保持畅通": ["否"]})), fields)
    assert made.frame["安全出口保持畅通"].to_list() == [False]
    assert [(c.how, c.note) for c in made.columns] == [("unused", "字段“安全出口保持畅通”已取列“安全出口保持畅通”"), ("exact", "")]
