"""What people are told: for every role and nation, in plain words, and never changed once it was published."""

import dataclasses
import re
from datetime import date

import pytest
from textstat import textstat

from evalapp import consents
from evalapp.consents import Information, Terms
from evalapp.languages import LANGUAGES
from evalapp.models import NATIONS, ROLES, Response
from evalapp.paper import printing
from tests.survey.test_translations import GENDERED

FAMILY = {"parent", "young_person"}
# The hash of each published file. One that changed is no longer what people agreed to: write a new version beside it.
PUBLISHED = {
    "nations/1.toml": "44e7a9166de6b6a6d75eab7da3b11d97e5446bb94b2dff773c59a34c9547037f",
    "parent/1.toml": "53b31563ef4b745245145578c7faed31b0092531c94e7976e9583b94a8703795",
    "practitioner/1.toml": "9ffea2c4ea56dbb18f63d2395af4f69f6ae747ad96ee9fbf700e056562d08019",
    "reviewer/1.toml": "b3f48f42ee6b88a10b390b49bc5ac9d16cbb93a52247ac2faf716cf0d35c182d",
    "young_person/1.toml": "5208bc07843b24a2276edb220ad1e415ae8aceca837b24413a719990eeea4ddf",
}  # fmt: skip
TOLD = [(role, nation) for role in ROLES for nation in NATIONS]
TRANSLATED = [code for code in LANGUAGES if code != consents.SOURCE]
ISOLATES = "\u2066\u2068\u2069"  # what keeps figures and English names in order where text runs from the right
# The pages' own buttons, as the information names them.
BUTTONS = ("Continue", "Change your mind")


def shown(role: str, nation: str, part: str, language: str = "en", terms: Terms | None = None) -> str:
    """A part of the information as somebody reads it."""
    found = consents.information(role, language, drafts=True)
    places = found.places(nation, terms or Terms(), last_day="3 May 2027", minutes="5", pages="4", day="9 March 2026")
    return " ".join(f"{one.title}. {' '.join(one.lines)}" for one in consents.filled(getattr(found, part), places))


def grade(text: str) -> float:
    """Flesch–Kincaid; the dictionary of sounds has no figures and not these names."""
    said = re.sub(r"[0-9]+", "two", text).replace("Childline", "child line")
    return float(textstat.flesch_kincaid_grade(said.replace("GDPR", "general data protection regulation")))


def test_a_published_file_never_changes() -> None:
    found = consents.hashes()
    english = {name: one for name, one in found.items() if re.fullmatch(r"\w+/[0-9]+\.toml", name)}
    assert {name: one for name, one in english.items() if name in PUBLISHED} == PUBLISHED
    assert set(english) == set(PUBLISHED), "publish a new version: add its hash here"


@pytest.mark.parametrize(("role", "nation"), TOLD)
def test_every_role_in_every_nation_is_told_in_plain_words(role: str, nation: str) -> None:
    highest = 4 if role in FAMILY else 6  # reading age 9 for families, 11 for people at work
    for part in ("about", "said"):
        assert grade(shown(role, nation, part)) <= highest
    found = consents.information(role, "en", drafts=False)
    for question in filter(None, (found.consent, found.child)):
        assert grade(" ".join((question.question, *question.lines))) <= 4


SAID = {
    "who asks": r"We are a small study team",
    "why": r"We want to know how",
    "what is asked": r"We ask (how|if)",
    "how long": r"about 5 minutes",
    "who sees it": r"Only the small team that runs this study sees your answers",
    "what is done with it": r"We put the answers of (many|lots of) people together",
    "what is not kept": r"(do not keep|keep no)",
    "when it cannot be private": r"may have to tell (people|grown-ups) who can help",
    "not read at once": r"(No one reads what you write straight away|not read straight away)",
    "how to stop": r"You can stop when you like",
    "until when it can be deleted": r"You can have them deleted up to the end of 3 May 2027",
    "what cannot be taken back": r"What we have told people by then stays as it is",
    "who to ask": r"To ask about this study: The team, 01234 567890",
    "who to complain to": r"Information Commissioner",
    "if it upsets": r"ring (Samaritans on 116 123|Childline on 0800 1111)",
}


@pytest.mark.parametrize(("role", "nation"), TOLD)
def test_nothing_that_has_to_be_said_is_left_out(role: str, nation: str) -> None:
    terms = Terms(contact="The team, 01234 567890", locks_on=date(2027, 5, 4))
    text = shown(role, nation, "about", terms=terms) + " " + shown(role, nation, "said", terms=terms)
    assert [what for what, words in SAID.items() if not re.search(words, text)] == []
    assert not re.search(r"\bAI\b|appreciative|artificial", text)
    assert "{" not in text


def test_without_a_day_and_a_contact_the_words_say_so() -> None:
    text = shown("parent", "wales", "said")
    assert "We have not set that day yet" in text
    assert "talk to whoever gave you the card" in text


def test_each_nation_has_its_own_names_and_law() -> None:
    for part, role, own in (("said", "parent", "body"), ("about", "parent", "help"), ("said", "leader", "law")):
        found = {nation: shown(role, nation, part) for nation in NATIONS}
        for nation, text in found.items():
            assert consents.information(role, "en", drafts=False).nations[nation][own] in text
    bodies = {consents.information("parent", "en", drafts=False).nations[nation]["body"] for nation in NATIONS}
    assert len(bodies) == len(NATIONS)


