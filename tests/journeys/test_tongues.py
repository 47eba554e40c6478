"""Every page of every questionnaire in Polish and Arabic, drawn by the real templates and measured in one browser.

The walk of test_questionnaires.py, answer by answer, is in English and Welsh; what another language can change is how a page
is laid out, so here each page is laid out at the width of a small telephone, in the usual, the larger and twice the size of text.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, render_template, session
from playwright.sync_api import Browser, Page

from evalapp import create_app, languages
from evalapp.config import Settings
from evalapp.shelf import shelf
from evalapp.survey.forms import form_for
from instruments import Instrument
from tests.conftest import SECRETS
from tests.journeys import checks
from tests.journeys.conftest import DESKTOP, PHONE
from tests.survey.test_pages import drawn, misplaced

pytestmark = pytest.mark.browser
ASKED = [one for one in shelf() if one.asked]
TURNED = {"pl": "ltr", "ar": "rtl"}


@pytest.fixture(scope="module")
def pages_of(asset_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The app without a database: pages of questions alone are drawn."""
    return create_app(
        Settings(
            database_url=f"sqlite:///{tmp_path_factory.mktemp('none')}/none.db",
            secret_key=SECRETS["EVALAPP_SECRET_KEY"],
            root_key=SECRETS["EVALAPP_ROOT_KEY"],
            assets=asset_folder,
            languages=tuple(TURNED),
        )
    )


@pytest.fixture(scope="module")
def phone(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(java_script_enabled=False, viewport=PHONE)
    yield context.new_page()
    context.close()


def html_of(app: Flask, instrument: Instrument) -> Iterator[tuple[int, str]]:
    """Each page of a questionnaire as a participant gets it, every question of it shown."""
    for page in instrument.pages:
        with app.test_request_context(f"/q/{page.number}"):
            session["visit"] = "a visit"
            languages.choose(instrument.language, keep=True)
            items = tuple(instrument.item(code) for code in page.items)
            yield (
                page.number,
                render_template(
                    "survey/question.html",
                    page=page,
                    total=len(instrument.pages),
                    items=items,
                    form=form_for(items, dict(instrument.refusals)),
                    hidden=set(),
                    questions_in=instrument.language,
                    first=page.number == 1,
                ),
            )


@pytest.mark.parametrize("language", TURNED)
@pytest.mark.parametrize("instrument", ASKED, ids=lambda one: f"{one.name}-{one.version}")
def test_every_page_fits_a_small_telephone_in_letters_of_any_size(
    pages_of: Flask, asset_folder: Path, phone: Page, instrument: Instrument, language: str
) -> None:
    said = instrument.in_language(language).filled({"year": "2026"})
    for number, html in html_of(pages_of, said):
        drawn(phone, html, asset_folder)
        assert phone.evaluate("getComputedStyle(document.querySelector('main h1')).direction") == TURNED[language]
        assert phone.locator("fieldset").count() == phone.locator("fieldset > legend").count()
        for size in ("100%", "150%", "200%"):
            assert misplaced(phone, PHONE["width"], size) == [], (number, size)
        items = [said.item(code) for code in said.pages[number - 1].items]
        made = frozenset((one.kind, bool(one.pictures), bool(one.picture), bool(one.hint)) for one in items)
        checks.assert_accessible_once(phone, (language, "drawn", made))


def test_scales_and_pictures_are_mirrored_where_text_runs_from_the_right(
    pages_of: Flask, asset_folder: Path, browser: Browser
) -> None:
    context = browser.new_context(java_script_enabled=False, viewport=DESKTOP)
    page = context.new_page()
    places = {}
    for language in TURNED:
        said = shelf().latest("parent_easy_read_after").in_language(language)
        drawn(page, next(html for _, html in html_of(pages_of, said)), asset_folder)
        choices = page.locator("fieldset").first.locator(".row .choice")
        boxes = [one.bounding_box() for one in choices.all()]
        picture, legend = page.locator("legend svg").first.bounding_box(), page.locator("legend").first.bounding_box()
        assert picture is not None
        assert legend is not None
        places[language] = (
            [box["x"] for box in boxes if box],
            picture["x"] - legend["x"] < legend["width"] / 2,
            [one.inner_text().strip() for one in choices.all()],
        )
    context.close()
    assert places["pl"][0] == sorted(places["pl"][0])
    assert places["ar"][0] == sorted(places["ar"][0], reverse=True)
    assert (places["pl"][1], places["ar"][1]) == (True, False)
    assert places["pl"][2] == ["Nie", "Trochę", "Tak"]
    assert places["ar"][2] == ["لا", "قليلًا", "نعم"]
