"""`/console`: what an operator of the floor sees and may do. Server-rendered pages, brought up to date by events.

Sign-in is by name (`CONSOLE_USERS`); whoever signs in may look at everything and act on any call, and all of that is
written down under that name (`store/audit.py`). Buttons are events of the call like those of the desktop's API: a page
calls no vendor. Without users there is no console: every path is 404.
"""

from orchestrator.web.console.pages import register

__all__ = ["register"]
