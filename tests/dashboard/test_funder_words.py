"""The funder's page is whole in Welsh, what is compiled is what is written, and one table holds the words of every verdict."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

import evalapp
from evalapp import wording
from evalapp.wording import COMPARED, NEITHER, UNITS, WORDS, Told, Unit, Verdict, number, signed

APP = Path(evalapp.__file__).parent
WELSH = APP / "translations" / "cy" / "LC_MESSAGES"
PLACE = re.compile(r"%\([a-z_]+\)[sd]")


@pytest.fixture(scope="module")
def said() -> set[str]:
    """Every text of the funder's page in the templates and the Python files."""
    with (APP / "translations" / "funder.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    found = extract_from_dir(APP, methods, options, {"_": None, "N_": None})
    return {message for _, _, message, _, _ in found if isinstance(message, str)}


@pytest.fixture(scope="module")
def welsh() -> Catalog:
    with (WELSH / "funder.po").open("rb") as file:
        return read_po(file, locale="cy")


def test_every_text_has_its_welsh_and_no_welsh_is_left_over(said: set[str], welsh: Catalog) -> None:
    assert len(said) > 180
    assert {one for one in said if not (welsh.get(one) and welsh.get(one).string)} == set()
    assert {message.id for message in welsh if message.id} - said == set()
    assert [message.id for message in welsh if message.id and message.fuzzy] == []


def test_every_place_for_a_number_or_a_name_is_in_the_welsh_too(welsh: Catalog) -> None:
    for message in welsh:
        if message.id:
            assert sorted(PLACE.findall(message.string)) == sorted(PLACE.findall(message.id)), message.id


def test_the_welsh_is_not_the_english(welsh: Catalog) -> None:
    assert {message.id for message in welsh if message.id and message.id == message.string} == set()


def test_what_is_compiled_is_what_is_written(welsh: Catalog) -> None:
    with (WELSH / "funder.mo").open("rb") as file:
        compiled = read_mo(file)
    assert {one.id: one.string for one in compiled if one.id} == {one.id: one.string for one in welsh if one.id}


def test_the_table_of_words_is_whole() -> None:
    assert set(WORDS) == set(get_args(Verdict))
    assert set(UNITS) == set(COMPARED) == set(get_args(Unit))
    marks = [one.mark for one in WORDS.values()]
    assert len(set(marks)) == len(marks)


def told(**changes: Any) -> Told:
    usual: dict[str, Any] = {
        "name": "Morale", "treatment": "Appreciative", "control": "Traditional", "unit": "points",
        "when": "just after the review", "estimate": 6.0, "low": 2.0, "high": 10.0, "reach": 8.0,
    }  # fmt: skip
    return Told(**{**usual, **changes})


@pytest.mark.parametrize(
    ("verdict", "changes", "says"),
    [
        ("benefit", {}, "Morale was higher, which is better, in the Appreciative group than in the Traditional group just "
         "after the review: by 6 points out of 100 (somewhere from 2 to 10)."),
        ("harm", {"estimate": -6.0, "low": -10.0, "high": -2.0}, "Morale was lower, which is worse, in the Appreciative group "
         "than in the Traditional group just after the review: by 6 points out of 100 (somewhere from 2 to 10)."),
        ("harm", {"unit": "people", "name": "Hurt"}, "Hurt: more common, which is worse, in the Appreciative group than in the "
         "Traditional group just after the review: by 6 people in 100 (somewhere from 2 to 10)."),
        ("benefit", {"unit": "times", "name": "The time", "when": "", "estimate": 0.5, "low": 0.4, "high": 0.63}, "The time was "
         "shorter, which is better, in the Appreciative group than in the Traditional group: it took 0.50 times as long (somewhere "
         "from 0.40 to 0.63)."),
        ("too_small", {"low": -1.5}, "Morale: any difference between the groups just after the review is too small to matter. "
         "It lies somewhere from −1.5 to 10 points out of 100, within the 8 either way that the plan set."),
        ("cannot_tell", {"low": -3.0}, "Morale: we cannot tell yet whether the groups differ just after the review. The "
         "difference lies somewhere from −3 to 10 points out of 100, and 0 would be no difference."),
        ("described", {}, "Morale differed by +6 points out of 100 between the groups (somewhere from 2 to 10). With so few "
         "sites this is described, and nothing is concluded from it."),
        ("described", {"neither": True, "when": "", "unit": "days"}, "Morale: +6 days in the Appreciative group beside the "
         "Traditional group (somewhere from 2 to 10). This says how differently the groups worked; it is neither better nor "
         "worse by itself."),
        ("benefit", {"randomised": False}, "Sites were not allocated by chance, so this is an association and may have other "
         "causes."),
    ],
)  # fmt: skip
def test_a_finding_is_told_in_the_table_s_words(verdict: Verdict, changes: dict[str, Any], says: str) -> None:
    assert says in wording.sentence(verdict, told(**changes))


@pytest.mark.parametrize("unit", get_args(Unit))
@pytest.mark.parametrize("verdict", get_args(Verdict))
def test_no_sentence_has_a_gap_or_speaks_of_significance(verdict: Verdict, unit: Unit) -> None:
    for when in ("", "just after the review"):
        for neither in (True, False):
            said = wording.sentence(verdict, told(unit=unit, when=when, neither=neither))
            assert "%(" not in said
            assert "  " not in said
            assert " ." not in said
            assert said.endswith(".")
            assert not re.search(r"(?i)significan|no effect|trend|caus", said)
    assert NEITHER.mark not in {one.mark for one in WORDS.values()}


@pytest.mark.parametrize(
    ("value", "places", "says", "with_sign"),
    [
        (3.0, 1, "3", "+3"),
        (-3.25, 1, "−3.2", "−3.2"),
        (-0.04, 1, "0", "0"),
        (0.5, 2, "0.50", "+0.50"),
        (0.0, 1, "0", "0"),
    ],
)
def test_numbers_are_written_as_people_read_them(value: float, places: int, says: str, with_sign: str) -> None:
    assert (number(value, places), signed(value, places)) == (says, with_sign)