def test_a_name_tells_role_nation_version_and_language_and_fits_where_it_is_stored() -> None:
    names = {
        consents.information(role, language, drafts=True).name(role, nation)
        for role, nation in TOLD
        for language in LANGUAGES
    }
    assert len(names) == len(LANGUAGES) * len(TOLD)
    assert {"young_person-N1-cy", "parent-E1-pl", "leader-S1-ar"} <= names
    length = Response.__table__.c.consent_version.type.length
    longest = dataclasses.replace(consents.information("practitioner", "en", drafts=False), version=999)
    assert len(longest.name("practitioner", "northern_ireland")) <= length


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_draft_is_for_demonstrations(language: str) -> None:
    for role in ROLES:
        assert consents.information(role, language, drafts=True).language == language
        assert consents.information(role, language, drafts=False).language == "en"


def test_an_unknown_language_falls_back() -> None:
    assert consents.information("parent", "xx", drafts=True).language == "en"


def texts(one: Information) -> list[str]:
    """Everything in a file, in an order that is the same in every language."""
    sections = [text for part in (*one.about, *one.said) for text in (part.title, *part.lines)]
    questions = [
        text
        for asked in (one.consent, one.child)
        if asked
        for text in (asked.question, *asked.lines, asked.yes, asked.no)
    ]
    nations = [one.nations[nation][place] for nation in NATIONS for place in ("body", "help", "law")]
    return [*sections, *questions, *(one.words[place] for place in sorted(one.words)), *nations]


def places(text: str) -> list[str]:
    return sorted(re.findall(r"\{\w+\}", text))


@pytest.mark.parametrize("language", TRANSLATED)
@pytest.mark.parametrize("role", ROLES)
def test_a_translation_has_every_text_place_and_number_of_the_english_and_is_not_it(role: str, language: str) -> None:
    own = consents.information(role, language, drafts=True)
    english = consents.information(role, "en", drafts=True)
    assert own.words.keys() == english.words.keys()
    assert set(own.nations) == set(NATIONS)
    assert all(own.nations[one].keys() == english.nations[one].keys() for one in NATIONS)
    for text, source in zip(texts(own), texts(english), strict=True):
        assert text.strip()
        assert (text != source) or source == "{ask}"
        assert places(text) == places(source), text
        assert sorted(re.findall(r"[0-9]+", text)) == sorted(re.findall(r"[0-9]+", source)), text


@pytest.mark.parametrize("language", TRANSLATED)
@pytest.mark.parametrize(("role", "nation"), TOLD)
def test_what_a_translation_shows_has_no_place_left_and_names_the_buttons_as_the_pages_do(
    role: str, nation: str, language: str
) -> None:
    text = shown(role, nation, "about", language) + shown(role, nation, "said", language)
    assert "{" not in text
    assert [one for one in BUTTONS if printing.words(language)(one) not in text] == []


@pytest.mark.parametrize("role", ROLES)
def test_arabic_keeps_figures_and_english_names_in_order(role: str) -> None:
    found = consents.information(role, "ar", drafts=True)
    for text in texts(found):
        marks = "".join(re.findall(f"[{ISOLATES}]", text))
        assert re.fullmatch(r"([\u2066\u2068]\u2069)*", marks), text
        loose = re.sub("[\u2066\u2068][^\u2069]*\u2069", "", text)
        assert not re.search(r"[0-9][ \u00a0-][0-9]|[٠-٩]", loose), text  # else its groups change places
        assert not re.search(r"[A-Za-z0-9)][ ]+[A-Za-z0-9(]", loose), text
    assert found.words["contact"].count("\u2068{contact}\u2069") == 1  # whichever way a trial's own words run


@pytest.mark.parametrize("role", ROLES)
def test_polish_does_not_say_whether_a_man_or_a_woman_reads(role: str) -> None:
    assert [one for one in texts(consents.information(role, "pl", drafts=True)) if GENDERED.search(one)] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_question_says_the_same_in_the_information_and_on_the_page_s_own_title(language: str) -> None:
    asked = consents.information("parent", language, drafts=True).consent.question
    assert asked == printing.words(language)("Do you want to take part?")


def test_what_a_trial_fills_in_is_never_read_as_a_place() -> None:
    text = shown("parent", "england", "said", terms=Terms(contact="{law} {nonsense}"))
    assert "{law} {nonsense}" in text


def test_a_translation_with_other_lines_or_places_is_refused() -> None:
    english = {"about": [{"title": "A", "lines": ["{day}"]}], "said": [], "consent": {}}
    for wrong in (
        [{"title": "A", "lines": []}],
        [{"title": "A", "lines": ["{days}"]}],
        [{"title": "A", "lines": ["no"]}],
    ):
        with pytest.raises(ValueError, match=r"about has other lines|places other than"):
            consents._check("x", {**english, "about": wrong}, english)
    with pytest.raises(ValueError, match="child"):
        consents._check("x", {**english, "child": {}}, english)
