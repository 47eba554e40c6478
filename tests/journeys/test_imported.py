"""A questionnaire brought in from each format, placed before a person of a test trial and answered without script."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page
from sqlalchemy import select

from evalapp import db
from evalapp.config import from_environment
from evalapp.exchange import fhir, limesurvey, redcap, xlsform
from evalapp.exchange.drafts import Imported
from evalapp.models import Site, Trial
from evalapp.vault import Vault
from instruments import Instrument, Item
from instruments.writing import write
from tests import make
from tests.exchange.builders import DICTIONARY, nested_questionnaire, new_survey, workbook
from tests.journeys import checks
from tests.journeys.conftest import Demo, Opener
from tests.journeys.test_questionnaires import CONTINUE, at_the_questions, give, kind_of, look, stored

pytestmark = pytest.mark.browser


@dataclass
class Case:
    read: Callable[..., Imported]
    raw: bytes
    languages: tuple[str, ...]


CASES = {
    "redcap": Case(redcap.read, DICTIONARY, ("en",)),
    "xlsform": Case(xlsform.read, workbook(), ("en", "cy")),
    "limesurvey": Case(limesurvey.read, new_survey(), ("en",)),
    "fhir": Case(fhir.read, nested_questionnaire(), ("en",)),
}


def placed(demo: Demo, instrument: Instrument, language: str) -> str:
    """The code of somebody new who is asked this, the instrument being in the copy's own folder."""
    write(instrument, demo.folder / "instruments")
    settings = from_environment({"EVALAPP_SECRETS": str(demo.folder / "settings.env")})
    engine = db.make_engine(settings.database_url)
    now = datetime.now(UTC)
    with db.writing(engine) as session:
        trial = session.scalars(select(Trial).where(Trial.kind == "demo")).one()  # another may have been brought in
        site = session.scalars(select(Site).where(Site.trial_id == trial.id).limit(1)).one()
        review = make.review(
            session, site, f"A review for {instrument.name} in {language}", starts_on=now.date() + timedelta(days=8)
        )
        person = make.person(session, review)
        assignment = make.assignment(session, person)
        assignment.instrument, assignment.version = instrument.name, instrument.version
        code = make.card(session, person, Vault(settings.root_key), now=now)
        session.commit()
    engine.dispose()
    return str(code)


def answer_to(item: Item, place: int) -> Any:
    """Yes to every yes-or-no question, and the last but one of the other answers."""
    if item.kind == "several":
        return list(item.codes[-2:])
    if item.kind == "yes_no":
        return "yes"
    if item.codes:
        return item.codes[place % len(item.codes)]
    if item.kind == "number":
        return math.ceil(item.minimum or 3)  # type: ignore[arg-type]
    return {"date": "2026-02-03", "short_text": "Ŵyr", "long_text": "Da iawn"}[item.kind]


def stands(page: Page, item: Item) -> bool:
    """Whether an item is on the page; of information that hangs on an answer, its words say so."""
    if item.kind != "information":
        return page.locator(f"[name='a-{item.code}'], [name^='a-{item.code}-']").count() > 0
    return item.show_if is None or item.text in page.locator("main").inner_text()


def answered(page: Page, instrument: Instrument, see: Callable[[list[Item]], None]) -> dict[str, Any]:
    """Every question answered, page by page, as it is shown; what was given."""
    expected: dict[str, Any] = {}
    places = {item.code: place for place, item in enumerate(instrument.items)}
    for _ in range(40):
        if "/q/" not in page.url:
            return expected
        number = int(page.url.rsplit("/", 1)[1])
        shown = [instrument.item(code) for code in instrument.pages[number - 1].items]
        shown = [item for item in shown if stands(page, item)]
        see(shown)
        for item in shown:
            if item.kind != "information":
                expected[item.code] = answer_to(item, places[item.code])
                give(page, item, expected[item.code])
        # the same page comes back where an answer made another question appear on it
        checks.go_on(page, page.locator("main form button[value='next']"))
    raise AssertionError(f"it never ends: {page.url}")


@pytest.mark.parametrize(("name", "language"), [(name, one) for name, case in CASES.items() for one in case.languages])
def test_a_questionnaire_brought_in_is_answered_and_stored_as_given(
    demo: Demo, open_page: Opener, name: str, language: str
) -> None:
    case = CASES[name]
    made = case.read(case.raw, name=name).instruments[0]
    instrument = made.in_language(language)
    code = placed(demo, made, language)
    page, watch = open_page()
    wire = checks.Wire(page)
    at_the_questions(demo, page, watch, wire, code, language)

    def see(shown: list[Item]) -> None:
        look(page, watch, wire, kind_of(shown, language))
        words = page.locator("main").inner_text()
        assert [item.code for item in shown if item.text.split("\n")[0] not in words] == []

    expected = answered(page, instrument, see)
    assert page.url.endswith("/check"), CONTINUE[language]
    checks.go_on(page, page.locator("main form button").last)
    assert page.url.endswith("/done")
    receipt = page.locator(".receipt").inner_text().strip()
    response, given, _ = stored(demo, receipt)
    assert (response.instrument, response.version, response.language) == (made.name, 1, language)
    assert given == expected
    assert len(expected) >= len([item for item in made.items if item.kind != "information"]) // 2
