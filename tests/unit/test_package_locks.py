"""The lock files of JavaScript packages: what is installed is fixed, where it comes from is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = sorted([*ROOT.glob("examples/*/package.json"), ROOT / "tests" / "browser" / "axe" / "package.json"])
LOCKS = [package.with_name("package-lock.json") for package in PACKAGES]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.parent.name)
def test_no_lock_names_a_registry(lock: Path) -> None:
    """Every package that is fetched has its checksum and no address: whoever installs asks the registry they use."""
    packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    fetched = {name: each for name, each in packages.items() if "node_modules/" in name and not each.get("link")}
    assert fetched
    assert all(each["integrity"].startswith("sha512-") for each in fetched.values())
    assert [each["resolved"] for each in packages.values() if "://" in each.get("resolved", "")] == []
