"""Headers -> fields, sectors, stacking; data frames in memory."""

import dataclasses
import datetime as dt
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from engine.fields import Field
from engine.problems import InputError
from engine.tables import bind, load, recognise
from engine.tables.headers import Vocabulary, one_off
from engine.units import UNITS


def named(*fields: Field) -> dict[str, Field]:
    return {field.name: field for field in fields}


FIELDS = named(
    Field("单位名称", "text", role="enterprise", aliases=("被检查单位", "企业名称", "县（市、区）企业")),
    Field("检查日期", "date", role="date", aliases=("检查时间",)),
    Field("已报停", "bool"),
    Field("已超检验期", "bool"),
    Field("安全出口保持畅通", "bool", aliases=("安全出口畅通",)),
    Field("存药量_kg", "number", unit=UNITS["kg"]),
    Field("罚款金额", "number", unit=UNITS["元"]),
    Field("灭火器数量", "integer", unit=UNITS["具"]),
    Field("备案（补）", "text"),
)


def found(header: str) -> tuple[str, str, str]:
    match = Vocabulary(FIELDS).find(header)
    return (match.field.name, match.how, str(match.unit or "")) if match else ("", "unused", "")


@pytest.mark.parametrize(
    ("header", "field", "how", "unit"),
    [
        ("检查日期", "检查日期", "exact", ""), ("检查时间", "检查日期", "alias", ""), (" 检查\n日期： ", "检查日期", "normalised", ""),
        ("检查时间*", "检查日期", "normalised", ""), ("检查日期（年/月/日）", "检查日期", "normalised", ""), ("检查日期(必填)", "检查日期", "normalised", ""),
        ("已报停（是/否）", "已报停", "normalised", ""), ("已报停(是/否)", "已报停", "normalised", ""), ("县(市、区)企业", "单位名称", "normalised", ""),
        ("罚款金额（万元）", "罚款金额", "normalised", "万元"), ("罚款金额(单位：万元)", "罚款金额", "normalised", "万元"), ("罚款金额/万元", "罚款金额", "normalised", "万元"),
        ("存药量_kg", "存药量_kg", "exact", ""), ("存药量(t)", "存药量_kg", "normalised", "t"), ("存药量（吨）", "存药量_kg", "normalised", "吨"),
        ("存药量(KG)", "存药量_kg", "normalised", "kg"), ("存药量", "", "unused", ""), ("罚款金额(元/次)", "罚款金额", "normalised", "元/次"),
        ("罚款金额(千元/百元)", "", "unused", ""), ("备案（补）", "备案（补）", "exact", ""), ("检查日期(复查)", "", "unused", ""),
        ("安全出囗保持畅通", "安全出口保持畅通", "guess", ""), ("安全出口保畅通", "安全出口保持畅通", "guess", ""), ("未超检验期", "", "unused", ""),
        ("未报停", "", "unused", ""), ("检验日期", "", "unused", ""), ("", "", "unused", ""),
    ],
)  # fmt: skip
def test_a_header_names_a_field_or_none(header: str, field: str, how: str, unit: str) -> None:
    assert found(header) == (field, how, unit)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("下次检验日期", "次检验日期"),
        ("已办理使用登记", "未办理使用登记"),
        ("第三类压力容器", "第二类压力容器"),
        ("V14", "V15"),
        ("检验日期", "检查日期"),
    ],
)
def test_a_letter_that_turns_the_meaning_is_never_guessed(header: str, name: str) -> None:
    assert not one_off(header, name)


def test_the_first_name_of_a_role_wins_and_the_others_are_unused() -> None:
    made = bind(load(pl.DataFrame({"企业名称": ["甲"], "单位名称": ["乙"], "检查日期": ["2023-05-06"]})), FIELDS)
    assert made.frame["单位名称"].to_list() == ["乙"]
    assert [(c.header, c.field, c.how) for c in made.columns] == [
        ("企业名称", "", "unused"),
        ("单位名称", "单位名称", "exact"),
        ("检查日期", "检查日期", "exact"),
    ]


def test_two_columns_for_one_field_are_refused_by_name() -> None:
    with pytest.raises(InputError, match="“已报停”（第 1 列）、“已报停（是/否）”（第 2 列）"):
        bind(load(pl.DataFrame({"已报停": ["是"], "已报停（是/否）": ["否"]})), FIELDS)


def test_a_header_that_names_two_fields_is_refused() -> None:
    fields = named(Field("甲", "text", aliases=("丙",)), Field("乙", "text", aliases=("丙",)))
    with pytest.raises(InputError, match="“甲”、“乙”"):
        bind(load(pl.DataFrame({"丙": ["x"]})), fields)


def test_a_headers_unit_converts_and_a_foreign_one_is_refused() -> None:
    made = bind(load(pl.DataFrame({"罚款金额(万元)": [1.5, None], "灭火器数量(具)": ["3", "4具"]})), FIELDS)
    assert made.frame["罚款金额"].to_list() == [15000.0, None]
    assert made.frame["灭火器数量"].to_list() == [3, 4]
    with pytest.raises(InputError, match="不是一类单位"):
        bind(load(pl.DataFrame({"存药量(m)": [1.5]})), FIELDS)


