"""`orchestrator forget CALL_SID`: the right to erasure, in Redis and in the archive."""

from __future__ import annotations

import click

from orchestrator.cli.reading import services
from orchestrator.services import Services
from orchestrator.store.forgetting import MARK_DAYS, forget
from orchestrator.transcripts.archive import Archive
from orchestrator.transcripts.batch_forget import remove_call
from orchestrator.web.context import CALL_SID


@click.command()
@click.argument("call_sid")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(call_sid: str, *, yes: bool) -> None:
    """Erase a call for good: transcript, timeline, archive document and exported utterances.

    Words that arrive later are not kept either. When the archive cannot be changed, run it again.
    """
    if not CALL_SID.match(call_sid):
        raise click.BadParameter("must be a Call SID: CA and 32 digits or letters a-f", param_hint="CALL_SID")
    built = services()
    sid, created_at = _found(built, call_sid)
    if not yes:
        click.confirm(f"Erase {sid} for good?", abort=True)
    was_there = forget(built.redis, built.store.keys, sid)
    archived = Archive(built.settings.archive_url).remove(sid, created_at) if built.settings.archive_url else 0
    click.echo(f"Redis: {'erased' if was_there else 'nothing there'}")
    click.echo(f"Archive: {archived} erased" if archived else "Archive: nothing there")
    if built.settings.archive_url:
        taken_out = remove_call(f"{built.settings.archive_url.rstrip('/')}/batch", sid)
        click.echo(f"Exported days: {taken_out} utterances erased" if taken_out else "Exported days: nothing there")
    click.echo(f"Words of {sid} that arrive within {MARK_DAYS} days are not kept.")


def _found(built: Services, sid: str) -> tuple[str, int | None]:
    """The call's own SID, for a leg's may be given, and when it began, where that is known still."""
    named = None if built.store.load(sid) else built.store.resolve("leg", sid)
    call = built.store.load(named or sid)
    if call is None:
        return named or sid, None
    if not call.is_ended:
        raise click.ClickException(f"{call.call_sid} is still going on; erase it when it has ended")
    return call.call_sid, call.created_at
