"""The one door to durable_rules: rulesets of its native library, to which facts are asserted one message at a time.

The driver calls the functions of the library's own extension module. The `Host` that durable_rules puts around them starts timers in threads and
hands every action the whole message as JSON again; here an action is the name of the rule that fired, read from the front of what comes back.
What the library can bear is kept by `network.py`; what it cannot (it may end the whole process) is kept away by `worker.py`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from types import ModuleType

from engine.problems import InputError

_HANDLED = 0


def library() -> ModuleType:
    """The extension module. Raises InputError when the extra `events` is not installed."""
    try:
        return importlib.import_module("durable_rules_engine")
    except ImportError:
        raise InputError(
            "没有安装事件引擎所用的 durable_rules。请先安装：pip install 'hazard[events]'（需要 C 编译器），或用默认的列式引擎。"
        ) from None


class Ruleset:
    """Rules (name -> condition, as JSON) loaded into the library."""

    def __init__(self, name: str, conditions: Iterable[tuple[str, str]]):
        self._library = library()
        rules = ",".join(f'"{rule}":{{"all":[{{"m":{condition}}}]}}' for rule, condition in conditions)
        # without a rule that matches every message, one that matches none is refused and could not be retracted
        self._handle = self._library.create_ruleset(name, f'{{{rules},"":{{"all":[{{"m":{{"sid":"0"}}}}]}}}}'.replace("{,", "{"))

    def fired(self, facts: str) -> list[str]:
        """The names of the rules that a message of facts (the inside of a JSON object) makes true; a name may come more than once.

        The message is asserted as a fact, for a posted event would go to one rule only, and retracted when all actions are done, so that
        the next message finds an empty session."""
        message = f'{{"id":"1","sid":"0"{facts}}}'
        engine, handle = self._library, self._handle
        code, session = engine.assert_fact(handle, message)[:2]
        if code != _HANDLED:
            raise RuntimeError(f"durable_rules: {code}")
        names = []
        started = engine.start_action_for_state(handle, session)
        action = started[1] if started else None
        while action:
            names.append(action[2 : action.index('"', 2)])
            action = engine.complete_and_start_action(handle, session)
        engine.retract_fact(handle, message)
        return names
