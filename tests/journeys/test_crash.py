"""Power cuts and impatience: what was acknowledged is there afterwards, once."""

import http.client
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from evalapp import assets, config, db, responses, schema
from evalapp.models import Membership, Response
from evalapp.vault import Vault
from tests import make
from tests.journeys.walker import Answer, Walker, filled
from tests.servers import Server

pytestmark = pytest.mark.crash

# A few cuts in every run of the tests; `make load` makes it fifty, with sixteen people at once.
CLIENTS, ROUNDS = int(os.environ.get("LOAD_CLIENTS", "8")), int(os.environ.get("LOAD_ROUNDS", "8"))


class Trial:
    """A trial of its own with people and cards, and the server over it."""

    def __init__(self, folder: Path, people: int) -> None:
        kept = config.new_secrets()
        self.vault = Vault(kept["EVALAPP_ROOT_KEY"])
        url = f"sqlite:///{folder / 'trial.db'}"
        self.engine = db.make_engine(url)
        schema.upgrade(self.engine)
        assets.build(folder / "assets", quality=1)
        today = datetime.now(UTC)
        with db.writing(self.engine) as session:
            site = make.site(session, make.trial(session))
            review = make.review(session, site, starts_on=today.date() + timedelta(days=5))
            places = [make.person(session, review) for _ in range(people)]
            self.cards = [(str(make.card(session, one, self.vault, now=today)), one.id) for one in places]
            session.commit()
        settings = {"EVALAPP_DATABASE_URL": url, "EVALAPP_ASSETS": str(folder / "assets"), "EVALAPP_HTTPS": "0"}
        self.server = Server({**kept, **settings}, folder / "server.log")

    def stored(self, membership_id: str) -> dict[str, object]:
        with db.reading(self.engine) as session:
            asked = make.assignment(session, session.get_one(Membership, membership_id))
            response = responses.of_assignment(session, asked.id)
            assert response is not None
            found = responses.answers(session, response.id, vault=self.vault)
        return {code: one.value for code, one in found.items()}


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Trial]:
    made = Trial(tmp_path, people=CLIENTS * 4)
    made.server.start()
    yield made
    made.server.stop()
    made.engine.dispose()


def persist(
    ask: Callable[[], Answer], stop: float = 240.0
) -> Answer:  # a busy machine takes its time to start a server
    """Ask until an answer comes, as a person with a poor connection does."""
    ends = time.monotonic() + stop
    while True:
        try:
            answer = ask()
            if answer.status < 500:
                return answer
        except (OSError, HTTPException):
            pass
        assert time.monotonic() < ends, "the server did not come back"
        time.sleep(0.05)


def begin(trial: Trial, code: str) -> tuple[Walker, str]:
    """From the code to the first page's address."""
    walker = Walker(trial.server.port)
    assert walker.enter(code).status == 303
    form = walker.get("/consent").form("/consent")
    assert walker.post("/consent", filled(form, {"agreed": "yes"})).status == 303
    return walker, walker.get("/go").location


def answer_page(walker: Walker, address: str, rng: random.Random) -> tuple[dict[str, int], str]:
    """Answer one page, however often it must be sent; returns what was acknowledged and what comes next."""
    while True:
        page = persist(lambda: walker.get(address))
        if page.status != 200:
            return {}, page.location
        form = page.form(address)
        chosen = {
            name: rng.choice([one for one in offered if one.isdigit()])
            for name, offered in form.choices.items()
            if any(one.isdigit() for one in offered)
        }
        fields = filled(form, chosen)
        sent = persist(lambda fields=fields: walker.post(address, fields))
        if sent.status == 303:
            return {name.removeprefix("a-"): int(value) for name, value in chosen.items()}, sent.location
        assert sent.status == 409, sent.text[:500]  # the page was saved before the cut: look at it again


