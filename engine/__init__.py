"""A rule engine that judges major accident hazards (重大事故隐患) in inspection tables.

    result = judge(table, pack)
    result.findings, result.undetermined, result.enterprises, result.coverage, result.defects
    result.explain(enterprise="…")

Names are imported when first used, so that `import engine` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.pack import Pack, load_pack
    from engine.problems import InputError, RuleFileError
    from engine.run import Result, judge

_HOMES = {
    "judge": "engine.run", "Result": "engine.run", "load_pack": "engine.pack", "Pack": "engine.pack", "InputError": "engine.problems",
    "RuleFileError": "engine.problems",
}  # fmt: skip

__all__ = ["InputError", "Pack", "Result", "RuleFileError", "judge", "load_pack"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'engine' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
