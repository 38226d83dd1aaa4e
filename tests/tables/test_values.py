"""What a cell becomes: one row a case, text in, value or fault out."""

import dataclasses
import datetime as dt

import polars as pl
import pytest
from hypothesis import given, strategies as st

from engine.fields import Field
from engine.tables.columns import read_column
from engine.tables.table import column_of
from engine.units import UNITS

BOOL = Field("灭火器有效", "bool", sense="good", true=("在用",), false=("停用", "有"))
ENUM = Field("设备类别", "enum", values=("锅炉", "电梯"), synonyms=(("蒸汽锅炉", "锅炉"),))
KG = Field("存药量_kg", "number", unit=UNITS["kg"])
BARE = Field("相对密度", "number", unit=UNITS["1"])
PERCENT = Field("坡度", "number", unit=UNITS["%"])
COUNT = Field("存放箱数", "integer", unit=UNITS["箱"])
DATE = Field("检查日期", "date")
TEXT = Field("单位名称", "text")


def read(field: Field, cell: object, sheet: bool = False) -> object:
    """The value, or the problem code of the only fault."""
    column = read_column(column_of([cell]), field, sheet=sheet)
    if column.faults.height:
        assert column.values[0] is None
        return column.faults["problem"][0]
    return column.values[0]


@pytest.mark.parametrize(
    "text", ["是", "√", "✓", "✔", "☑", "■", "合格", "符合", "已", "对", "Y", "yes", "TRUE", "1", "1.0", "T", "Ｙ", " 是\n", "在用", '"是"']
)
def test_a_yes_is_true(text: str) -> None:
    assert read(BOOL, text) is True


@pytest.mark.parametrize("text", ["否", "无", "×", "✗", "☐", "□", "不合格", "不符合", "未", "错", "n", "No", "false", "0", "F", "停用", "有"])
def test_a_no_is_false_and_the_fields_own_words_come_first(text: str) -> None:
    assert read(BOOL, text) is False


@pytest.mark.parametrize("text", ["", " ", "\u3000", "None", "null", "NaN", "nan", "-", "—", "/", "\\", None])
@pytest.mark.parametrize("field", [BOOL, ENUM, KG, COUNT, DATE, TEXT])
def test_a_blank_is_unknown_in_every_type(field: Field, text: str | None) -> None:
    assert read(field, text) is None


@pytest.mark.parametrize("text", ["良好", "2", "是否", "x", "部分", "不详", "是、否", "[√]", "已整改"])
def test_any_other_word_is_no_bool(text: str) -> None:
    assert read(BOOL, text) == "bad_bool"


VERDICTS = [("合格", True), ("符合", True), ("正常", True), ("不合格", False), ("不符合", False), ("异常", False)]


@pytest.mark.parametrize(("word", "good"), VERDICTS)
def test_a_word_of_judgement_means_what_the_fields_sense_makes_of_it(word: str, good: bool) -> None:
    assert read(Field("安全出口畅通", "bool", sense="good"), word) is good
    assert read(Field("违章用火", "bool", sense="bad"), word) is not good
    assert read(Field("使用液氨", "bool"), word) == "unclear_bool"
    assert read(Field("检验不合格", "bool"), word) == "unclear_bool"
    assert read(Field("检验合格", "bool"), word) is good


@pytest.mark.parametrize(
    ("word", "there"), [("是", True), ("有", True), ("已", True), ("☑", True), ("否", False), ("无", False), ("未", False), ("☐", False)]
)
def test_a_word_of_fact_says_what_is_there_whatever_the_sense(word: str, there: bool) -> None:
    for sense in ("good", "bad", ""):
        assert read(Field("违章用火", "bool", sense=sense), word) is there


def test_a_tick_is_unclear_where_a_yes_is_bad() -> None:
    for mark, value in (("√", True), ("×", False)):
        assert read(Field("违章用火", "bool", sense="bad"), mark) == "unclear_bool"
        assert read(Field("安全出口畅通", "bool", sense="good"), mark) is value
        assert read(Field("使用液氨", "bool"), mark) is value


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        (BOOL, "☑是 □否", True), (BOOL, "□是 ☑否", False), (BOOL, "是□ 否☑", False), (BOOL, "□是 □否", None), (BOOL, "☑是 ☑否", "several"),
        (ENUM, "☑锅炉 □电梯", "锅炉"), (ENUM, "锅炉□、电梯■", "电梯"), (ENUM, "○锅炉●电梯", "电梯"), (ENUM, "□锅炉 □电梯", None), (ENUM, "☑锅炉 ☑电梯", "several"),
        (ENUM, "锅炉、电梯", "several"), (ENUM, "锅炉/蒸汽锅炉", "锅炉"), (ENUM, "锅炉、叉车", "bad_enum"),
    ],
)  # fmt: skip
def test_a_cell_of_options_has_the_one_that_is_ticked(field: Field, text: str, value: object) -> None:
    assert read(field, text) == value


