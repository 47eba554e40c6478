"""The interface is whole in every language, and what is compiled is what is written."""

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

import evalapp
from evalapp.languages import LANGUAGES

APP = Path(evalapp.__file__).parent
TRANSLATED = [code for code in LANGUAGES if code != "en"]
KEYWORDS = {"_": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2)}
PLACE = re.compile(r"%\([a-z]+\)s")
GENDERED = re.compile(r"\b\w+(łem|łam|łeś|łaś)\b")  # Polish pasts that say whether a man or a woman speaks
SAME = {"cy": {"Help"}}  # the same word in both


def folder(language: str) -> Path:
    return APP / "translations" / language / "LC_MESSAGES"


@pytest.fixture(scope="module")
def said() -> set[str]:
    """Every text for participants in the templates and the Python files."""
    with (APP / "translations" / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    found = extract_from_dir(APP, methods, options, KEYWORDS)
    return {message for _, _, message, _, _ in found if isinstance(message, str)}


@pytest.fixture(scope="module", params=TRANSLATED)
def catalog(request: pytest.FixtureRequest) -> Catalog:
    with (folder(request.param) / "messages.po").open("rb") as file:
        return read_po(file, locale=request.param)


def test_every_text_has_its_translation(said: set[str], catalog: Catalog) -> None:
    assert {text for text in said if not (catalog.get(text) and catalog.get(text).string)} == set()


def test_no_translation_is_left_over_or_uncertain(said: set[str], catalog: Catalog) -> None:
    assert {message.id for message in catalog if message.id} - said == set()
    assert [message.id for message in catalog if message.id and message.fuzzy] == []


def test_every_number_and_date_is_in_the_translation_too(catalog: Catalog) -> None:
    for message in catalog:
        if message.id:
            assert sorted(PLACE.findall(message.string)) == sorted(PLACE.findall(message.id))


def test_a_translation_is_not_the_english(catalog: Catalog) -> None:
    same = {message.id for message in catalog if message.id and message.id == message.string}
    assert same == SAME.get(str(catalog.locale), set())


def test_what_is_compiled_is_what_is_written(catalog: Catalog) -> None:
    with (folder(str(catalog.locale)) / "messages.mo").open("rb") as file:
        compiled = read_mo(file)
    assert {one.id: one.string for one in compiled if one.id} == {one.id: one.string for one in catalog if one.id}


def test_a_number_to_ring_keeps_its_order_where_text_runs_from_the_right(catalog: Catalog) -> None:
    if catalog.locale.text_direction == "rtl":
        for text in (one.string for one in catalog if one.id):
            assert not re.search(
                r"[0-9][ \u00a0-][0-9](?![^\u2066]*\u2069)|[٠-٩]", text
            )  # else its groups change places
            assert text.count("\u2066") == text.count("\u2069")


def test_polish_does_not_say_whether_a_man_or_a_woman_reads(catalog: Catalog) -> None:
    if str(catalog.locale) == "pl":
        assert [one.string for one in catalog if one.id and GENDERED.search(one.string)] == []
