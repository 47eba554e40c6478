"""What a person is told before they answer, as a page shows it: in their language where it may be, with every place filled."""

from dataclasses import dataclass
from datetime import date

from babel.dates import format_date

from evalapp import consents, languages
from evalapp.consents import Information, Question, Section, Terms
from evalapp.survey.journey import Asked, Child


@dataclass(frozen=True)
class Told:
    """One person's information: its two pages, what is asked, and the name under which a yes or a no is stored."""

    name: str
    language: str
    about: list[Section]
    said: list[Section]
    consent: Question


def told(asked: Asked, *, minutes: int = 0, pages: int = 0) -> Told:
    """What somebody is told about a questionnaire they are asked to answer."""
    found = consents.information(asked.role, languages.current(), drafts=asked.demonstration)
    places = _places(
        found,
        asked.nation,
        asked.terms,
        minutes=str(minutes),
        pages=str(pages),
        day=long(asked.closes_on, found.language),
    )
    return Told(
        name=found.name(asked.role, asked.nation),
        language=found.language,
        about=consents.filled(found.about, places),
        said=consents.filled(found.said, places),
        consent=found.consent,
    )


def of_child(child: Child) -> tuple[str, str, Question]:
    """What a parent is asked about a young person: the name it is stored under, its language, the question."""
    found = consents.information("parent", languages.current(), drafts=child.demonstration)
    if found.child is None:
        raise ValueError(f"{found.document} {found.version} asks nothing about a child")
    return found.name("parent", child.nation), found.language, found.child


def long(day: date, language: str) -> str:
    """A day as people write it, in the language of the words around it, which need not be the page's."""
    return str(format_date(day, "long", locale=languages.LOCALES[language]))


def _places(found: Information, nation: str, terms: Terms, **of_page: str) -> dict[str, str]:
    last = "" if terms.last_day is None else long(terms.last_day, found.language)
    return found.places(nation, terms, last_day=last, **of_page)
