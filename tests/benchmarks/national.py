"""How fast pages are, and submits meanwhile, in a trial of a national size: a table and a picture of the growth.

`python -m tests.benchmarks.national [SIZE ...] [--database sqlite|postgresql]` fills a trial of each size, serves it by a
process of its own and looks at its pages as an evaluator does: first after the start, then after every submit (cold),
then without news (warm), then while people answer their questionnaires over HTTP, and last publishes a release. What
was measured before of other sizes stays in the account (`national.json`), so that sizes can be measured one at a time.
"""

import argparse
import json
import math
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from evalapp import assets, config, db, schema
from evalapp.models import Response
from evalapp.vault import Vault
from tests import make, servers
from tests.benchmarks.national_trial import SIZES, Filled, fill
from tests.journeys.walker import Walker, filled

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "response board": "/dashboard/national/responses",
    "board by review": "/dashboard/national/responses?by=review",
    "outcome": "/dashboard/national/outcomes/blame",
    "outcome of reviews": "/dashboard/national/outcomes/fidelity",
    "funder's page": "/funder/national",
    "questions": "/dashboard/national/questions",
    "a questionnaire": "/dashboard/national/questions/practitioner",
    "a scale": "/dashboard/national/questions/practitioner/BLG",
    "reliability": "/dashboard/national/questions/practitioner/BLG/reliability",
    "a question": "/dashboard/national/questions/practitioner/items/BLG1",
    "who did not answer": "/dashboard/national/missing",
}
# The goals are for these three; the others are measured beside them.
PROMISED = ("response board", "outcome", "funder's page")
WARM = {"10k": 1.0, "30k": 1.0, "100k": 1.0, "1M": 2.0}
COLD, SUBMIT, MEMORY = 3.0, 1.0, 1024  # seconds, seconds, MiB; cold up to 100,000 responses
CLIENTS, LOOKS = 3, 3
WAITING = 60 + len(PAGES)  # people who answer meanwhile, and one before each cold look
PATIENCE = 600.0  # seconds for one page
RESULTS = Path(__file__).with_name("national.json")
DOCS = ROOT / "docs"


WHY = """## What the profile says

- **Who sends, waits for the longest statement** on an SQLite file whose journal is deleted at each commit (libraries
  not mended of the WAL-reset fault): a commit needs every reader gone, and everyone behind it waits in turn. At 100,000
  responses the board was one statement of 0.7 s, and the 99th percentile of posts took 1.5 s (of 540 at a load of 2;
  2.3 s of 135 before), nearly all of it at `BEGIN IMMEDIATE` and at the commit. Tallies are now read some sites at a time
  (`responses.site_by_site`: a thousand places, 30 to 90 ms a statement); the numbers are the same, and so is the work.
  The same posts now take 0.46 s at a load of 4, and 1.2 s at 16. On PostgreSQL readers keep nobody waiting; there the parts are
  larger, and keep a statement under the half minute after which it is ended.
- **SQLite must not choose its own way in.** Without statistics (nothing runs `ANALYZE`) it takes all responses of a
  questionnaire for fewer than one site's and reads the trial once a site. The columns that lead it astray are named
  without their index; a test reads the plans.
- **A questionnaire's page** counts every answer of a family, 1.5 million at 100,000 responses, by sorting them on five
  keys: that is its time. Sorted a few sites at a time they stay in memory (1.9 s of processor instead of 2.9).
- **The outcome's warm page** was drawing 150 sites: 0.28 s of processor. What is drawn is kept: 0.01 s.
- **A release** was worked out inside the transaction that stores it, and all who sent waited. Now a reader works it
  out, the people are read once instead of four times, and a writer stores the finished row. At 1,000,000 responses it
  took 169 s of processor (882 s by the clock at a load of 13), and 770 MB or more in a process of its own; the server
  was not asked for one at that size. What it keeps of the people behind it is 47 MB there, so that column is read only
  by the next release.
- **At 1,000,000** the 99th percentile of posts was 1.5 s at a load of 6 and 3.2 s at 12 to 16: the goal of 1 s is
  missed. A site has 2,160 places there, whose statement takes about 80 ms of processor alone; a post that meets several
  of them waits for each. Parts smaller than a site are the next thing to try. PostgreSQL was not measured at that size:
  its filling was stopped for want of processor time. Pages not in the table were not looked at in that run; a
  questionnaire's page took 20 s of processor cold in the one before.
- **The machine was shared** by other work at many figures here (see each load): at a load of 13 and more the clock told
  five to seven times the processor's seconds. Goals missed by the clock there are listed as missed; at a load of 16 so
  were three of 100,000 responses on SQLite (board cold 4.7 s, outcome cold 6.6 s, posts 1.2 s), of which none is at 4.
- **Cold looks at 1,000,000** still count the whole trial after a single submit. A counter a site (the triggers know the
  site of a changed row) would let a look count only the sites with news; until then such a look costs what the table
  says.
"""


