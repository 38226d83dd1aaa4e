"""What part of a result a reader asked for: grades, a level, a region, a department. Restricts the result tables; says so in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from engine.documents import GRADE_NAMES
from engine.problems import InputError, nearest

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.run import Result

GRADE_ORDER = {"general": 1, "violation": 2, "serious": 3, "major": 4}
TABLES = ("enterprises", "findings", "undetermined", "coverage", "defects", "grade_differences", "duplicates")
_WHOLE = ("coverage", "defects", "grade_differences", "duplicates")
_MAX_NAMED = 20


@dataclass(frozen=True)
class Selection:
    """`min_grade` (code), `level`, `region` (as written in the table, or the name, a short name or the code of a place) and `department` (a
    committee or department that leads, or a part of its name that fits one only) as asked for; None: no restriction."""

    min_grade: str | None = None
    level: str | None = None
    region: str | None = None
    department: str | None = None

    def __bool__(self) -> bool:
        return self != Selection()

    def text(self) -> str:
        """The restriction in Chinese, empty when there is none."""
        parts = []
        if self.min_grade is not None:
            parts.append(f"有不低于{GRADE_NAMES[self.min_grade]}的隐患")
        if self.level is not None:
            parts.append(f"处置级别为{self.level}")
        if self.region is not None:
            parts.append(f"区县为{self.region}")
        if self.department is not None:
            parts.append(f"归口{self.department}")
        return "、".join(parts)

    def apply(self, result: Result) -> Tables:
        """The five result tables by name; enterprises, findings and undetermined restricted. Raises InputError when no ladder has the level,
        no row of the table the region, or the rules no such department: a slip of the pen must not read as "no hazard here"."""
        if self.level is not None or self.region is not None:
            self._check(result)
        return Tables(result, replace(self, department=self._department(result)))

    def _department(self, result: Result) -> str | None:
        """The whole name of the committee or department asked for."""
        names = result.authorities.names()
        if self.department is None or self.department in names:
            return self.department
        found = [name for name in names if self.department in name]
        if len(found) == 1:
            return found[0]
        if not names:
            raise InputError("规则包没有写各行业由谁牵头负责（responsibilities.yaml），请去掉 --department。")
        if found:
            raise InputError(f"“{self.department}”可以指 {len(found)} 个：{'、'.join(found)}。请写全名。")
        raise InputError(f"没有“{self.department}”这个委员会或部门。{nearest(self.department, names)}可用的：{'、'.join(names)}。")

    def at(self, result: Result) -> pl.Expr:
        """Whether a row of a result table lies in the region asked for."""
        written = pl.col("region") == self.region
        place = result.authorities.places.find(self.region)
        return (written if place is None else written | (pl.col("place") == place.name)).fill_null(False)

    def _check(self, result: Result) -> None:
        levels = [one.name for one in result.levels]
        if self.level is not None and self.level not in levels:
            known = f"可用的：{'、'.join(levels)}。" if levels else "这个规则包没有处置阶梯，请去掉 --level。"
            raise InputError(f"没有“{self.level}”这个处置级别。{nearest(self.level, levels)}{known}")
        regions = sorted({region for region in result.enterprises["region"].unique().to_pylist() if region is not None})
        frame = pl.DataFrame(pl.from_arrow(result.enterprises.select(["region", "place"])))
        if self.region is not None and not frame.select(self.at(result).any()).item():
            some = "、".join(regions[:_MAX_NAMED]) + ("…" if len(regions) > _MAX_NAMED else "")
            known = f"表里有：{some}。" if regions else "这张表没有认出区县的列，请去掉 --region。"
            raise InputError(f"表里没有“{self.region}”这个区县。{nearest(self.region, regions)}{known}")


class Tables(Mapping[str, "pa.Table"]):
    """The restricted tables by name, each made when it is first asked for: a text needs no list of all that is undetermined."""

    def __init__(self, result: Result, selection: Selection):
        self._result, self._selection = result, selection
        self._made: dict[str, pa.Table] = {}

    def __getitem__(self, name: str) -> pa.Table:
        if name not in TABLES:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = self._restricted(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(TABLES)

    def __len__(self) -> int:
        return len(TABLES)

    def _restricted(self, name: str) -> pa.Table:
        table, chosen = getattr(self._result, name), self._selection
        if not chosen or name in _WHOLE:
            return table
        grades = [grade for grade, order in GRADE_ORDER.items() if chosen.min_grade is None or order >= GRADE_ORDER[chosen.min_grade]]
        frame = pl.DataFrame(pl.from_arrow(table))
        if name == "enterprises":
            keep = pl.lit(True) if chosen.min_grade is None else pl.any_horizontal(pl.col(grade) > 0 for grade in grades)
            keep &= pl.lit(True) if chosen.level is None else (pl.col("level") == chosen.level).fill_null(False)
            keep &= pl.lit(True) if chosen.region is None else chosen.at(self._result)
        else:
            names = pl.Series(pl.from_arrow(self["enterprises"]["enterprise"]))
            keep = pl.col("grade").is_in(grades) & pl.col("enterprise").is_in(names.implode())
        if chosen.department is not None:
            keep &= pl.col("committees").list.contains(chosen.department) | pl.col("departments").list.contains(chosen.department)
        return frame.filter(keep).to_arrow().cast(table.schema)
