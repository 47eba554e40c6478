"""Questionnaires as printed: every question of every one, in every language, to be ticked, read aloud and typed in."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser as Chromium

from evalapp.cli import main
from evalapp.paper import printing, questionnaire
from evalapp.shelf import shelf
from instruments import Instrument, library
from tests.paper import reading

ASKED = [(one, language) for one in library() if one.asked for language in one.languages]
PARENT = "parent_after"


def printed(name: str = PARENT, language: str = "en", **how: object) -> tuple[Instrument, str]:
    instrument = shelf().latest(name).in_language(language)
    return instrument, questionnaire.printed(instrument, **{"words_read": True, **how})  # type: ignore[arg-type]


def told(html: str) -> str:
    """What a page says, its marks taken out."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).replace("&#39;", "'").split())


@pytest.mark.parametrize(("instrument", "language"), ASKED, ids=lambda one: getattr(one, "name", one))
def test_every_question_and_every_answer_is_on_the_paper_in_its_language(instrument: Instrument, language: str) -> None:
    shown = instrument.in_language(language).filled({"year": "2026"})
    html = questionnaire.printed(shown, words_read=True)
    assert f'<html lang="{language}"' in html
    said = told(html)
    for item in shown.items:
        assert " ".join(item.text.split()) in said
        for _, label in item.options:
            assert label in said
    assert len(re.findall('class="part"', html)) == len(questionnaire.parts(shown, words_read=True))
    boxes = sum(len(questionnaire.boxes(one)) + len(questionnaire.refusals(shown, one)) for one in shown.items)
    assert html.count('class="box"') == boxes + 2  # the two of the consent


def test_a_pdf_is_tagged_in_its_own_language_with_every_part_on_a_page_of_its_own() -> None:
    instrument, html = printed(language="cy")
    made = printing.pdf(html)
    reading.assert_tagged(made, language="cy", title=instrument.title)
    pages = [" ".join(page.extract_text().split()) for page in reading.read(made).pages]
    assert len(pages) == len(instrument.pages) + 1
    for number, (page, text) in enumerate(zip(instrument.pages, pages[1:], strict=True), start=2):
        assert page.title in text
        assert f"{number} / {len(pages)}" in text


@pytest.mark.parametrize(("large", "least"), [(False, 14), (True, 20)])
def test_what_a_person_reads_is_large_enough(large: bool, least: float) -> None:
    """But for the keys in the boxes, the line that tells sheets apart, and the page's number, which are the office's."""
    _, html = printed(large=large)
    found = reading.sizes(printing.pdf(html), 1)
    words = {text: size for text, size in found.items() if len(text) > 3 and not re.match(r"Part|\d+ / \d+", text)}
    assert len(words) > 5
    assert min(words.values()) >= least - 0.01


def test_a_paper_for_one_person_has_its_number_on_every_page_and_nobody_s_code_or_name() -> None:
    instrument, html = printed(serial="7K2M-9QXR")
    made = reading.read(printing.pdf(html, foot="7K2M-9QXR"))
    assert all("7K2M-9QXR" in page.extract_text() for page in made.pages)
    assert questionnaire.square(instrument, "7K2M-9QXR") == f"paper/1/{PARENT}/{instrument.version}/en/7K2M-9QXR"
    assert questionnaire.square(instrument, None) == f"paper/1/{PARENT}/{instrument.version}/en"


def test_where_nobody_reads_words_there_is_no_box_for_them() -> None:
    _, with_words = printed()
    _, without = printed(words_read=False)
    assert ("blank lines" in with_words, "blank lines" in without) == (True, False)
    assert "Anything else" not in without  # the page that held nothing else


def test_beside_every_box_for_words_stands_that_it_is_not_private_where_someone_is_at_risk() -> None:
    for instrument in (one for one in library() if one.asked):
        html = questionnaire.printed(instrument, words_read=True)
        boxes = len(re.findall(r'class="blank line', html))
        assert len(re.findall(r'class="risk">[^<]*999', html)) == boxes, instrument.name


