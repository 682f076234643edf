"""The REST API: phone numbers, applications and the account itself (what a set-up needs)."""

from typing import TYPE_CHECKING

from aiohttp import web

from orchestrator.emulators.twilio import answers
from orchestrator.emulators.twilio.answers import NUMBER_SETTINGS, RestError, not_found, setting_name
from orchestrator.emulators.twilio.formats import sid
from orchestrator.emulators.twilio.keys import ACCOUNT, FORM, Form
from orchestrator.emulators.twilio.model import Number

if TYPE_CHECKING:
    from orchestrator.emulators.twilio.account import Account


async def read_account(request: web.Request) -> web.Response:
    account = request.app[ACCOUNT]
    body = {"sid": account.sid, "friendly_name": "emulated", "status": "active", "type": "Full"}
    return web.json_response(body | {"uri": f"{account.path}.json"})


async def list_numbers(request: web.Request) -> web.Response:
    account, wanted = request.app[ACCOUNT], request.query.get("PhoneNumber", "")
    found = [number for number in account.numbers.values() if wanted in number.phone_number]
    rows = [answers.number(account, number) for number in found]
    return answers.page(account, request, "IncomingPhoneNumbers", "incoming_phone_numbers", rows)


def number_of(request: web.Request) -> Number:
    for number in request.app[ACCOUNT].numbers.values():
        if number.sid == request.match_info["number"]:
            return number
    raise not_found(request.path)


async def read_number(request: web.Request) -> web.Response:
    return web.json_response(answers.number(request.app[ACCOUNT], number_of(request)))


async def update_number(request: web.Request) -> web.Response:
    number, given = number_of(request), _settings(request[FORM])
    after = number.settings | given
    if after.get("voice_fallback_url") and not after.get("voice_url"):
        raise RestError(400, 21405, "VoiceFallbackUrl needs a VoiceUrl")
    number.settings.update(given)
    return web.json_response(answers.number(request.app[ACCOUNT], number))


async def list_applications(request: web.Request) -> web.Response:
    account, wanted = request.app[ACCOUNT], request.query.get("FriendlyName")
    rows = [
        _application(account, key)
        for key, values in account.applications.items()
        if wanted in {None, values.get("friendly_name")}
    ]
    return answers.page(account, request, "Applications", "applications", rows)


async def create_application(request: web.Request) -> web.Response:
    account, key = request.app[ACCOUNT], sid("AP")
    account.applications[key] = _settings(request[FORM])
    return web.json_response(_application(account, key), status=201)


async def update_application(request: web.Request) -> web.Response:
    account, key = request.app[ACCOUNT], request.match_info["application"]
    if key not in account.applications:
        raise not_found(request.path)
    account.applications[key].update(_settings(request[FORM]))
    return web.json_response(_application(account, key))


def _settings(form: Form) -> dict[str, str]:
    given = {setting_name(name): value for name, value in form.items()}
    return {name: value for name, value in given.items() if name in NUMBER_SETTINGS}


def _application(account: "Account", key: str) -> answers.Json:
    values = account.applications[key]
    uri = f"{account.path}/Applications/{key}.json"
    return {"sid": key, "account_sid": account.sid, "uri": uri, **dict.fromkeys(NUMBER_SETTINGS, ""), **values}
