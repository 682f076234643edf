"""Looks for what keeps people out of a page, by the rules of axe-core (WCAG 2.2 A and AA, and good practice)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

_AXE = Path(__file__).parent / "axe" / "node_modules" / "axe-core" / "axe.min.js"


@cache
def _axe() -> str:
    assert _AXE.exists(), "axe-core is missing: make tests/browser/axe/node_modules/.installed"
    return _AXE.read_text(encoding="utf-8")


def barriers(page: Page) -> list[str]:
    """What axe objects to on the page as it is now, each with where it is; none on a page that is well made."""
    page.evaluate(_axe())
    found: dict[str, Any] = page.evaluate("axe.run(document)")
    assert found["passes"], "axe has looked at something"
    return [
        f"{each['impact']} {each['id']}: {node['target']} {node['html'][:150]}"
        for each in found["violations"]
        for node in each["nodes"]
    ]
