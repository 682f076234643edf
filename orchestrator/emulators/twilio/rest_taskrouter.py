"""TaskRouter's REST API: the workspace and its workflows (what a set-up needs; OpenAPI ``twilio_taskrouter_v1``).

One account has at most one workspace here. Dates are ISO 8601, pages have their address in ``meta``.
"""

from typing import TYPE_CHECKING, Any

from aiohttp import web

from orchestrator.emulators.twilio.answers import not_found
from orchestrator.emulators.twilio.formats import utc_now
from orchestrator.emulators.twilio.keys import ACCOUNT, FORM
from orchestrator.emulators.twilio.tasks import Workspace, events_of

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.account import Account

Json = dict[str, Any]


def workspace_of(request: web.Request) -> Workspace:
    """Return the workspace that the path names, or raise 20404."""
    found = request.app[ACCOUNT].router.workspace
    if found is None or found.sid != request.match_info["workspace"]:
        raise not_found(request.path)
    return found


async def list_workspaces(request: web.Request) -> web.Response:
    account = request.app[ACCOUNT]
    found = account.router.workspace
    return _page(request, "workspaces", [] if found is None else [_workspace(request, account, found)])


async def read_workspace(request: web.Request) -> web.Response:
    return web.json_response(_workspace(request, request.app[ACCOUNT], workspace_of(request)))


async def update_workspace(request: web.Request) -> web.Response:
    """Set the event callback and its filter; what is not named stays."""
    account, form, found = request.app[ACCOUNT], request[FORM], workspace_of(request)
    changed = Workspace(
        found.sid,
        form.get("EventCallbackUrl", found.event_callback_url),
        events_of(form["EventsFilter"]) if "EventsFilter" in form else found.events,
        found.workflows,
    )
    account.router.workspace = changed
    return web.json_response(_workspace(request, account, changed))


async def list_workflows(request: web.Request) -> web.Response:
    found = workspace_of(request)
    rows = [_workflow(request, found, workflow) for workflow in found.workflows]
    return _page(request, "workflows", rows)


async def read_workflow(request: web.Request) -> web.Response:
    found, wanted = workspace_of(request), request.match_info["workflow"]
    if wanted not in found.workflows:
        raise not_found(request.path)
    return web.json_response(_workflow(request, found, wanted))


def _workspace(request: web.Request, account: "Account", found: Workspace) -> Json:
    now = utc_now().strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "sid": found.sid,
        "account_sid": account.sid,
        "friendly_name": "Emulated",
        "event_callback_url": found.event_callback_url or None,
        "events_filter": ",".join(sorted(found.events)) or None,
        "default_activity_name": "Offline",
        "multi_task_enabled": True,
        "prioritize_queue_order": "FIFO",
        "date_created": now,
        "date_updated": now,
        "url": f"{request.url.origin()}/v1/Workspaces/{found.sid}",
        "links": {"workflows": f"{request.url.origin()}/v1/Workspaces/{found.sid}/Workflows"},
    }


def _workflow(request: web.Request, workspace: Workspace, workflow: str) -> Json:
    return {
        "sid": workflow,
        "account_sid": request.app[ACCOUNT].sid,
        "workspace_sid": workspace.sid,
        "friendly_name": "Assign to anyone",
        "configuration": "{}",
        "url": f"{request.url.origin()}/v1/Workspaces/{workspace.sid}/Workflows/{workflow}",
    }


def _page(request: web.Request, key: str, rows: list[Json]) -> web.Response:
    """Answer all rows on one page; an emulated workspace has few."""
    url = f"{request.url.origin()}{request.path}?PageSize=50&Page=0"
    meta = {"key": key, "page": 0, "page_size": 50, "first_page_url": url, "url": url}
    return web.json_response({key: rows, "meta": meta | {"next_page_url": None, "previous_page_url": None}})
