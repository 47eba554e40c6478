"""The interface is whole in Welsh, and what is compiled is what is written."""

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

import evalapp

APP = Path(evalapp.__file__).parent
WELSH = APP / "translations" / "cy" / "LC_MESSAGES"
KEYWORDS = {"_": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2)}
PLACE = re.compile(r"%\([a-z]+\)s")


@pytest.fixture(scope="module")
def said() -> set[str]:
    """Every text for participants in the templates and the Python files."""
    with (APP / "translations" / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    found = extract_from_dir(APP, methods, options, KEYWORDS)
    return {message for _, _, message, _, _ in found if isinstance(message, str)}


@pytest.fixture(scope="module")
def welsh() -> Catalog:
    with (WELSH / "messages.po").open("rb") as file:
        return read_po(file, locale="cy")


def test_every_text_has_its_welsh(said: set[str], welsh: Catalog) -> None:
    assert {text for text in said if not (welsh.get(text) and welsh.get(text).string)} == set()


def test_no_welsh_is_left_over_or_uncertain(said: set[str], welsh: Catalog) -> None:
    assert {message.id for message in welsh if message.id} - said == set()
    assert [message.id for message in welsh if message.id and message.fuzzy] == []


def test_every_number_and_date_is_in_the_welsh_too(welsh: Catalog) -> None:
    for message in welsh:
        if message.id:
            assert sorted(PLACE.findall(message.string)) == sorted(PLACE.findall(message.id))


def test_the_welsh_is_not_the_english(welsh: Catalog) -> None:
    same = {message.id for message in welsh if message.id and message.id == message.string}
    assert same == {"Help"}  # the same word in both


def test_what_is_compiled_is_what_is_written(welsh: Catalog) -> None:
    with (WELSH / "messages.mo").open("rb") as file:
        compiled = read_mo(file)
    assert {one.id: one.string for one in compiled if one.id} == {one.id: one.string for one in welsh if one.id}
