"""How the account is configured: its numbers and its TaskRouter workspace, read and changed over REST.

Of use to `doctor` and `setup` alone; calls need none of it. As in `client`: one attempt, an outcome or what was read.
Sources: Twilio: IncomingPhoneNumbers, Accounts; TaskRouter: Workspaces, Workflows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from orchestrator.core.actions import Outcome, Verdict
from orchestrator.http import Http
from orchestrator.twilio.client import PhoneNumber, phone_number_of
from orchestrator.twilio.sdk import Found, Sdk

MOST_NUMBERS = 1000
_PAGE_SIZE = 100
_TIMEOUT_MS = 10_000


class Workspace(msgspec.Struct, frozen=True, kw_only=True):
    """TaskRouter's workspace; an empty `events_filter` lets every event through."""

    sid: str
    event_callback_url: str = ""
    events_filter: str = ""


class Account:
    """`credentials()`: as for `TwilioClient`; `token_credentials()`: always account SID and auth token."""

    def __init__(
        self,
        http: Http,
        base_url: str,
        account_sid: str,
        credentials: Callable[[], tuple[str, str]],
        token_credentials: Callable[[], tuple[str, str]],
    ) -> None:
        self._sid = account_sid
        self._sdk = Sdk(http, base_url, account_sid, credentials)
        self._by_token = Sdk(http, base_url, account_sid, token_credentials)

    def check_token(self) -> Outcome:
        """Whether the auth token is this account's: an API key may be right while signatures can never be."""

        def read(client: Any) -> Outcome:
            client.api.v2010.accounts(self._sid).fetch()
            return Outcome(verdict=Verdict.DONE)

        return self._by_token.attempt(_TIMEOUT_MS, read)

    def numbers(self) -> list[PhoneNumber] | Outcome:
        """At most `MOST_NUMBERS`."""

        def read(client: Any) -> list[PhoneNumber]:
            records = client.incoming_phone_numbers.list(limit=MOST_NUMBERS, page_size=_PAGE_SIZE)
            return [phone_number_of(record) for record in records]

        return self._sdk.attempt(_TIMEOUT_MS, read)

    def number(self, phone_number: str) -> PhoneNumber | Outcome:
        """The number as it is configured, or `NOT_FOUND`. Twilio's filter matches parts of numbers, too."""

        def read(client: Any) -> PhoneNumber | Outcome:
            records = client.incoming_phone_numbers.list(phone_number=phone_number, limit=_PAGE_SIZE)
            found = [record for record in map(phone_number_of, records) if record.phone_number == phone_number]
            return found[0] if found else Outcome(verdict=Verdict.NOT_FOUND, detail="the account has no such number")

        return self._sdk.attempt(_TIMEOUT_MS, read)

    def update_number(self, number_sid: str, changes: Mapping[str, str]) -> Outcome:
        """`changes`: fields of `PhoneNumber`; an empty text takes a value away."""
        return self._updated(lambda client: client.incoming_phone_numbers(number_sid).update(**changes))

    def workspaces(self) -> list[Workspace] | Outcome:
        def read(client: Any) -> list[Workspace]:
            records = client.taskrouter.v1.workspaces.list(limit=_PAGE_SIZE, page_size=_PAGE_SIZE)
            return [_workspace(record) for record in records]

        return self._sdk.attempt(_TIMEOUT_MS, read)

    def workspace(self, sid: str) -> Workspace | Outcome:
        return self._sdk.attempt(_TIMEOUT_MS, lambda client: _workspace(client.taskrouter.v1.workspaces(sid).fetch()))

    def workspace_of(self, workflow_sid: str) -> Workspace | Outcome:
        """The workspace that has this workflow, or `NOT_FOUND`."""
        found = self.workspaces()
        if isinstance(found, Outcome):
            return found
        for workspace in found:
            answer = self._workflow(workspace.sid, workflow_sid)
            if answer.verdict is Verdict.DONE:
                return workspace
            if answer.verdict is not Verdict.NOT_FOUND:
                return answer
        return Outcome(verdict=Verdict.NOT_FOUND, detail="no workspace of the account has this workflow")

    def _workflow(self, workspace: str, workflow: str) -> Outcome:
        def read(client: Any) -> Outcome:
            client.taskrouter.v1.workspaces(workspace).workflows(workflow).fetch()
            return Outcome(verdict=Verdict.DONE)

        return self._sdk.attempt(_TIMEOUT_MS, read)

    def update_workspace(self, sid: str, changes: Mapping[str, str]) -> Outcome:
        """`changes`: fields of `Workspace`."""
        return self._updated(lambda client: client.taskrouter.v1.workspaces(sid).update(**changes))

    def _updated(self, change: Callable[[Any], Found]) -> Outcome:
        def update(client: Any) -> Outcome:
            change(client)
            return Outcome(verdict=Verdict.DONE)

        return self._sdk.attempt(_TIMEOUT_MS, update, is_repeatable=True)


def _workspace(record: Any) -> Workspace:
    """Twilio gives null for what is not set."""
    return Workspace(
        sid=str(record.sid),
        event_callback_url=record.event_callback_url or "",
        events_filter=record.events_filter or "",
    )
