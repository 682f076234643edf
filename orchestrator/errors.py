"""The root of every error that this service raises itself.

`error_id` is a stable kebab-case name, the same in the API, the console, logs, metrics and tests. `message` is for
people; `context` holds the values that belong to it (no secret, no phone number, no stream URL).
"""

from __future__ import annotations


class OrchestratorError(Exception):
    """Something that this service has a name for."""

    def __init__(self, error_id: str, message: str, **context: object) -> None:
        super().__init__(message)
        self.error_id = error_id
        self.message = message
        self.context = context


class ConfigurationError(OrchestratorError):
    """The environment or a file is wrong; `faults` lists everything found. A command that meets it exits 2."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = tuple(faults)
        lines = "\n".join(f"  - {fault}" for fault in faults)
        super().__init__("configuration", f"The configuration cannot be used:\n{lines}")
