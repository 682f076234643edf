"""gunicorn's configuration: `gunicorn --config config/gunicorn.py "orchestrator.web:create_app()"`.

Settings and profiles are checked here, before any worker starts, so that a bad configuration exits 2 with one message
(a failing application factory would exit 3 after a traceback). The values are in `orchestrator.web.server`.
"""

import sys

from orchestrator import log
from orchestrator.errors import ConfigurationError
from orchestrator.settings import Settings
from orchestrator.web.server import options

try:
    _settings = Settings.from_environment()
except ConfigurationError as error:
    print(error.message, file=sys.stderr)  # noqa: T201  logging is not configured yet
    sys.exit(2)
log.configure(_settings.log_format, _settings.log_level)

globals().update(options(_settings, workers=_settings.web_concurrency))
