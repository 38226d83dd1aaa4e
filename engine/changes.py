"""`changes.yaml` of a pack: criteria of other packs suspended, or replaced in part, each with its reason. The shape is in docs/rules.md."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping as Map

from engine.documents import CRITERION_KEYS, RawCriterion
from engine.problems import nearest
from engine.rulefile import Items, Mapping, Shape, Source

_KEYS = ("suspend", "replace", "reason", "with")


def apply_changes(changes: Iterable[tuple[Mapping, Source]], raws: Map[str, RawCriterion]) -> None:
    """Put what the files say onto the criteria that they name; what is wrong with them is `check_targets`' business."""
    for top, source in changes:
        listed = top.get("changes")
        for node in getattr(listed, "items", []):
            shape = Shape(Source(source.name, source.text), node, "changes 的一项", _KEYS)
            reason = shape.text("reason")
            raw = raws.get(shape.text("suspend") or shape.text("replace"))
            if raw is None or not reason:
                continue
            if shape.text("suspend"):
                raw.suspended = reason
                continue
            raw.replaced = reason
            overriding = shape.node.get("with")
            for key, (scalar, value) in overriding.entries.items() if isinstance(overriding, Mapping) else ():
                if key in CRITERION_KEYS and key not in ("id", "tests"):
                    raw.overrides[key] = (source, scalar, value)


def check_targets(top: Mapping, source: Source, seen: Collection[str], loaded_all: bool) -> None:
    """Note in the source what is wrong with one file. `seen` are the ids of the criteria loaded, of all sectors or (`loaded_all` false) of some."""
    listed = Shape(source, top, "changes.yaml", ("changes",), ("changes",)).node.get("changes")
    if listed is not None and not isinstance(listed, Items):
        source.problem(listed, "changes 应当是列表（每项以 - 开头）。")
    for node in getattr(listed, "items", []):
        shape = Shape(source, node, "changes 的一项", _KEYS, ("reason",))
        target = shape.text("suspend") or shape.text("replace")
        at = shape.node.get("suspend") or shape.node.get("replace")
        if not target:
            source.problem(node, "changes 的一项要写 suspend 或 replace。")
        elif shape.text("suspend") and shape.text("replace"):
            source.problem(node, "changes 的一项不能既 suspend 又 replace。", "停用和替换请分开写。")
        elif target not in seen and (loaded_all or target.split("/")[0] in {one.split("/")[0] for one in seen}):
            source.problem(at, f"没有条款“{target}”。", nearest(target, seen))
        overriding = shape.node.get("with")
        if shape.text("replace") and not isinstance(overriding, Mapping):
            source.problem(node, "replace 要有 with，写明改了什么。")
        elif isinstance(overriding, Mapping):
            Shape(source, overriding, "with", [key for key in CRITERION_KEYS if key not in ("id", "tests")])
