"""One soak: calls arrive at random, troubles come and go, then both end and everything is judged."""

from __future__ import annotations

import contextlib
import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

from orchestrator.store.connect import connect
from orchestrator.store.keys import Keys
from orchestrator.store.queue import DueQueue
from orchestrator.store.reading import CallReader
from tests.soak.callers import Caller
from tests.soak.judgement import Evidence, Verdict, by_call
from tests.soak.lateness import Lateness
from tests.soak.memory import Memory
from tests.soak.site import SoakSite
from tests.soak.troubles import Troubles

_LOOK_S = 0.5
_SHOWN = 12
_EXCEPTION_SHOWN = 300


@dataclass
class Report:
    """What a soak found; `is_good` when every figure that must be zero is zero."""

    seconds: float
    seed: int
    calls: int
    faults: Counter[str]
    verdicts: dict[str, Verdict]
    leases_left: int
    due_left: int
    audio_late_s: float
    memory_mb: list[float]
    """Of all the service's processes together, once a second."""
    converged_in_s: float
    failures: list[str] = field(default_factory=list)
    exceptions: list[str] = field(default_factory=list)

    @property
    def zeros(self) -> dict[str, int]:
        verdicts = self.verdicts.values()
        return {
            "events lost": sum(len(each.lost) for each in verdicts),
            "unwanted frames heard outside the budget": sum(each.unwanted_frames for each in verdicts),
            "calls not converged": sum(bool(each.unconverged) for each in verdicts),
            "leases left": self.leases_left,
            "calls still due": self.due_left,
            "callers dropped": sum(bool(each.dropped) for each in verdicts),
            "exceptions in our processes": len(self.exceptions),
            "faults that could not be made": len(self.failures),
        }

    @property
    def is_good(self) -> bool:
        return self.calls > 0 and not any(self.zeros.values())

    def text(self) -> str:
        silence = [s for each in self.verdicts.values() for s in each.silence_s]
        gaps = [s for each in self.verdicts.values() for s in each.gap_s]
        lines = [
            f"soak of {self.seconds:.0f} s, seed {self.seed}: {self.calls} calls, {self.faults.total()} faults",
            *(f"  {count:5}  {name}" for name, count in sorted(self.faults.items())),
            "must be 0:",
            *(f"  {count:5}  {name}" for name, count in self.zeros.items()),
            f"informed of a pause until silence, s: {_percentiles(silence)}",
            f"transcription missing after a failure, s: {_percentiles(gaps)}",
            f"all calls converged {self.converged_in_s:.1f} s after the last one ended",
            f"the emulated audio ran late by {self.audio_late_s:.1f} s at most",
            f"memory of the service's processes, MB: {_growth(self.memory_mb)}",
            *(f"fault not made: {failure}" for failure in self.failures),
            *self.exceptions[:_SHOWN],
        ]
        bad = {sid: each for sid, each in self.verdicts.items() if self._is_bad(each)}
        for sid, each in list(bad.items())[:_SHOWN]:
            lines.append(
                f"{sid}: lost {each.lost}, unwanted {each.unwanted}, {each.unconverged}, dropped {each.dropped!r}"
            )
        return "\n".join(lines)

    @staticmethod
    def _is_bad(verdict: Verdict) -> bool:
        return bool(verdict.lost or verdict.unwanted_frames or verdict.unconverged or verdict.dropped)


def _growth(values: list[float]) -> str:
    part = len(values) // 4
    if not part:
        return f"{len(values)} values"
    first, last = median(values[:part]), median(values[-part:])
    return f"most {max(values):.0f}, median of the first quarter {first:.0f}, of the last {last:.0f}"


def _percentiles(values: list[float]) -> str:
    if len(values) < 2:
        return f"{len(values)} values"
    cuts = quantiles(values, n=100, method="inclusive")
    return f"p50 {cuts[49]:.2f}, p95 {cuts[94]:.2f}, p99 {cuts[98]:.2f}, most {max(values):.2f} ({len(values)} values)"


def soak(
    *,
    seconds: float,
    seed: int,
    calls_per_minute: float,
    patience_s: float,
    layout: str = "procfile",
    keep: Path | None = None,
) -> Report:
    """Run one. `patience_s`: how long everything may take to converge once faults and calls have ended."""
    with SoakSite(layout) as site:
        try:
            return _soak(site, seconds, seed, calls_per_minute, patience_s)
        finally:
            if keep is not None:
                shutil.copytree(site.folder, keep, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock"))


def _soak(site: SoakSite, seconds: float, seed: int, calls_per_minute: float, patience_s: float) -> Report:
    rng = random.Random(seed)  # noqa: S311  a repeatable run
    troubles = Troubles(site, seed)
    callers: list[Caller] = []
    threads: list[threading.Thread] = []
    lateness = Lateness(site, callers)
    memory = Memory(site)
    for watch in (troubles, lateness, memory):
        watch.start()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        caller = Caller(site, random.Random(f"{seed} call {len(callers)}"))  # noqa: S311  as above
        thread = threading.Thread(target=caller.play, daemon=True)
        thread.start()
        callers.append(caller)
        threads.append(thread)
        time.sleep(rng.expovariate(calls_per_minute / 60))
    troubles.stop()
    for thread in threads:
        thread.join()
    lateness.stop()
    memory.stop()
    callers = [caller for caller in callers if caller.sid]
    return _judged(site, callers, troubles, lateness, memory, seconds, patience_s)


def _judged(
    site: SoakSite,
    callers: list[Caller],
    troubles: Troubles,
    lateness: Lateness,
    memory: Memory,
    seconds: float,
    patience_s: float,
) -> Report:
    with contextlib.closing(connect(site.store_url())) as redis:
        store, queue = CallReader(redis, Keys()), DueQueue(redis, Keys())
        began = time.monotonic()
        while True:
            evidence = _evidence(site, store, troubles, lateness, {caller.sid for caller in callers})
            verdicts = {caller.sid: evidence.judge(caller) for caller in callers}
            state = queue.state(0)
            is_settled = not any(each.unconverged for each in verdicts.values()) and not state.leased and not state.due
            if is_settled or time.monotonic() - began > patience_s:
                break
            time.sleep(_LOOK_S)
        return Report(
            seconds=seconds,
            seed=troubles.seed,
            calls=len(callers),
            faults=troubles.counts,
            verdicts=verdicts,
            leases_left=state.leased,
            due_left=state.due + state.later,
            audio_late_s=lateness.most_s,
            memory_mb=memory.samples_mb,
            converged_in_s=time.monotonic() - began,
            failures=[f"{type(each).__name__}: {each}" for each in troubles.failures],
            exceptions=list(_exceptions(site)),
        )


def _exceptions(site: SoakSite) -> Iterator[str]:
    """Tracebacks that web and workers logged: what they expect, Redis away included, has none."""
    for process in site.processes:
        if process.name.partition("-")[0] not in {"web", "worker", "serve"}:
            continue
        for line in process.text().splitlines():
            if "Traceback" in line:
                yield f"{process.name}: ...{line[-_EXCEPTION_SHOWN:]}"


def _evidence(site: SoakSite, store: CallReader, troubles: Troubles, lateness: Lateness, sids: set[str]) -> Evidence:
    return Evidence(
        asapp={each["guid"]: each for each in site.asapp("calls")},
        twilio={each["sid"]: each for each in site.twilio("calls")},
        deliveries=by_call(site.twilio("deliveries"), sids),
        reads=site.twilio("requests", operation="participants-read"),
        outages=troubles.outages,
        forgotten=troubles.forgotten,
        store=store,
        lateness=lateness,
    )
