"""`python -m tests.soak --seconds 600 --seed 7 --calls-per-minute 60`: exit 1 when a zero is not zero."""

from __future__ import annotations

import argparse
import resource
import sys
from pathlib import Path

from tests.soak.run import soak


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--calls-per-minute", type=float, default=60)
    parser.add_argument("--patience", type=float, default=100, help="seconds until all must have converged")
    parser.add_argument(
        "--layout", choices=["procfile", "serve"], default="procfile", help="serve: all in one process, vendors' faults"
    )
    parser.add_argument("--keep", type=Path, help="folder to copy logs and Redis's data to")
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # every caller is a thread with connections of its own
    report = soak(
        seconds=given.seconds,
        seed=given.seed,
        calls_per_minute=given.calls_per_minute,
        patience_s=given.patience,
        layout=given.layout,
        keep=given.keep,
    )
    sys.stdout.write(f"{report.text()}\n")
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