def test_every_acknowledged_page_survives_every_power_cut(trial: Trial) -> None:
    acknowledged: dict[str, dict[str, int]] = {}
    receipts: dict[str, str] = {}
    waiting = [(*begin(trial, code), person) for code, person in trial.cards]
    lock, finished = threading.Lock(), threading.Event()
    served: list[str] = []  # a page acknowledged, whoever it was for

    def participant(number: int) -> int:
        rng, pages = random.Random(number), 0  # noqa: S311  (which answer, not a secret)
        while not finished.is_set():
            with lock:
                if not waiting:
                    return pages
                walker, address, person = waiting.pop()
            while address.startswith("/q/") and not finished.is_set():
                given, address = answer_page(walker, address, rng)
                acknowledged.setdefault(person, {}).update(given)
                pages += 1
                served.append(person)
                time.sleep(rng.random() * 0.1)
            if not address.startswith("/check"):
                continue
            form = persist(lambda walker=walker: walker.get("/check")).form("/check")
            sent = persist(lambda walker=walker, form=form: walker.post("/check", filled(form, {}, ("go", "send"))))
            assert sent.status == 303, sent.text[:500]
            receipts[person] = persist(lambda walker=walker: walker.get("/done")).text
        return pages

    rng = random.Random(1)  # noqa: S311
    with ThreadPoolExecutor(CLIENTS) as clients:
        working = [clients.submit(participant, number) for number in range(CLIENTS)]
        for _ in range(ROUNDS):
            # In the middle of the work, on a quick machine and on a busy one: some pages, then no matter when.
            wanted, longest = len(served) + 3, time.monotonic() + 20
            while len(served) < wanted and time.monotonic() < longest and waiting:
                time.sleep(0.05)
            time.sleep(rng.random() * 0.4)
            trial.server.kill()
            trial.server.start()
        time.sleep(1)
        finished.set()
        pages = sum(one.result() for one in working)
    assert pages > ROUNDS
    lost = [
        (person, code)
        for person, given in acknowledged.items()
        for code, value in given.items()
        if trial.stored(person).get(code) != value
    ]
    assert lost == []
    with db.reading(trial.engine) as session:
        assert session.scalar(text("PRAGMA integrity_check")) == "ok"
        per_assignment = select(func.count()).select_from(Response).group_by(Response.assignment_id)
        assert set(session.scalars(per_assignment)) == {1}
        stored = dict.fromkeys(session.scalars(select(Response.receipt).where(Response.receipt.is_not(None))))
    assert all(any(receipt in page for receipt in stored) for page in receipts.values())


def test_fifty_identical_submits_give_one_response_and_equal_receipts(trial: Trial) -> None:
    code, person = trial.cards[0]
    rng = random.Random(3)  # noqa: S311
    walker, address = begin(trial, code)
    while address.startswith("/q/"):
        _, address = answer_page(walker, address, rng)
    fields = filled(walker.get("/check").form("/check"), {}, ("go", "send"))
    with ThreadPoolExecutor(25) as clients:
        sent = list(clients.map(lambda _: walker.post("/check", fields), range(50)))
    assert {one.status for one in sent} == {303}
    with db.reading(trial.engine) as session:
        receipts = session.scalars(select(Response.receipt)).all()
    assert len(receipts) == 1
    assert receipts[0] is not None
    assert len({receipts[0] in walker.get("/done").text for _ in range(5)}) == 1
    assert receipts[0] in walker.get("/done").text
    assert trial.stored(person)


def test_a_server_asked_to_stop_finishes_what_is_under_way(trial: Trial) -> None:
    code, _ = trial.cards[0]
    entering = []
    for card, _ in trial.cards[1:4]:
        connection = http.client.HTTPConnection("127.0.0.1", trial.server.port, timeout=20)
        connection.request("POST", "/", f"code={card}", {"Content-Type": "application/x-www-form-urlencoded"})
        entering.append(connection)
    assert trial.server.stop() == 0
    assert [one.getresponse().status for one in entering] == [303, 303, 303]
    for one in entering:
        one.close()
    trial.server.start()
    assert Walker(trial.server.port).enter(code).status == 303