LEVEL = Field("标准化等级", "enum", values=("一级", "二级", "三级"))
GRADE = Field("级别", "enum", values=("一般3级", "一般4级", "较大2级"))


@pytest.mark.parametrize(
    ("field", "cell", "value"),
    [
        (LEVEL, "三级", "三级"), (LEVEL, "3级", "三级"), (LEVEL, "3", "三级"), (LEVEL, 3, "三级"), (LEVEL, "Ⅲ级", "三级"), (LEVEL, "III", "三级"), (LEVEL, "三", "三级"),
        (LEVEL, "4级", "bad_enum"), (LEVEL, "一般3级", "bad_enum"), (LEVEL, "3类", "bad_enum"), (LEVEL, "03", "三级"),
        (GRADE, "一般3级", "一般3级"), (GRADE, "一般三级", "一般3级"), (GRADE, "3级", "bad_enum"), (GRADE, 3, "bad_enum"),
    ],
)  # fmt: skip
def test_a_level_is_read_however_its_number_is_written(field: Field, cell: object, value: str) -> None:
    assert read(field, cell) == value


@pytest.mark.parametrize(("text", "value"), [("锅炉", "锅炉"), ("蒸汽锅炉", "锅炉"), (" 电 梯 ", "电梯"), ("电禘", "bad_enum"), ("无", "bad_enum")])
def test_an_enum_takes_values_and_synonyms_only(text: str, value: str) -> None:
    assert read(ENUM, text) == value


def test_a_bad_enum_names_the_nearest_value() -> None:
    faults = read_column(pl.Series(["蒸气锅炉"]), ENUM).faults
    assert "是不是“蒸汽锅炉”？" in faults["message"][0]


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        (KG, "15", 15.0), (KG, "-0.5", -0.5), (KG, "1,234.5", 1234.5), (KG, "３０kg", 30.0), (KG, "2t", 2000.0), (KG, "0.1吨", 100.0),
        (KG, "500 g", 0.5), (KG, "2KG", 2.0), (KG, "1e3", 1000.0), (KG, "15米", "bad_unit"), (KG, "15%", "bad_unit"), (KG, "50以下", "bounds"),
        (KG, "约30", "about"), (KG, "≥5", "bounds"), (KG, "3/1", "bad_number"), (KG, "无", "bad_number"), (KG, "1,5", "bad_number"),
        (KG, "12-15", "bounds"), (KG, "1.5万", "bad_number"), (KG, "inf", "bad_number"), (KG, "2kg3", "bad_number"), (KG, "1 500", "bad_number"),
        (KG, "#DIV/0!", "error_cell"), (BARE, "60%", 0.6), (PERCENT, "15%", 15.0), (PERCENT, "15", 15.0), (COUNT, "50箱", 50), (COUNT, "3.0", 3),
        (COUNT, "3.5", "not_integer"), (COUNT, "50箱以下", "bounds"), (COUNT, "3个", "bad_unit"), (COUNT, "十", "bad_number"),
        (COUNT, "99999999999999999999", "bad_number"),
    ],
)  # fmt: skip
def test_a_number_is_certain_or_a_fault(field: Field, text: str, value: object) -> None:
    assert read(field, text) == value


DAY = dt.date(2023, 5, 6)


@pytest.mark.parametrize(
    "text",
    [
        "2023-05-06", "2023-5-6", "2023/5/6", "2023.05.06", "2023.5.6", "20230506", "2023年5月6日", "2023年 05 月 06 日", "2023年5月6号",
        "２０２３-０５-０６", "2023-05-06T00:00:00", "2023-05-06 08:30", "2023-05-06 08:30:59.123", "2023-05-06 00:27:49 EDT", "20230506083000",
        "2023年5月6日 8时30分", "2023年5月6日8:30", "2023-05-06T00:00:00Z", "2023-05-05T16:00:00Z", "2023-05-05T16:00:00.000Z",
        "2023-05-06T23:00:00+08:00", ' "2023-05-06" ', "2023/05/06 ",
    ],
)  # fmt: skip
def test_every_usual_way_to_write_a_date_is_read(text: str) -> None:
    assert read(DATE, text) == DAY


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2023-05", "no_day"), ("2023年5月", "no_day"), ("201610", "no_day"), ("2023-02-30", "impossible_date"), ("2023-13-01", "impossible_date"),
        ("20230230", "impossible_date"), ("1899-12-31", "impossible_date"), ("2101-01-01", "impossible_date"), ("21021", "truncated_date"),
        ("2010116", "truncated_date"), ("1991012", "truncated_date"), ("9O0719", "bad_date"), ("2O23-05-06", "bad_date"), ("*******", "bad_date"),
        ("已整改", "bad_date"), ("6月30日", "bad_date"), ("05/06/2023", "bad_date"), ("23-05-06", "bad_date"), ("2023-5/6", "bad_date"), ("202112", "no_day"),
        ("2023-05-06至2023-06-06", "bad_date"), ("2023-05-06前", "bad_date"), ("29999", "truncated_date"), ("60000", "truncated_date"), ("2023-05-06 25:00", "bad_date"),
        ("无", "bad_date"),
    ],
)  # fmt: skip
def test_a_doubtful_date_is_a_fault(text: str, problem: str) -> None:
    assert read(DATE, text) == problem


