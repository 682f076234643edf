# One image for every process type: `docker build -t orchestrator .`; compose.yaml runs it.
# The first stage has pip and the sources, the second only what runs.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /venv
COPY requirements.txt ./
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt
COPY . ./
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps . && /venv/bin/pip uninstall --yes pip
RUN /venv/bin/orchestrator init /app

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin orchestrator && install -d -o 10001 /archive
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
USER 10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ.get('PORT', '8000')}/healthz\", timeout=2)"]
CMD ["gunicorn", "--config", "config/gunicorn.py", "orchestrator.web:create_app()"]
