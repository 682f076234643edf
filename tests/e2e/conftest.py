"""The sites that the stories share: one as the Procfile deploys it, one as `orchestrator serve`."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.e2e.harness import Site

SITES = pytest.StashKey[list[Site]]()


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """`web` and `worker` of the Procfile over a real Redis."""
    with Site() as running:
        request.session.stash.setdefault(SITES, []).append(running)
        yield running


@pytest.fixture(scope="session")
def serve_site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """`orchestrator serve` with its own store."""
    with Site("serve") as running:
        request.session.stash.setdefault(SITES, []).append(running)
        yield running


@pytest.fixture(params=["procfile", "serve"])
def any_site(request: pytest.FixtureRequest) -> Site:
    """Each of the two in turn."""
    found: Site = request.getfixturevalue("site" if request.param == "procfile" else "serve_site")
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the processes' logs beside a failure."""
    report = yield
    if report.failed:
        for each in item.session.stash.get(SITES, []):
            if each.layout in item.name or each.layout == "procfile":
                report.sections.append((f"processes ({each.layout})", each.logs()))
    return report
