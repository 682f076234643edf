"""Scripted faults: what an emulator should do wrong, to whom and how often.

A rule is posted as JSON; the rules are asked in the order in which they were posted and the first
that matches an operation is applied. Fields (only ``operation`` must be there):

==============  ==================================================================================
operation       one of those that the emulator's own `operations` lists
match           facts that must all be equal, such as ``{"guid": "CA..."}`` or ``{"call_sid": ...}``
times           how often the rule applies before it is spent; null means for ever
skip            how many matching operations pass unharmed first
probability     chance per operation, drawn from the emulator's seed
status          HTTP status to answer instead of doing the work
code            the vendor's own error code in that answer
body            the answer's body, verbatim, instead of the vendor's error envelope
content_type    of that answer
delay_ms        wait before anything else, in real milliseconds; alone it only slows the operation
hang            accept, never answer, keep the connection until the client gives up
drop_after      do the work, then cut the connection without an answer
variant         a named deviation that the operation itself knows how to act out
drop            do not send this message at all (messages that the emulator sends)
duplicate       send this message so many times more
reorder         let the next message overtake this one
==============  ==================================================================================

`Faults` is not thread-safe: one event loop owns it.
"""

import random
from collections.abc import Collection, Mapping
from typing import Annotated

import msgspec

Natural = Annotated[int, msgspec.Meta(ge=0)]


class BadRulesError(ValueError):
    """The posted rules are not in the shape that this module documents."""


class Rule(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One fault; see the module for the meaning of the fields."""

    operation: str
    match: dict[str, str] = {}
    times: Annotated[int, msgspec.Meta(ge=1)] | None = None
    skip: Natural = 0
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    status: Annotated[int, msgspec.Meta(ge=100, le=599)] | None = None
    code: str | int | None = None
    body: str | None = None
    content_type: str | None = None
    delay_ms: Annotated[float, msgspec.Meta(ge=0)] = 0
    hang: bool = False
    drop_after: bool = False
    variant: str | None = None
    drop: bool = False
    duplicate: Natural = 0
    reorder: bool = False

    @property
    def replaces_the_answer(self) -> bool:
        """Whether the operation is answered by the rule instead of being done."""
        return self.status is not None or self.body is not None


class Faults:
    """The rules in force and what is left of each; ``seed`` makes the drawn ones repeatable.

    ``operations``: all that rules may name, and all that `take` is ever asked about.
    """

    def __init__(self, operations: Collection[str], seed: int = 0) -> None:
        self._operations = frozenset(operations)
        self._random = random.Random(seed)
        self._rules: list[Rule] = []

    def add(self, body: bytes) -> int:
        """Append the rules of a JSON list (or of one JSON object), all or none; return how many are in force."""
        try:
            posted = msgspec.json.decode(body, type=list[Rule] | Rule)
        except msgspec.DecodeError as error:
            raise BadRulesError(str(error)) from error
        rules = posted if isinstance(posted, list) else [posted]
        for name in [rule.operation for rule in rules if rule.operation not in self._operations]:
            known = ", ".join(sorted(self._operations))
            raise BadRulesError(f"There is no operation {name!r}; the operations are: {known}")
        self._rules.extend(rules)
        return len(self._rules)

    def clear(self) -> None:
        self._rules.clear()

    def rules(self) -> list[Rule]:
        """Return the rules in force, with what is left of ``times`` and ``skip``."""
        return list(self._rules)

    def take(self, operation: str, facts: Mapping[str, str]) -> Rule | None:
        """Return the rule that this one operation must suffer, counting it as used, or None."""
        if operation not in self._operations:
            raise LookupError(operation)  # no rule could ever name it
        for rule in self._rules:
            if self._applies(rule, operation, facts):
                self._spend(rule)
                return rule
        return None

    def _applies(self, rule: Rule, operation: str, facts: Mapping[str, str]) -> bool:
        if rule.operation != operation or any(facts.get(key) != rule.match[key] for key in rule.match):
            return False
        if rule.skip > 0:
            rule.skip -= 1
            return False
        return rule.probability >= 1 or self._random.random() < rule.probability

    def _spend(self, rule: Rule) -> None:
        if rule.times is None:
            return
        rule.times -= 1
        if rule.times == 0:
            self._rules = [kept for kept in self._rules if kept is not rule]