@dataclass
class Found:
    """What was measured of one trial. Seconds; memory in MiB (VmHWM of the serving process).

    processor : seconds of the serving process's own time for each page's cold look: what a busy machine does not change.
    load : the machine's load average when each part was measured.    published : seconds of the page that publishes.
    """

    size: str
    database: str
    filled: Filled
    fill_seconds: float
    started: dict[str, float] = field(default_factory=dict)
    cold: dict[str, float] = field(default_factory=dict)
    warm: dict[str, float] = field(default_factory=dict)
    posts: list[float] = field(default_factory=list)
    submits: list[float] = field(default_factory=list)
    processor: dict[str, float] = field(default_factory=dict)
    load: dict[str, float] = field(default_factory=dict)
    meanwhile: dict[str, list[float]] = field(default_factory=dict)
    received: int = 0
    stored: int = 0
    memory: int = 0
    published: float = 0.0
    memory_published: int = 0

    @property
    def missed(self) -> list[str]:
        """Which goals were not met, in words."""
        told = [
            f"{page} {how} {seconds[page]:.2f} s"
            for how, seconds, goal in (("warm", self.warm, WARM[self.size]), ("cold", self.cold, COLD))
            for page in PROMISED
            if seconds[page] > goal and not (how == "cold" and self.size == "1M")
        ]
        if self.posts and percentile(self.posts, 99) > SUBMIT:
            told.append(f"page saves and submits p99 {percentile(self.posts, 99):.2f} s")
        if self.received != self.stored:
            told.append(f"{self.received - self.stored} submits lost")
        most = max(self.memory, self.memory_published)
        return [*told, *([f"memory {most} MiB"] if most >= MEMORY else [])]


def percentile(values: list[float], share: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * share // 100)]


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'national.db'}"
        return
    with servers.postgresql() as url:
        yield url


def measure(size: str, kind: str) -> Found:
    with tempfile.TemporaryDirectory(prefix="evalapp-national-") as name, database(kind, Path(name)) as url:
        folder = Path(name)
        kept = config.new_secrets()
        engine = db.make_engine(url)
        schema.upgrade(engine)
        began = time.monotonic()
        made = fill(engine, SIZES[size], Vault(kept["EVALAPP_ROOT_KEY"]), now=datetime.now(UTC), waiting=WAITING)
        engine.dispose()
        found = Found(size, kind, made, time.monotonic() - began)
        return look_at(found, url, kept, folder)


