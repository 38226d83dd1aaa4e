"""A rule engine that judges major accident hazards (重大事故隐患) in inspection tables.

result = judge(table, pack)
result.findings, result.undetermined, result.enterprises, result.coverage, result.defects
result.explain(enterprise="…")

What is named here is loaded when it is first asked for: rules can be read and checked without the table engine.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.pack import Library, Pack, load_pack, open_library
    from engine.problems import InputError, RuleFileError
    from engine.run import Result, judge

__all__ = ["InputError", "Library", "Pack", "Result", "RuleFileError", "judge", "load_pack", "open_library"]

_HOME = {
    "InputError": "problems", "RuleFileError": "problems", "Library": "pack", "Pack": "pack", "load_pack": "pack", "open_library": "pack",
    "Result": "outcome", "judge": "run",
}  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'engine' has no attribute '{name}'")
    return getattr(import_module(f"engine.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
