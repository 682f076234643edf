"""Twilio: its words (`wire`), its documents (`twiml`), its signatures (`signature`) and its REST API (`client`).

Nothing outside this package knows Twilio's parameter names or error codes; no exception of the SDK's leaves it.
"""
