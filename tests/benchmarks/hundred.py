"""A hundred people answering at once on one machine, on SQLite and on PostgreSQL: how long they wait, and that nothing fails.

`python -m tests.benchmarks.hundred [--people 100] [--seconds 300] [--database sqlite|postgresql]` serves a trial by a
process of its own. Each person types a code, agrees, reads each page for one to two seconds, sends the answers, and is
followed by the next with a code of their own. Writes docs/benchmarks-people.md.
"""

import argparse
import math
import os
import platform
import random
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from pathlib import Path

from sqlalchemy import func, select

from evalapp import assets, config, db, schema
from evalapp.models import Response
from evalapp.vault import Vault
from tests import make, servers
from tests.journeys.walker import Answer, Walker, filled

ROOT = Path(__file__).resolve().parents[2]
PAGE_GOAL, SUBMIT_GOAL = 0.5, 1.0  # seconds, of the slowest one in a hundred
KINDS = ("typing a code", "a page", "saving a page", "sending the answers")
ARRIVING = 15  # seconds in which everybody types their first code, as people in one room do
SECONDS_A_PERSON = 14  # about: so many cards are made


@dataclass
class Seen:
    """What the people met: seconds by kind of request, what failed, and how many were told that theirs arrived."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    failures: list[str] = field(default_factory=list)
    receipts: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, kind: str, took: float, fault: str) -> None:
        with self.lock:
            self.seconds[kind].append(took)
            if fault:
                self.failures.append(fault)


class GivenUp(Exception):
    """A request failed: the next person takes over."""


@dataclass
class Somebody:
    """One person after another on one device."""

    port: int
    seen: Seen
    rng: random.Random
    ends: float

    def ask(self, kind: str, walker: Walker, path: str, fields: list[tuple[str, str]] | None, wanted: int) -> Answer:
        began, fault, answer = time.perf_counter(), "", Answer(0, "", "")
        try:
            answer = walker.get(path) if fields is None else walker.post(path, fields)
            if answer.status != wanted:
                fault = f"{path}: {answer.status}"
        except (OSError, HTTPException) as error:
            fault = f"{path}: {type(error).__name__}"
        self.seen.note(kind, time.perf_counter() - began, fault)
        if fault:
            raise GivenUp(fault)
        return answer

    def reads(self) -> None:
        time.sleep(1 + self.rng.random())

    def answers(self, code: str) -> None:
        """From the code to the receipt; a pause at each page, none between a save and the page that follows."""
        walker = Walker(self.port)
        self.ask("typing a code", walker, "/", [("code", code)], 303)
        form = self.ask("a page", walker, "/consent", None, 200).form("/consent")
        self.reads()
        self.ask("saving a page", walker, "/consent", filled(form, {"agreed": "yes"}), 303)
        address = self.ask("a page", walker, "/go", None, 303).location
        while address.startswith("/q/"):
            form = self.ask("a page", walker, address, None, 200).form(address)
            self.reads()
            if time.monotonic() > self.ends:
                return
            chosen = {name: self.rng.choice(offered) for name, offered in form.choices.items()}
            address = self.ask("saving a page", walker, address, filled(form, chosen), 303).location
        form = self.ask("a page", walker, "/check", None, 200).form("/check")
        self.reads()
        self.ask("sending the answers", walker, "/check", filled(form, {}, ("go", "send")), 303)
        if 'class="receipt"' in self.ask("a page", walker, "/done", None, 200).text:
            with self.seen.lock:
                self.seen.receipts += 1

    def work(self, cards: Iterator[str], arrives: float) -> None:
        time.sleep(arrives)
        while time.monotonic() < self.ends:
            with self.seen.lock:
                code = next(cards, None)
            if code is None:
                self.seen.failures.append("the cards ran out")
                return
            try:
                self.answers(code)
            except GivenUp:
                self.reads()


@dataclass(frozen=True)
class Found:
    """What one database gave."""

    database: str
    seen: Seen
    stored: int
    memory: int

    def slowest(self, kind: str) -> float:
        """The seconds that one request in a hundred takes longer than."""
        return percentile(self.seen.seconds[kind], 0.99)

    @property
    def holds(self) -> bool:
        pages = max(self.slowest("a page"), self.slowest("saving a page"))
        fast = pages <= PAGE_GOAL and self.slowest("sending the answers") <= SUBMIT_GOAL
        return fast and not self.seen.failures and self.stored >= self.seen.receipts > 0


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least this share of the values do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else math.nan


def run(database: str, url: str, folder: Path, people: int, seconds: float) -> Found:
    """Serve a new trial from one database and let so many people answer for so many seconds."""
    kept = config.new_secrets()
    vault, engine = Vault(kept["EVALAPP_ROOT_KEY"]), db.make_engine(url)
    schema.upgrade(engine)
    today = datetime.now(UTC)
    with db.writing(engine) as session:
        review = make.review(
            session, make.site(session, make.trial(session)), starts_on=today.date() + timedelta(days=5)
        )
        wanted = people * (2 + round(seconds / SECONDS_A_PERSON))
        places = [make.person(session, review) for _ in range(wanted)]
        cards = [str(make.card(session, one, vault, now=today)) for one in places]
        session.commit()
    assets.build(folder / "assets", quality=1)
    settings = {"EVALAPP_DATABASE_URL": url, "EVALAPP_ASSETS": str(folder / "assets"), "EVALAPP_HTTPS": "0"}
    server = servers.Server({**kept, **settings}, folder / "server.log")
    server.start()
    seen, ends, left = Seen(), time.monotonic() + seconds, iter(cards)
    arriving = min(ARRIVING, seconds / 4)
    workers = [
        threading.Thread(
            target=Somebody(server.port, seen, random.Random(number), ends).work,  # noqa: S311  (which answer, not a secret)
            args=(left, arriving * number / people),
        )
        for number in range(people)
    ]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    memory = peak_memory(server.pid)
    server.stop()
    with db.reading(engine) as session:
        stored = session.scalar(select(func.count()).select_from(Response).where(Response.state == "submitted")) or 0
    engine.dispose()
    return Found(database, seen, stored, memory)


def peak_memory(pid: int) -> int:
    """The most memory a process has held, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


