"""`orchestrator forget CALL_SID`: the right to erasure, in Redis and in the archive."""

from __future__ import annotations

import json

import click

from orchestrator.cli.reading import services
from orchestrator.services import Services
from orchestrator.store.forgetting import MARK_DAYS, forget
from orchestrator.transcripts import sink
from orchestrator.transcripts.archive import Archive
from orchestrator.transcripts.batch_forget import remove_call
from orchestrator.web.context import CALL_SID


@click.command()
@click.argument("call_sid")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="For programs; needs --yes.")
def command(call_sid: str, *, yes: bool, as_json: bool) -> None:
    """Erase a call for good: transcript, timeline, archive document and exported utterances; the sink is told.

    Words that arrive later are not kept either. When the archive cannot be changed, run it again.
    """
    if not CALL_SID.match(call_sid):
        raise click.BadParameter("must be a Call SID: CA and 32 digits or letters a-f", param_hint="CALL_SID")
    if as_json and not yes:
        raise click.UsageError("--json cannot ask; say --yes, too.")
    built = services()
    sid = _found(built, call_sid)
    if not yes:
        click.confirm(f"Erase {sid} for good?", abort=True)
    erased = _erase(built, sid)
    if as_json:
        told = {"sink_will_be_told": bool(built.settings.sink_url), "words_not_kept_for_days": MARK_DAYS}
        click.echo(json.dumps({"call_sid": sid, **erased, **told}))
        return
    click.echo(f"Redis: {'erased' if erased['redis'] else 'nothing there'}")
    click.echo(f"Archive: {erased['archive']} erased" if erased["archive"] else "Archive: nothing there")
    if built.settings.archive_url:
        lines = erased["exported_utterances"]
        click.echo(f"Exported days: {lines} utterances erased" if lines else "Exported days: nothing there")
    if built.settings.sink_url:
        click.echo("Sink: the workers tell it (call.forgotten)")
    click.echo(f"Words of {sid} that arrive within {MARK_DAYS} days are not kept.")


def _erase(built: Services, sid: str) -> dict[str, int]:
    """How much there was, by place. The sink is told even when the archive cannot be reached."""
    redis = int(forget(built.redis, built.store.keys, sid))
    sink.tell(built, sid)
    url = built.settings.archive_url
    archived = Archive(url).remove(sid) if url else 0
    exported = remove_call(f"{url.rstrip('/')}/batch", sid) if url else 0
    return {"redis": redis, "archive": archived, "exported_utterances": exported}


def _found(built: Services, sid: str) -> str:
    """The call's own SID, for a leg's may be given."""
    named = None if built.store.load(sid) else built.store.resolve("leg", sid)
    call = built.store.load(named or sid)
    if call is None:
        return named or sid
    if not call.is_ended:
        raise click.ClickException(f"{call.call_sid} is still going on; erase it when it has ended")
    return call.call_sid