def test_a_table_without_a_known_header_is_refused_with_its_headers() -> None:
    with pytest.raises(InputError, match="colA、colB"):
        bind(load(pl.DataFrame({"colA": [1], "colB": [2]})), FIELDS)


def sectors() -> Mapping[str, Mapping[str, Field]]:
    shared = Field("单位名称", "text")
    return {
        "gas": named(shared, Field("软管长度_m", "number"), Field("用途", "text")),
        "fireworks": named(shared, Field("下店上宅", "bool"), Field("用途", "text", meaning="x")),
        "lifts": named(shared, Field("设备类别", "enum", values=("电梯",))),
    }


def test_the_sector_with_most_headers_of_its_own_is_recognised() -> None:
    titles = {"gas": "城镇燃气", "fireworks": "烟花爆竹"}
    assert recognise(load(pl.DataFrame({"单位名称": ["a"], "下店上宅": ["是"]})), sectors(), titles) == "fireworks"
    with pytest.raises(InputError, match="城镇燃气（gas）、烟花爆竹（fireworks）.*--sector"):
        recognise(load(pl.DataFrame({"单位名称": ["a"], "用途": ["是"]})), sectors(), titles)
    with pytest.raises(InputError, match="列名有：单位名称.*--sector"):
        recognise(load(pl.DataFrame({"单位名称": ["a"]})), sectors(), titles)
    assert recognise(load(pl.DataFrame({"单位名称": ["a"]})), {"gas": sectors()["gas"]}, titles) == "gas"


def test_frames_of_every_library_and_typed_files_give_the_same(tmp_path: Path) -> None:
    data = {"单位名称": ["甲", "乙"], "检查日期": [dt.date(2023, 5, 6), None], "已报停": [True, None], "罚款金额": [1.5, 2.0]}
    frame = pl.DataFrame(data)
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_ipc(tmp_path / "a.arrow")
    frame.write_ndjson(tmp_path / "a.jsonl")
    frame.with_columns(pl.col("检查日期").cast(pl.String)).write_json(tmp_path / "a.json")
    frame.write_csv(tmp_path / "a.csv")
    paths = [tmp_path / f"a.{suffix}" for suffix in ("parquet", "arrow", "jsonl", "json", "csv")]
    expected = {"单位名称": pl.String, "检查日期": pl.Date, "已报停": pl.Boolean, "罚款金额": pl.Float64}
    for item in [frame, frame.lazy(), frame.to_arrow(), pd.DataFrame(data), *paths]:
        made = bind(load(item), FIELDS)
        assert {name: made.frame.schema[name] for name in expected} == expected
        assert made.frame.select(list(expected)).equals(frame)
        assert made.defects.height == 0


def test_a_pandas_column_of_mixed_objects_is_read_cell_by_cell() -> None:
    frame = pd.DataFrame({"检查日期": [pd.Timestamp("2023-05-06"), "2023.5.6", None, 45052, float("nan")], "单位名称": ["甲", 3, 3.0, None, "乙"]})
    made = bind(load(frame), FIELDS)
    day = dt.date(2023, 5, 6)
    assert made.frame["检查日期"].to_list() == [day, day, None, day, None]
    assert made.frame["单位名称"].to_list() == ["甲", "3", "3", None, "乙"]
    assert not made.defects.height


def test_moments_in_universal_time_become_beijing_days() -> None:
    moment = dt.datetime(2023, 5, 5, 16, 0, tzinfo=dt.UTC)
    for item in (pl.DataFrame({"检查日期": [moment]}), pd.DataFrame({"检查日期": pd.to_datetime([moment])})):
        assert bind(load(item), FIELDS).frame["检查日期"].to_list() == [dt.date(2023, 5, 6)]


def test_the_same_header_twice_is_refused_even_where_names_have_an_order() -> None:
    table = pa.table([pa.array(["甲"]), pa.array(["乙"])], names=["单位名称", "单位名称"])
    with pytest.raises(InputError, match="“单位名称”（第 1 列）、“单位名称”（第 2 列）"):
        bind(load(table), FIELDS)


@pytest.mark.parametrize(
    ("text", "said"), [("{", "不是合法"), ("{}", "应当是一个数组"), ("[1]", "第 1 条"), ('[{"a": {"b": 1}}]', "套着一层"), ("[]", "没有数据行")]
)
def test_json_that_is_no_list_of_flat_records_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=said):
        load(tmp_path / "a.json")


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1nonsensePAR1")
    with pytest.raises(InputError, match="打不开"):
        load(tmp_path / "a.parquet")


def test_a_column_of_lists_is_refused_only_where_a_field_needs_it() -> None:
    frame = pl.DataFrame({"单位名称": ["甲"], "其他": [[1, 2]]})
    assert bind(load(frame), FIELDS).frame.height == 1
    with pytest.raises(InputError, match="不是一格一个值"):
        bind(load(frame.rename({"其他": "已报停"})), FIELDS)


def test_a_missing_column_stays_unknown_where_blank_cells_mean_something() -> None:
    fields = named(FIELDS["单位名称"], dataclasses.replace(FIELDS["已报停"], blank="否"))
    tables = load([pl.DataFrame({"单位名称": ["甲"], "已报停": [None]}), pl.DataFrame({"单位名称": ["乙"]})])
    assert bind(tables, fields).frame["已报停"].to_list() == [False, None]
