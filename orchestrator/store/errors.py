"""What can go wrong with the store, in our own words; no exception of redis-py leaves the package."""

from __future__ import annotations

from orchestrator.errors import OrchestratorError


class StoreUnavailable(OrchestratorError):  # noqa: N818  a state of the world that callers handle, told by its name
    """Redis did not answer, or refused for now. Whether a write was carried out is not known; repeating it is safe."""

    def __init__(self, message: str, **context: object) -> None:
        super().__init__("store-unavailable", message, **context)


class StoreMisconfigured(OrchestratorError):  # noqa: N818  told by its name, as above
    """Redis or its address is not what this service was told; repeating does not help."""

    def __init__(self, message: str, **context: object) -> None:
        super().__init__("store-misconfigured", message, **context)


class CallUnreadable(OrchestratorError):  # noqa: N818  told by its name, as above
    """A stored call cannot be decoded (written by hand)."""

    def __init__(self, call_sid: str, detail: str) -> None:
        super().__init__("call-unreadable", f"The stored call cannot be read: {detail}", call_sid=call_sid)


class CallIsOver(OrchestratorError):  # noqa: N818  told by its name, as above
    """A message is about a call that has ended, or was erased, and is no longer kept: it begins no other."""

    def __init__(self, call_sid: str) -> None:
        super().__init__("no-such-call", "The call of this SID is over", call_sid=call_sid)


class CallTooNew(StoreUnavailable):
    """A newer release has changed this call in a way that this one would get wrong.

    For this process the call is away, as it is while Redis is: messages are repeated by their sender until a process
    of the newer release gets them, and its workers act.
    """

    def __init__(self, call_sid: str, schema: int) -> None:
        super().__init__(f"The call was written by a newer release (schema {schema})", call_sid=call_sid)


class CallContended(OrchestratorError):  # noqa: N818  told by its name, as above
    """A call changed under every one of the bounded tries to change it."""

    def __init__(self, call_sid: str, tries: int) -> None:
        super().__init__("call-contended", f"The call changed under each of {tries} tries", call_sid=call_sid)
