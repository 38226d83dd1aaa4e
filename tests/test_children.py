"""Child tables: lists of substances, people, equipment that hang on an enterprise or a subject, counted, summed and looked up."""

from pathlib import Path

import pandas as pd
import pytest

import engine
from engine.pack import open_library

SHARED = """
sector: shared
title: 共有
fields:
  单位名称: {type: text, role: enterprise, meaning: 单位}
  统一社会信用代码: {type: text, role: enterprise_code, meaning: 代码}
  检查对象: {type: text, role: subject, meaning: 对象}
  检查日期: {type: date, role: date, meaning: 日期}
"""
FIELDS = """
sector: plant
title: 工厂
children:
  人员:
    meaning: 一行是一名作业人员
    aliases: [人员名单]
    fields:
      姓名: {type: text, meaning: 姓名}
      工种: {type: enum, values: [焊工, 电工], meaning: 工种}
      证书有效期至: {type: date, meaning: 证书有效期的末日}
      证书过期: {type: bool, meaning: 检查时证书已过期, derive: 证书有效期至 < 检查日期}
  物质:
    meaning: 一行是一个单元里的一种物质
    fields:
      单元: {type: text, meaning: 单元}
      物质名称: {type: text, meaning: 名称}
      存量_t: {type: number, unit: t, meaning: 数量, aliases: [存量(t)]}
      人数: {type: integer, unit: 人, meaning: 周边人数}
      限量_t:
        type: number
        unit: t
        meaning: 限量
        lookup:
          - {table: old, match: {物质名称: [名称, 别名]}, take: 限量, to: 2019-02-28}
          - {table: new, match: {物质名称: [名称, 别名]}, take: 限量, from: 2019-03-01}
      系数: {type: number, meaning: 系数, lookup: {table: people, range: {人数: [起, 止]}, take: 系数}}
      单元比: {type: number, meaning: 单元的比, derive: {same: 单元, sum: 存量_t / 限量_t, least: 0}}
fields:
  无证焊接: {type: bool, meaning: 有焊工证书过期, derive: {child: 人员, any: 工种 = '焊工' AND 证书过期}}
  过期人数: {type: integer, unit: 人, meaning: 证书过期的人数, derive: {child: 人员, count: 证书过期}}
  最大单元比: {type: number, meaning: 各单元的比中最大的, derive: {child: 物质, max: 单元比}}
  大单元系数: {type: number, meaning: 比不小于一的单元的系数中最大的, derive: {child: 物质, max: 系数, where: 单元比 >= 1}}
"""
RULES = """
document: {id: d, title: 某标准, number: 某号, issuer: 某机关, in_force: {from: 2010-01-01}}
criteria:
  - {id: plant/d/1, clause: 第一条, name: 焊工证书过期, when: 无证焊接, grade: major, status: verified}
  - {id: plant/d/2, clause: 第二条, name: 两人以上证书过期, when: 过期人数 >= 2, grade: general, status: verified}
  - {id: plant/d/3, clause: 第三条, name: 超量, when: 最大单元比 >= 1, grade: major, status: verified}
  - {id: plant/d/4, clause: 第四条, name: 超量且人多, when: 大单元系数 >= 2, grade: serious, status: verified}
"""
NEW = "# 来源：某标准\n名称,别名,限量\n氨,液氨;氨气,10\n氯,,5\n"
OLD = "名称,别名,限量\n氨,液氨;氨气,20\n氯,,5\n"
PEOPLE = "起,止,系数\n100,,2\n50,99,1.5\n0,49,1\n"
PLANTS = pd.DataFrame({"单位名称": ["甲", "乙"], "检查日期": ["2024-06-01", "2024-06-01"]})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in {
        "shared/fields.yaml": SHARED, "plant/fields.yaml": FIELDS, "plant/d.yaml": RULES, "plant/lookup/new.csv": NEW, "plant/lookup/old.csv": OLD,
        "plant/lookup/people.csv": PEOPLE,
    }.items():  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def judge(root: Path, folder: Path, **tables: pd.DataFrame) -> engine.Result:
    paths = []
    for name, table in tables.items():
        path = folder / f"{name}.csv"
        table.to_csv(path, index=False)
        paths.append(path)
    return engine.judge(paths, engine.load_pack([root], shipped=False))


def met(result: engine.Result) -> list[tuple[str, str]]:
    return [(f["enterprise"], f["criterion"][-1]) for f in result.findings.to_pylist()]


def open_ones(result: engine.Result) -> list[tuple[str, str]]:
    return sorted((u["enterprise"], u["criterion"][-1]) for u in result.undetermined.to_pylist())


def people(*rows: tuple[str, str, str | None, str | None]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["单位名称", "姓名", "工种", "证书有效期至"])


def stock(*rows: tuple[str, str, str | None, float | None]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["单位名称", "单元", "物质名称", "存量(t)"])


def test_any_and_count_over_people(root: Path, tmp_path: Path) -> None:
    made = judge(root, tmp_path, 企业=PLANTS, 人员名单=people(
        ("甲", "张", "焊工", "2024-05-31"), ("甲", "李", "电工", "2024-05-01"), ("乙", "王", "焊工", "2024-06-01"), ("乙", "赵", "电工", "2024-05-01"),
    ))  # fmt: skip
    assert met(made) == [("甲", "1"), ("甲", "2")]
    assert open_ones(made) == []


def test_a_blank_certificate_leaves_open_what_it_could_change(root: Path, tmp_path: Path) -> None:
    made = judge(
        root,
        tmp_path,
        企业=PLANTS,
        人员名单=people(("甲", "张", "焊工", None), ("甲", "李", "电工", "2024-05-01"), ("乙", "王", "电工", "2030-01-01")),
    )
    assert met(made) == []
    assert open_ones(made) == [("甲", "1"), ("甲", "2")]


