"""What a fault rule may name: each REST resource, each kind of webhook, and the media stream's connection."""

from typing import Final

REST: Final = frozenset(
    {
        "account-read",
        "call-create",
        "calls-read",
        "call-read",
        "call-update",
        "stream-create",
        "stream-stop",
        "conferences-read",
        "conference-read",
        "conference-update",
        "participants-read",
        "participant-create",
        "participant-read",
        "participant-update",
        "participant-delete",
        "numbers-read",
        "number-read",
        "number-update",
        "applications-read",
        "application-create",
        "application-update",
        "workspaces-read",
        "workspace-read",
        "workspace-update",
        "workflows-read",
        "workflow-read",
        "unknown",  # any other path
    }
)
WEBHOOKS: Final = frozenset(
    {
        "voice",
        "voice-fallback",
        "redirect",  # <Redirect>
        "call-redirect",  # a REST update
        "call-instruction",
        "call-status",
        "conference-status",
        "dial-action",
        "enqueue-action",
        "gather-action",
        "hold-music",
        "stream-status",
        "taskrouter-event",
        "whisper",
    }
)
OPERATIONS: Final = REST | WEBHOOKS | {"stream-dial"}
