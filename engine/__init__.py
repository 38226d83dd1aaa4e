"""A rule engine that judges major accident hazards (重大事故隐患) in inspection tables.

result = judge(table, pack)
result.findings, result.undetermined, result.enterprises, result.coverage, result.defects
result.explain(enterprise="…")
"""

from engine.pack import Library, Pack, load_pack, open_library
from engine.problems import InputError, RuleFileError
from engine.run import Result, judge  # after this, engine.judge is the function, not the module of that name

__all__ = ["InputError", "Library", "Pack", "Result", "RuleFileError", "judge", "load_pack", "open_library"]