def test_an_enterprise_without_rows_in_the_list_is_open(root: Path, tmp_path: Path) -> None:
    made = judge(root, tmp_path, 企业=PLANTS, 人员名单=people(("甲", "张", "焊工", "2024-05-31")))
    assert met(made) == [("甲", "1")]
    assert open_ones(made) == [("乙", "1"), ("乙", "2")]


def test_each_unit_is_summed_by_itself_and_the_worst_counts(root: Path, tmp_path: Path) -> None:
    """甲: 6/10 + 2/5 = 1 in one unit; 乙: 0.9 in one and 0.9 in another, which do not add up."""
    made = judge(root, tmp_path, 企业=PLANTS, 物质清单=stock(
        ("甲", "罐区", "液氨", 6), ("甲", "罐区", "氯", 2), ("乙", "一", "氨", 9), ("乙", "二", "氨气", 9),
    ))  # fmt: skip
    assert [pair for pair in met(made) if pair[1] == "3"] == [("甲", "3")]
    assert ("乙", "3") not in open_ones(made)


def test_the_edition_of_the_day_gives_the_limit(root: Path, tmp_path: Path) -> None:
    plants = pd.DataFrame({"单位名称": ["甲", "甲"], "检查日期": ["2019-02-28", "2019-03-01"]})
    made = judge(root, tmp_path, 企业=plants, 物质清单=stock(("甲", "罐区", "氨", 10)))
    assert [(f["criterion"][-1], f["row"]) for f in made.findings.to_pylist()] == [("3", 3)]


def test_an_unknown_substance_is_named_and_open_unless_the_rest_decides(root: Path, tmp_path: Path) -> None:
    made = judge(
        root,
        tmp_path,
        企业=PLANTS,
        物质清单=stock(("甲", "罐区", "氨", 10), ("甲", "罐区", "怪油", 1), ("乙", "罐区", "氨", 1), ("乙", "罐区", "怪油", 1)),
    )
    assert [pair for pair in met(made) if pair[1] == "3"] == [("甲", "3")]
    assert ("乙", "3") in open_ones(made) and ("甲", "3") not in open_ones(made)
    assert [(Path(d["file"]).name, d["row"], d["column"], d["value"], d["problem"]) for d in made.defects.to_pylist()] == [
        ("物质清单.csv", 3, "物质名称", "怪油", "not_found"), ("物质清单.csv", 5, "物质名称", "怪油", "not_found"),
    ]  # fmt: skip
    (finding,) = [f for f in made.findings.to_pylist() if f["criterion"] == "plant/d/3"]
    assert finding["evidence"] == [{"field": "最大单元比", "column": "子表“物质清单.csv”", "value": "不少于 1"}]


def test_a_greatest_only_over_the_rows_that_are_asked_for(root: Path, tmp_path: Path) -> None:
    """甲: the unit of 1.2 has 99 people around it (1.5); the unit of 0.5 has 100 (2), which does not count."""
    table = stock(("甲", "大", "氨", 12), ("甲", "小", "氨", 5), ("乙", "大", "氨", 12)).assign(人数=[99, 100, 100])
    made = judge(root, tmp_path, 企业=PLANTS, 物质清单=table)
    assert [pair for pair in met(made) if pair[1] == "4"] == [("乙", "4")]


def test_a_list_alone_is_judged_once_an_owner(root: Path, tmp_path: Path) -> None:
    table = stock(("甲", "罐区", "氨", 12), ("甲", "罐区", "氯", 1), ("乙", "罐区", "氨", 1)).assign(检查日期="2024-06-01")
    made = judge(root, tmp_path, 物质清单=table)
    assert made.manifest["rows"] == 2
    assert [pair for pair in met(made) if pair[1] == "3"] == [("甲", "3")]


def test_a_row_of_a_subject_belongs_to_that_subject(root: Path, tmp_path: Path) -> None:
    plants = pd.DataFrame({"单位名称": ["甲", "甲"], "检查对象": ["一车间", "二车间"], "检查日期": ["2024-06-01"] * 2})
    table = people(("甲", "张", "焊工", "2024-05-31"), ("甲", "李", "电工", "2024-05-01")).assign(检查对象=["一车间", None])
    made = judge(root, tmp_path, 企业=plants, 人员名单=table)
    assert [(f["subject"], f["criterion"][-1]) for f in made.findings.to_pylist()] == [("一车间", "1"), ("一车间", "2")]


def test_wrong_declarations_are_named_at_their_place(root: Path) -> None:
    path = root / "plant/fields.yaml"
    text = path.read_text(encoding="utf-8")
    cases = {
        ("{table: new,", "{table: newer,"): "字段“限量_t”的 lookup：读不了 lookup/newer.csv：No such file or directory。",
        ("take: 限量, from", "take: 数量, from"): "字段“限量_t”的 lookup：lookup/new.csv 没有“数量”这一列。",
        ("{child: 人员, count", "{child: 人们, count"): "字段“过期人数”的 derive：没有子表“人们”。",
        ("count: 证书过期}", "count: 过期}"): "字段“过期人数”的 derive：没有“过期”这个字段。",
    }
    for (old, new), message in cases.items():
        path.write_text(text.replace(old, new), encoding="utf-8")
        _, problems = open_library([root], shipped=False).load(["plant"])
        assert message in [problem.message for problem in problems], problems
    path.write_text(text, encoding="utf-8")
    (root / "plant/lookup/new.csv").write_text("名称,别名,限量\n氨,,十\n", encoding="utf-8")
    _, problems = open_library([root], shipped=False).load(["plant"])
    assert [problem.message for problem in problems] == ["字段“限量_t”的 lookup：lookup/new.csv 里“限量”的“十”不是数。"]
