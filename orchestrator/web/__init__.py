"""The web application: Twilio's and ASAPP's webhooks, the desktop API, health.

Each view verifies, parses, applies, answers; what follows from an event is a worker's work.
"""

from orchestrator.web.application import create_app

__all__ = ["create_app"]