def test_a_question_that_depends_says_on_what() -> None:
    _, html = printed("practitioner_before")
    assert "Only if you ticked “Yes” at “Have you taken part in a case review before?”" in told(html)


def test_a_draft_says_that_it_is_one() -> None:
    _, english = printed()
    _, welsh = printed(language="cy")
    assert "Draft translation" in welsh
    assert "Draft translation" not in english


@pytest.mark.parametrize(("language", "turned"), [("cy", "ltr"), ("pl", "ltr"), ("ar", "rtl")])
def test_what_a_paper_says_of_taking_part_is_in_its_language_and_runs_its_way(language: str, turned: str) -> None:
    """Of the sheet's own English only the line that marks a draft is left, and that is for the office."""
    _, english = printed()
    _, own = printed(language=language)
    assert f'<html lang="{language}" dir="{turned}"' in own
    left = "Draft translation, not yet approved: not for use in a real trial."
    said = re.findall(r">([^<>]*[A-Za-z]{3}[^<>]*)<", english.partition('class="part"')[0].partition("<body")[2])
    texts = {" ".join(one.replace("&#39;", "'").split()) for one in said} - {"&nbsp;"}
    assert len(texts) > 12
    assert {one for one in texts if one in told(own).replace(left, "")} == set()
    assert told(own).count("116 123") == 1


def test_easy_read_keeps_its_drawings() -> None:
    instrument, html = printed("parent_easy_read_after")
    assert html.count("<svg") >= sum(len(one.pictures) + bool(one.picture) for one in instrument.items) > 8
    printing.pdf(html)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("name", "language", "large"),
    [(PARENT, "cy", False), ("practitioner_before", "en", True), (PARENT, "pl", True), (PARENT, "ar", False)],
)
def test_a_camera_reads_which_paper_it_is_and_no_line_runs_over(
    browser: Chromium, name: str, language: str, large: bool
) -> None:
    instrument, html = printed(name, language, large=large, serial="7K2M-9QXR")
    page = reading.as_printed(browser, html)
    try:
        assert reading.squares(page.locator(".first").screenshot()) == [questionnaire.square(instrument, "7K2M-9QXR")]
        assert page.evaluate("document.documentElement.scrollWidth") <= reading.A4["width"]
        spilt = "one => one.scrollWidth > one.clientWidth + 1"
        assert not [one.inner_text() for one in page.locator(".tick, .label, .running").all() if one.evaluate(spilt)]
    finally:
        page.context.close()


def test_the_command_prints_a_questionnaire(tmp_path: Path) -> None:
    target = tmp_path / "paper.pdf"
    options = ["--language", "cy", "--large", "--out", str(target)]
    told_so = CliRunner().invoke(main, ["instruments", "paper", PARENT, *options])
    assert told_so.exit_code == 0, told_so.output
    reading.assert_tagged(target.read_bytes(), language="cy", title=shelf().latest(PARENT).in_language("cy").title)
    page = tmp_path / "paper.html"
    assert CliRunner().invoke(main, ["instruments", "paper", PARENT, "--out", str(page)]).exit_code == 0
    assert "<style>" in page.read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [(["nothing"], "no instrument 'nothing'"), ([PARENT, "--language", "xx"], "is not in 'xx'"),
     ([PARENT, "--version", "99"], "version 99")],
)  # fmt: skip
def test_the_command_says_in_one_line_what_is_wrong(options: list[str], said: str) -> None:
    answer = CliRunner().invoke(main, ["instruments", "paper", *options])
    assert answer.exit_code == 2
    assert said in answer.output
    assert answer.output.count("\n") == 1


def test_without_weasyprint_the_command_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise printing.NoPdf

    monkeypatch.setattr(printing, "_weasyprint", missing)
    answer = CliRunner().invoke(main, ["instruments", "paper", PARENT, "--out", str(tmp_path / "paper.pdf")])
    assert answer.exit_code == 2
    assert "requirements-all.txt" in answer.output
    assert answer.output.count("\n") == 1