@contextmanager
def served_from(database: str, folder: Path) -> Iterator[str]:
    with servers.postgresql() if database == "postgresql" else nullcontext(f"sqlite:///{folder / 'trial.db'}") as url:
        yield url


def table(found: list[Found], people: int, seconds: float) -> str:
    """The page that is written: what was met, beside the goals."""
    sqlite = f"SQLite {sqlite3.sqlite_version}, {db.sqlite_journal_mode()}"
    names = {"sqlite": sqlite, "postgresql": "PostgreSQL"}
    lines = [
        "# A hundred people at once",
        "",
        f"Written by `make load`: {people} people answered at once for {seconds:.0f} seconds, each reading a page for one to",
        "two seconds, on one machine that also ran them: one process of the app, durable commits. Times in milliseconds:",
        "half of the requests took no longer than the first number, 99 in 100 no longer than the second.",
        "",
        "| | " + " | ".join(names[one.database] for one in found) + " | goal |",
        "|---|" + "---|" * (len(found) + 1),
    ]
    goals = dict(zip(KINDS, ("–", "99 in 100 ≤ 500", "99 in 100 ≤ 500", "99 in 100 ≤ 1000"), strict=True))
    for kind in KINDS:
        cells = [
            f"{1000 * percentile(one.seen.seconds[kind], 0.5):.0f} · {1000 * one.slowest(kind):.0f}" for one in found
        ]
        lines.append(f"| {kind} | " + " | ".join(cells) + f" | {goals[kind]} |")
    rows = {
        "requests": [f"{sum(map(len, one.seen.seconds.values())):,}" for one in found],
        "questionnaires sent, and found in the database": [f"{one.seen.receipts:,}, {one.stored:,}" for one in found],
        "requests that failed": [str(len(one.seen.failures)) for one in found],
        "memory of the app, MiB": [str(one.memory) for one in found],
    }
    goal = {"requests that failed": "0", "questionnaires sent, and found in the database": "equal"}
    lines += [f"| {name} | " + " | ".join(cells) + f" | {goal.get(name, '–')} |" for name, cells in rows.items()]
    lines += ["", f"Python {platform.python_version()}, {os.cpu_count()} processors, {platform.machine()}.", ""]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), action="append")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks-people.md")
    asked = parser.parse_args()
    found = []
    for database in asked.database or ["sqlite", "postgresql"]:
        with tempfile.TemporaryDirectory() as name, served_from(database, Path(name)) as url:
            found.append(run(database, url, Path(name), asked.people, asked.seconds))
        for fault in sorted(set(found[-1].seen.failures)):
            print(f"{database}: {fault}")
    page = table(found, asked.people, asked.seconds)
    print(page)
    asked.out.write_text(page)
    return 0 if all(one.holds for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
