"""An emulator of Twilio's voice platform: REST, TwiML, webhooks, conferences and media streams.

It refuses what the vendor refuses, signs what the vendor signs and makes sound that says of itself
what it is (`orchestrator.emulators.audio`). It imports nothing else of this project, so that it
cannot share its mistakes. What the vendor leaves open is a switch (`switches.py`).
"""