def test_day_numbers_of_this_age_are_read_and_what_a_cut_date_can_leave_is_not() -> None:
    for sheet in (True, False):
        assert read(DATE, 45052.0, sheet) == DAY
        assert read(DATE, 45052.35, sheet) == DAY
        assert read(DATE, "45052", sheet) == DAY
        assert read(DATE, 20230506.0, sheet) == DAY
        assert read(DATE, 3.0, sheet) == "bad_date"
        assert read(DATE, 201610.0, sheet) == "no_day"
        assert read(DATE, 21021.0, sheet) == "truncated_date"


def bounds(field: Field, cell: object) -> tuple[object, object] | str:
    """Both ends of what a cell can be, or its problem."""
    column = read_column(column_of([cell]), field, bounds=True)
    if column.faults.height:
        return str(column.faults["problem"][0])
    return column.values[0], column.values[0] if column.high is None else column.high[0]


@pytest.mark.parametrize(
    ("field", "text", "ends"),
    [
        (COUNT, "50箱以下", (None, 50)), (COUNT, "50箱以下（含）", (None, 50)), (COUNT, "不超过50", (None, 50)), (COUNT, "≤50", (None, 50)),
        (COUNT, "不足50箱", (None, 49)), (COUNT, "＜50", (None, 49)), (COUNT, "大于50", (51, None)), (COUNT, "５０箱以上", (50, None)), (COUNT, "2-3", (2, 3)),
        (COUNT, "2～3箱", (2, 3)), (COUNT, "2箱至3箱", (2, 3)), (COUNT, "不超过2.5", (None, 2)), (COUNT, "超过2.5", (3, None)), (COUNT, "50", (50, 50)),
        (KG, "≥3", (3.0, None)), (KG, "不超过2t", (None, 2000.0)), (KG, "1-2吨", (1000.0, 2000.0)), (KG, "至少0.5", (0.5, None)), (KG, "1,000以内", (None, 1000.0)),
        (PERCENT, "15%以下", (None, 15.0)), (KG, "3-2", "bad_number"), (KG, "3米以下", "bad_unit"), (KG, "约2", "about"), (KG, "2左右", "about"),
        (KG, "50多", "about"), (KG, "2-3-4", "bad_number"), (KG, "以下", "bad_number"), (KG, "2024-05-06", "bad_number"), (KG, "-3", (-3.0, -3.0)),
    ],
)  # fmt: skip
def test_bounds_are_kept_as_the_ends_of_what_a_number_can_be(field: Field, text: str, ends: object) -> None:
    assert bounds(field, text) == ends


def test_a_strict_bound_leaves_its_end_out() -> None:
    low, high = bounds(KG, "超过3")
    assert isinstance(low, float) and low > 3.0 and low < 3.0000001 and high is None
    low, high = bounds(KG, "小于3")
    assert low is None and isinstance(high, float) and 2.9999999 < high < 3.0


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("2016-10", (dt.date(2016, 10, 1), dt.date(2016, 10, 31))), ("2023年2月", (dt.date(2023, 2, 1), dt.date(2023, 2, 28))),
        ("2024.02", (dt.date(2024, 2, 1), dt.date(2024, 2, 29))), ("201610", (dt.date(2016, 10, 1), dt.date(2016, 10, 31))),
        ("202305", (dt.date(2023, 5, 1), dt.date(2023, 5, 31))), ("202112", "no_day"), ("202111", "no_day"), ("2023-13", "bad_date"),
        ("2023-05-06", (DAY, DAY)),
    ],
)  # fmt: skip
def test_a_month_is_any_of_its_days_but_not_where_it_may_be_a_day_cut_short(text: str, ends: object) -> None:
    assert bounds(Field("下次检验日期", "date"), text) == ends


def test_the_day_of_the_inspection_must_be_one_day() -> None:
    assert bounds(Field("检查日期", "date", role="date"), "2023-05") == "no_day"