def look_at(found: Found, url: str, kept: Mapping[str, str], folder: Path) -> Found:
    """Serve a filled database and measure it."""
    engine = db.make_engine(url)
    with db.writing(engine) as session:
        make.staff(session, "evaluator", now=datetime.now(UTC))
        session.commit()
        before = session.scalar(select(func.count()).select_from(Response).where(Response.state == "submitted")) or 0
    assets.build(folder / "assets", quality=1)
    settings = {"EVALAPP_DATABASE_URL": url, "EVALAPP_ASSETS": str(folder / "assets"), "EVALAPP_HTTPS": "0"}
    server = servers.Server({**kept, **settings}, folder / "server.log")
    server.start()
    try:
        cards = list(found.filled.cards)
        staff = sign_in(server.port)
        found.started = {page: seconds_of(staff, address) for page, address in PAGES.items()}
        found.load["looks"] = os.getloadavg()[0]
        for page, address in PAGES.items():
            participant = People(server.port, [cards.pop()], seed=len(cards))
            participant.walk(threading.Event())
            found.received += len(participant.submits)
            before_look = processor_of(server)
            found.cold[page] = seconds_of(staff, address)
            found.processor[page] = processor_of(server) - before_look
            found.warm[page] = statistics.median(seconds_of(staff, address) for _ in range(LOOKS))
        meanwhile(found, server.port, cards, staff)
        found.load["posts"] = os.getloadavg()[0]
        found.memory = peak_memory(server)
        found.published = publish(staff)
        found.memory_published = peak_memory(server)
    finally:
        server.stop()
    with db.reading(engine) as session:
        after = session.scalar(select(func.count()).select_from(Response).where(Response.state == "submitted")) or 0
    engine.dispose()
    found.stored = after - before
    return found


def meanwhile(found: Found, port: int, cards: list[str], staff: Walker) -> None:
    """People answer all the while the promised pages are looked at, each look after news."""
    done = threading.Event()
    groups = [People(port, cards[number::CLIENTS], seed=number) for number in range(CLIENTS)]
    threads = [threading.Thread(target=one.walk, args=(done,)) for one in groups]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for page in PROMISED:
            found.meanwhile.setdefault(page, []).append(seconds_of(staff, PAGES[page]))
    for one in groups:
        found.posts += one.posts
        found.submits += one.submits
        found.received += len(one.submits)


class People:
    """Some people answering one after another, each from the code to the receipt, with the time each post took."""

    def __init__(self, port: int, cards: list[str], seed: int) -> None:
        self._port, self._cards, self._rng = port, cards, random.Random(seed)  # noqa: S311  (which answer, not a secret)
        self.posts: list[float] = []
        self.submits: list[float] = []

    def walk(self, done: threading.Event) -> None:
        for card in self._cards:
            if done.is_set():
                return
            walker = Walker(self._port, PATIENCE)
            expect(walker.enter(card).status == 303, "the door did not open")
            form = walker.get("/consent").form("/consent")
            self._post(walker, "/consent", filled(form, {"agreed": "yes"}))
            address = walker.get("/go").location
            while address.startswith("/q/"):
                form = walker.get(address).form(address)
                chosen = {
                    name: self._rng.choice([one for one in offered if one.isdigit()])
                    for name, offered in form.choices.items()
                    if any(one.isdigit() for one in offered)
                }
                address = self._post(walker, address, filled(form, chosen))
                time.sleep(0.02)
            form = walker.get(address).form("/check")
            began = time.perf_counter()
            self._post(walker, "/check", filled(form, {}, ("go", "send")))
            self.submits.append(time.perf_counter() - began)

    def _post(self, walker: Walker, address: str, fields: list[tuple[str, str]]) -> str:
        began = time.perf_counter()
        answer = walker.post(address, fields)
        self.posts.append(time.perf_counter() - began)
        expect(answer.status == 303, f"{address} answered {answer.status}")
        return answer.location


def expect(condition: bool, told: str) -> None:
    if not condition:
        raise RuntimeError(told)


def sign_in(port: int) -> Walker:
    walker = Walker(port, PATIENCE)
    form = walker.get("/staff/sign-in").form("/staff/sign-in")
    answer = walker.post(
        "/staff/sign-in", filled(form, {"email": "evaluator@example.org", "password": make.PASSWORD}, ("go", "in"))
    )
    expect(answer.status == 303, "the evaluator could not sign in")
    return walker


def seconds_of(walker: Walker, address: str) -> float:
    began = time.perf_counter()
    answer = walker.get(address)
    expect(answer.status == 200, f"{address} answered {answer.status}")
    return time.perf_counter() - began


