"""Units of measure: which can be compared, and by what exact factor they convert.

Sources: GB 3100-93 (SI units), GB 3101-93; the counters are the classifiers that the official documents count with. A month is
not a number of days, so 月/年 and 日 do not convert: the calendar functions of the condition language do that.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

Dimensions = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Unit:
    """A unit: its size in base units (`scale`, exact) and the powers of its base dimensions."""

    scale: Fraction
    dimensions: Dimensions
    symbol: str = ""

    def times(self, other: Unit) -> Unit:
        """The unit of a product."""
        return Unit(self.scale * other.scale, _merge(self.dimensions, other.dimensions, 1))

    def per(self, other: Unit) -> Unit:
        """The unit of a quotient."""
        return Unit(self.scale / other.scale, _merge(self.dimensions, other.dimensions, -1))

    def factor_to(self, other: Unit) -> Fraction:
        """What a value in this unit is multiplied by to be in `other`; the dimensions must agree."""
        return self.scale / other.scale

    def __str__(self) -> str:
        return self.symbol or "·".join(f"{name}^{power}" if power != 1 else name for name, power in self.dimensions) or "1"


def _merge(left: Dimensions, right: Dimensions, sign: int) -> Dimensions:
    powers = dict(left)
    for name, power in right:
        powers[name] = powers.get(name, 0) + sign * power
    return tuple(sorted((name, power) for name, power in powers.items() if power))


ONE = Unit(Fraction(1), (), "1")


def _table() -> dict[str, Unit]:
    units: dict[str, Unit] = {"1": ONE, "倍": Unit(Fraction(1), (), "倍")}
    for symbol, size in {"%": Fraction(1, 100), "‰": Fraction(1, 1000), "ppm": Fraction(1, 10**6), "µL/L": Fraction(1, 10**6)}.items():
        units[symbol] = Unit(size, (), symbol)

    def add(dimension: str, power: int, sizes: dict[str, Fraction | int]) -> None:
        for symbol, size in sizes.items():
            units[symbol] = Unit(Fraction(size), ((dimension, power),), symbol)

    add("长度", 1, {"m": 1, "米": 1, "cm": Fraction(1, 100), "mm": Fraction(1, 1000), "km": 1000, "公里": 1000, "万km": 10**7})
    add("长度", 2, {"m2": 1, "m²": 1, "㎡": 1, "平方米": 1, "km2": 10**6, "亩": Fraction(2000, 3)})
    add("长度", 3, {"m3": 1, "m³": 1, "立方米": 1, "L": Fraction(1, 1000), "升": Fraction(1, 1000), "万m3": 10**4})
    add("质量", 1, {"kg": 1, "千克": 1, "公斤": 1, "g": Fraction(1, 1000), "t": 1000, "吨": 1000, "万t": 10**7})
    add("日", 1, {"日": 1, "天": 1, "d": 1})
    add("月", 1, {"月": 1, "个月": 1, "年": 12, "a": 12})
    add("时", 1, {"h": 3600, "小时": 3600, "min": 60, "分钟": 60, "s": 1, "秒": 1})
    add("金额", 1, {"元": 1, "万元": 10_000, "亿元": 10**8})
    add("压力", 1, {"Pa": 1, "kPa": 1000, "MPa": 10**6})
    add("力", 1, {"N": 1, "kN": 1000})
    add("电流", 1, {"A": 1, "mA": Fraction(1, 1000)})
    add("电压", 1, {"V": 1, "kV": 1000})
    add("功率", 1, {"W": 1, "kW": 1000, "MW": 10**6})
    add("电能", 1, {"kWh": 1, "MWh": 1000})
    for symbol in "℃ 人 台 具 条 箱 项 次 个 处 起 户 辆 层 间 只 瓶 组 座 栋 家 名 分 度 件 艘 头 根 套 份 所 樘 ° 总吨 级 学时 发 万发 株 道 包 袋 桶 列 班 dB Ω lx".split():
        units[symbol] = Unit(Fraction(1), ((symbol, 1),), symbol)
    return units


UNITS = _table()


def find_unit(symbol: str) -> Unit | None:
    """The unit written `symbol` (also a quotient such as `m/s`, `mg/m3`), or None when unknown."""
    symbol = symbol.strip()
    if symbol in UNITS:
        return UNITS[symbol]
    if symbol.count("/") == 1:
        top, bottom = symbol.split("/")
        if top in UNITS and bottom in UNITS:
            made = UNITS[top].per(UNITS[bottom])
            return Unit(made.scale, made.dimensions, symbol)
    return None
