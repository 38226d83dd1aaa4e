"""What part of a result a reader asked for: grades, a level, a region. Restricts the result tables; says so in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from engine.documents import GRADE_NAMES
from engine.problems import InputError, nearest

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.run import Result

GRADE_ORDER = {"general": 1, "violation": 2, "serious": 3, "major": 4}
TABLES = ("enterprises", "findings", "undetermined", "coverage", "defects")
_MAX_NAMED = 20


@dataclass(frozen=True)
class Selection:
    """`min_grade` (code), `level` and `region` as asked for; None: no restriction."""

    min_grade: str | None = None
    level: str | None = None
    region: str | None = None

    def __bool__(self) -> bool:
        return self != Selection()

    def text(self) -> str:
        """The restriction in Chinese, empty when there is none."""
        parts = []
        if self.min_grade is not None:
            parts.append(f"等级不低于{GRADE_NAMES[self.min_grade]}")
        if self.level is not None:
            parts.append(f"处置级别为{self.level}")
        if self.region is not None:
            parts.append(f"区县为{self.region}")
        return "、".join(parts)

    def apply(self, result: Result) -> dict[str, pa.Table]:
        """The five result tables by name; enterprises, findings and undetermined restricted. Raises InputError when no ladder has the level,
        or no row of the table the region: a slip of the pen must not read as "no hazard here"."""
        tables = {name: getattr(result, name) for name in TABLES}
        if not self:
            return tables
        frames = {name: pl.DataFrame(pl.from_arrow(tables[name])) for name in ("enterprises", "findings", "undetermined")}
        self._check(result, frames["enterprises"])
        if self.min_grade is not None:
            grades = [grade for grade, order in GRADE_ORDER.items() if order >= GRADE_ORDER[self.min_grade]]
            frames["enterprises"] = frames["enterprises"].filter(pl.any_horizontal(pl.col(grade) > 0 for grade in grades))
            frames |= {name: frames[name].filter(pl.col("grade").is_in(grades)) for name in ("findings", "undetermined")}
        units = frames["enterprises"]
        units = units if self.level is None else units.filter(pl.col("level") == self.level)
        units = units if self.region is None else units.filter(pl.col("region") == self.region)
        frames["enterprises"] = units
        names = units["enterprise"].implode()
        frames |= {name: frames[name].filter(pl.col("enterprise").is_in(names)) for name in ("findings", "undetermined")}
        return tables | {name: frame.to_arrow().cast(tables[name].schema) for name, frame in frames.items()}

    def _check(self, result: Result, units: pl.DataFrame) -> None:
        levels = [one.name for one in result.levels]
        if self.level is not None and self.level not in levels:
            known = f"可用的：{'、'.join(levels)}。" if levels else "这个规则包没有处置阶梯，请去掉 --level。"
            raise InputError(f"没有“{self.level}”这个处置级别。{nearest(self.level, levels)}{known}")
        regions = units["region"].drop_nulls().unique().sort().to_list()
        if self.region is not None and self.region not in regions:
            some = "、".join(regions[:_MAX_NAMED]) + ("…" if len(regions) > _MAX_NAMED else "")
            known = f"表里有：{some}。" if regions else "这张表没有认出区县的列，请去掉 --region。"
            raise InputError(f"表里没有“{self.region}”这个区县。{nearest(self.region, regions)}{known}")