def publish(walker: Walker) -> float:
    """Seconds until the next release is published (or found to say nothing new, which is as much work)."""
    address = "/dashboard/national/releases"
    form = walker.get(address).form(address)
    began = time.perf_counter()
    answer = walker.post(address, filled(form, {"sure": "yes"}))
    expect(answer.status == 303, f"publishing answered {answer.status}")
    return time.perf_counter() - began


def processor_of(server: servers.Server) -> float:
    """Seconds of processor time the serving process has taken."""
    told = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def peak_memory(server: servers.Server) -> int:
    """MiB of the serving process at its highest, by the kernel's own count."""
    for line in Path(f"/proc/{server.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    raise RuntimeError("the kernel does not say how much memory the server took")


def report(found: list[Found]) -> str:
    """The whole account, as Markdown."""
    lines = [
        "# How fast a national trial is", "",
        "Written by `python -m tests.benchmarks.national`: a trial of 150 sites filled from a seed with every row that a submit",
        "leaves, served by one process (waitress, 8 threads) on this machine of two shared cores, looked at over HTTP by an",
        "evaluator. Cold: the first look after a submit. Warm: the median of three looks without news. Started: the first look",
        "after the server's start, which loads the statistics. Processor: the server's own seconds for the cold look, which",
        "other work on the machine does not lengthen. Meanwhile: the median look while people answer. Posts are page saves and",
        "submits of three people at a time while the promised pages are looked at without a pause, each look cold. All in",
        "seconds; the load is the machine's load average of a minute, where two keeps both cores busy.", "",
        "![Seconds a look by responses in the trial](pictures/national.svg)", "",
        WHY,
    ]  # fmt: skip
    for one in found:
        made = one.filled
        lines += [
            f"## {one.size} responses, {'SQLite' if one.database == 'sqlite' else 'PostgreSQL'}", "",
            f"{made.sites} sites, {made.reviews:,} reviews, {made.people:,} people, {made.assignments:,} questionnaires asked, "
            f"{made.responses:,} responses, {made.answers:,} answers"
            f"{'' if SIZES[one.size].every_answer else ' (only those the promised pages read)'}, {made.scores:,} scores; "
            f"filled in {one.fill_seconds:.0f} s.", "",
            "| page | started | cold | processor | warm | meanwhile |", "| --- | --- | --- | --- | --- | --- |",
            *(f"| {page} | {one.started[page]:.2f} | {one.cold[page]:.2f} | {one.processor[page]:.2f} | "
              f"{one.warm[page]:.2f} | {told(one.meanwhile.get(page))} |" for page in PAGES if page in one.cold), "",
            f"{len(one.posts)} posts meanwhile: median {percentile(one.posts, 50):.3f}, p99 {percentile(one.posts, 99):.3f}, "
            f"longest {max(one.posts):.3f}; of them {len(one.submits)} submits, longest {max(one.submits):.3f}. "
            f"{one.received} receipts, {one.stored} stored. The server's memory at its highest: {one.memory} MiB. "
            f"{release_of(one)}"
            f"Load: {one.load['looks']:.1f} at the looks, {one.load['posts']:.1f} at the posts.", "",
            f"Goals not met: {'; '.join(one.missed) or 'none'}.", "",
        ]  # fmt: skip
    return "\n".join(lines)


def release_of(one: Found) -> str:
    """What publishing took; at a size where it was not asked of the server, nothing."""
    if not one.published:
        return ""
    return f"Publishing a release took {one.published:.1f} s and {one.memory_published} MiB at the highest. "


def told(seconds: list[float] | None) -> str:
    return f"{statistics.median(seconds):.2f}" if seconds else ""


def picture(found: list[Found]) -> str:
    """Seconds of the promised pages, cold and warm, by the number of responses; both axes logarithmic."""
    width, height, left, top = 720, 420, 70, 30
    wide, tall = 420, 330
    ends, least, most = (4.0, 6.0), -2.0, 1.5

    def at(responses: float, seconds: float) -> tuple[float, float]:
        across = (math.log10(responses) - ends[0] + 0.1) / (ends[1] - ends[0] + 0.2)
        up = (max(math.log10(seconds), least) - least) / (most - least)
        return left + wide * across, top + tall * (1 - up)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'aria-label="Seconds a look by responses in the trial" font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for seconds in (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30):
        _, y = at(10_000, seconds)
        parts.append(f'<path d="M{left} {y:.1f}H{left + wide}" stroke="#d9e0e0"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#47595f">{seconds:g} s</text>')
    for count, label in ((10_000, "10,000"), (30_000, "30,000"), (100_000, "100,000"), (1_000_000, "1,000,000")):
        x, _ = at(count, 1)
        parts.append(f'<text x="{x:.1f}" y="{top + tall + 20}" text-anchor="middle" fill="#47595f">{label}</text>')
    parts.append(
        f'<text x="{left + wide / 2}" y="{top + tall + 44}" text-anchor="middle" fill="#16262b">responses in the trial</text>'
    )
    colours = {"response board": "#0b5f66", "outcome": "#a85a00", "funder's page": "#43506b"}
    place = 0
    for kind in dict.fromkeys(one.database for one in found):
        for page, colour in colours.items():
            for how, dash in (("cold", "6 4"), ("warm", "")):
                points = [at(one.filled.responses, getattr(one, how)[page]) for one in found if one.database == kind]
                if not points:
                    continue
                thin = 2 if kind == "sqlite" else 1
                path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
                look = f'stroke="{colour}" stroke-width="{thin}"' + (f' stroke-dasharray="{dash}"' if dash else "")
                parts.append(f'<polyline points="{path}" fill="none" {look}/>')
                parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{thin + 1}" fill="{colour}"/>' for x, y in points]
                y = top + 12 + 22 * place
                parts.append(f'<path d="M{left + wide + 20} {y}h28" {look}/>')
                name = "SQLite" if kind == "sqlite" else "PostgreSQL"
                parts.append(f'<text x="{left + wide + 54}" y="{y + 4}" fill="#16262b">{page}, {how}, {name}</text>')
                place += 1
    return "\n".join([*parts, "</svg>", ""])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", default=["10k", "30k", "100k"], choices=[*SIZES])
    parser.add_argument("--database", nargs="*", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    asked = parser.parse_args()
    missed = False
    for kind in asked.database:
        for size in asked.sizes:
            one = measure(size, kind)
            keep(one)
            missed = missed or bool(one.missed)
            sys.stdout.write(f"{size} on {kind}: {'; '.join(one.missed) or 'every goal met'}\n")
            sys.stdout.flush()
    return 1 if missed else 0


def keep(one: Found) -> None:
    """Put what was measured beside what was measured before, and write the account anew."""
    found = {(each.database, each.size): each for each in measured()}
    found[one.database, one.size] = rounded(one)
    ordered = [found[kind, size] for kind in ("sqlite", "postgresql") for size in SIZES if (kind, size) in found]
    RESULTS.write_text(json.dumps([asdict(each) for each in ordered], indent=1) + "\n")
    (DOCS / "benchmarks-national.md").write_text(report(ordered))
    (DOCS / "pictures" / "national.svg").write_text(picture(ordered))


def measured() -> list[Found]:
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    return [Found(**{**one, "filled": Filled(**one["filled"])}) for one in kept]


def rounded(one: Found) -> Found:
    """What is kept of it: milliseconds, and no codes."""

    def short(value: object) -> object:
        if isinstance(value, float):
            return round(value, 3)
        if isinstance(value, list):
            return [short(each) for each in value]
        return {key: short(each) for key, each in value.items()} if isinstance(value, dict) else value

    facts = {name: short(value) for name, value in vars(one).items() if name != "filled"}
    return Found(filled=replace(one.filled, cards=()), **facts)  # type: ignore[arg-type]


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.exit(main())
