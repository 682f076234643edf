"""Where the application and its requests keep what handlers need."""

from aiohttp import web
from multidict import MultiDict

from orchestrator.emulators.twilio.account import Account

Form = MultiDict[str]
ACCOUNT = web.AppKey("account", Account)
FORM = web.RequestKey("form", Form)  # set by `app` before a handler runs
