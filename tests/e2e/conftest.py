"""The sites that the stories share: one as the Procfile deploys it, one as `orchestrator serve`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.e2e.harness import OnEachSite, Site
from tests.e2e.unconfirmed import SWITCHED

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


@pytest.fixture(scope="session")
def flipped_site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """The Procfile's, with every point that the vendors leave open set the other way."""
    yield from _switched(request, "flipped")


@pytest.fixture(scope="session")
def third_site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """The Procfile's, with the third way of the points that have one."""
    yield from _switched(request, "third")


@pytest.fixture(scope="session")
def on_each_site(site: Site, flipped_site: Site, third_site: Site) -> OnEachSite:
    """Run a story on the Procfile's site with each set of `unconfirmed`, side by side; all its faults are told."""
    return partial(_side_by_side, dict(zip(SWITCHED, (site, flipped_site, third_site), strict=True)))


@pytest.fixture(scope="session")
def on_every_site(site: Site, serve_site: Site, flipped_site: Site, third_site: Site) -> OnEachSite:
    """The same, and on `orchestrator serve` too."""
    names = (*SWITCHED, "serve")
    return partial(_side_by_side, dict(zip(names, (site, flipped_site, third_site, serve_site), strict=True)))


def _side_by_side(named: Mapping[str, Site], story: Callable[[Site], None]) -> None:
    with ThreadPoolExecutor() as pool:
        running = {pool.submit(story, each): name for name, each in named.items()}
        faults = {name: fault for done, name in running.items() if (fault := done.exception())}
    for name, fault in faults.items():
        fault.add_note(f"on the site {name!r}; failed: {', '.join(faults)}")
    for fault in faults.values():
        raise fault


def _switched(request: pytest.FixtureRequest, name: str) -> Iterator[Site]:
    with Site(switched=SWITCHED[name]) as running:
        request.session.stash.setdefault(SITES, []).append(running)
        yield running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the processes' logs beside a failure."""
    report = yield
    if report.failed:
        for each in item.session.stash.get(SITES, []):
            if each.layout in item.name or each.layout == "procfile":
                report.sections.append((f"processes ({each.layout})", each.logs()))
    return report