def test_bounds_stand_beside_single_values_blanks_and_faults() -> None:
    cells = column_of([5.0, "3吨以下", None, "看不清", "7"])
    column = read_column(cells, dataclasses.replace(KG, blank="0"), bounds=True)
    assert column.values.to_list() == [5.0, None, 0.0, None, 7.0]
    assert column.high is not None and column.high.to_list() == [5.0, 3000.0, 0.0, None, 7.0]
    assert column.faults["index"].to_list() == [3]


def test_a_field_with_formats_takes_no_others() -> None:
    american = Field("检查日期", "date", formats=("mm/dd/yyyy",))
    compact = Field("检查日期", "date", formats=("yyyymmdd",))
    assert read(american, "05/06/2023") == DAY
    assert read(american, "13/06/2023") == "impossible_date"
    assert read(american, "2023-05-06") == "bad_date"
    assert read(compact, 20230506) == DAY
    assert read(compact, "1991012") == "truncated_date"
    assert read(compact, 45052.0, sheet=True) == "truncated_date"
    assert read(compact, "202305") == "no_day"


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("  甲店\n", "甲店"), ('"甲店"', "甲店"), ('甲店"', "甲店"), ('他说"好"', '他说"好"'), ("无", "无"), (3.0, "3"), (3.5, "3.5"), (True, "TRUE"), (DAY, "2023-05-06"),
        (dt.datetime(2023, 5, 6, 8, 30), "2023-05-06 08:30:00"), (91500100000000001.0, "lost_digits"), ("9.15E+17", "lost_digits"),
        ("#N/A", "error_cell"), ("00123", "00123"),
    ],
)  # fmt: skip
def test_text_is_kept_but_for_what_a_spreadsheet_broke(cell: object, value: str) -> None:
    assert read(TEXT, cell) == value


def test_a_column_of_mixed_cells_is_read_cell_by_cell() -> None:
    cells = column_of([dt.datetime(2023, 5, 6, 8, 30), 45052.0, "2023.5.6", "已整改", None, DAY, True])
    column = read_column(cells, DATE, sheet=True)
    assert column.values.to_list() == [DAY, DAY, DAY, None, None, DAY, None]
    assert sorted(column.faults.select("index", "value").rows()) == [(3, "已整改"), (6, "TRUE")]


def test_a_date_in_a_number_column_and_an_unclear_percentage_are_faults() -> None:
    assert read(KG, DAY) == "bad_number"
    assert read(PERCENT, 0.15, sheet=True) == "bad_unit"
    assert read(PERCENT, 15.0, sheet=True) == 15.0


def test_ones_and_zeros_are_yes_and_no_in_numeric_cells() -> None:
    column = read_column(pl.Series([1, 0, 2, None]), BOOL)
    assert column.values.to_list() == [True, False, None, None]
    assert column.faults["value"].to_list() == ["2"]


def test_a_declared_blank_fills_empty_cells_but_not_unreadable_ones() -> None:
    field = Field("房屋市政工地设备", "bool", blank="否")
    assert read_column(pl.Series(["是", "", None, "-", "看不清"]), field).values.to_list() == [True, False, False, False, None]


def test_every_row_of_a_faulty_value_is_listed() -> None:
    faults = read_column(pl.Series(["x", "是", "x"]), BOOL).faults
    assert faults["index"].to_list() == [0, 2]


def test_a_headers_unit_converts_exactly_and_a_cells_unit_wins() -> None:
    column = read_column(pl.Series(["0.1", "2", "3kg"]), KG, UNITS["t"])
    assert column.values.to_list() == [100.0, 2000.0, 3.0]


@given(st.dates(dt.date(1900, 1, 1), dt.date(2100, 12, 31)))
def test_any_day_survives_being_written(day: dt.date) -> None:
    for text in (f"{day.year}.{day.month}.{day.day}", day.isoformat(), f"{day.year}年{day.month}月{day.day}日", day.strftime("%Y%m%d")):
        assert read(DATE, text) == day


@given(st.text(max_size=20))
def test_no_text_breaks_the_reading_and_each_gives_a_value_a_blank_or_one_fault(text: str) -> None:
    for field in (BOOL, ENUM, KG, COUNT, DATE, TEXT):
        column = read_column(pl.Series([text]), field)
        assert len(column.values) == 1
        assert column.faults.height <= 1


@given(st.lists(st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9, allow_nan=False), min_size=1, max_size=20))
def test_numbers_read_alike_as_text_and_as_numbers(numbers: list[float]) -> None:
    typed = read_column(pl.Series([float(n) for n in numbers]), KG).values
    written = read_column(pl.Series([repr(float(n)) for n in numbers]), KG).values
    assert typed.to_list() == written.to_list()
