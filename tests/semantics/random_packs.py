"""Random packs over the fields of docs/semantics.md: criteria over facts, derived fields, aggregates, counts and each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from .conditions import Choice, conditions
from .packs import ID


@dataclass(frozen=True)
class RandomPack:
    """Criteria as in a rule file, over facts, derived fields, aggregates, counts and each other."""

    criteria: tuple[Mapping[str, object], ...]

    def __str__(self) -> str:
        return "\n".join(str(dict(criterion)) for criterion in self.criteria)


DERIVED = ("已超期", "超期已报", "有一处", "处处是")
OTHERS = (
    "违规条数 >= 2", "违规条数 = 1", "违规条数 BETWEEN 1 AND 2", "违规条数 * 2 > 3", "总数 > 1.5", "总数 <= 限值", "最少 < 最多", "最多 - 最少 >= 0.5",
    "数量 > 限额", "数量 <= 限额", "限额 = 1.1 * 限值", "设备大类 = '锅炉'", "设备大类 <> '锅炉'", "设备大类 IN ('电梯', '锅炉')", "检查日期 > 到期日期",
)  # fmt: skip
PERIODS = (
    None, {"from": "2024-01-01"}, {"from": "2023-01-01", "to": "2024-06-01"}, {"from": "2024-02-29", "to": "2024-02-29"},
)  # fmt: skip


@st.composite
def packs(draw: st.DrawFn, choice: Choice) -> RandomPack:
    """One to four criteria; each may refer with MET to those before it."""
    with_derived = replace(choice, booleans=(*choice.booleans, *DERIVED))
    made: list[dict[str, object]] = []
    for number in range(draw(st.integers(1, 4))):

        def condition(number: int = number) -> str:
            parts = [draw(conditions(with_derived, 3)).within(6).rule, *draw(st.lists(st.sampled_from(OTHERS), max_size=2))]
            if number and draw(st.booleans()):
                parts.append(f"{draw(st.sampled_from(['', 'NOT ']))}MET('{ID}/{draw(st.integers(1, number))}')")
            kind = draw(st.sampled_from([" AND ", " OR ", "COUNT"]))
            if kind != "COUNT":
                return kind.join(f"({part})" for part in parts)
            return f"COUNT_MET({', '.join(parts)}) {draw(st.sampled_from(['>=', '=', '<']))} {draw(st.integers(1, 2))}"

        criterion: dict[str, object] = {"when": condition()}
        if draw(st.booleans()):
            criterion["applies"] = condition()
        period = draw(st.sampled_from(PERIODS))
        if period:
            criterion["in_force"] = dict(period)
        made.append(criterion)
    return RandomPack(tuple(made))
