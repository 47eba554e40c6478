"""The `evalapp instruments` command: whether the questionnaires are sound, what one asks, and how it is scored."""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import click

from instruments import Instrument, InstrumentError, Library, Scale, library
from instruments.codebook import COLUMNS, answers_of, example, minutes, questions, rows, rule
from instruments.maps import Map, maps
from instruments.slots import Slot, slots
from instruments.stale import Stale, note, stale

NO_READING_AGE = "not known here: it needs textstat (pip install textstat==0.7.7)"


@click.group(name="instruments")
def instruments_group() -> None:
    """Check and show the questionnaires: what they ask, how they are scored, who owns them."""


@instruments_group.command()
def check() -> None:
    """Say whether every questionnaire, translation, map and slot is sound; exit code 1 with a line a fault when not.

    A draft translation made from an earlier wording is named and does no harm yet; an approved one is a fault.
    """
    try:
        found = library()
        matched, kept, old = maps(found), slots(), stale(found)
    except InstrumentError as error:
        click.echo(str(error))
        sys.exit(1)
    for one in old:
        click.echo(_stale_line(one))
    if any(one.wrong for one in old):
        sys.exit(1)
    asked = [one for one in found if one.asked]
    drafts = sum(variant.status == "draft" for one in found for variant in one.variants)
    click.echo(
        f"all {len(found)} questionnaires are sound ({len(asked)} asked), with {drafts} translations still in draft, "
        f"{len(matched)} maps and {len(kept)} permission slots"
    )


@instruments_group.command(name="stale")
@click.option("--language", help="Only the translations into this language.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def stale_translations(language: str | None, *, as_json: bool) -> None:
    """List the wordings that changed after they were translated; exit code 1 when there are some."""
    try:
        found = [one for one in stale(library()) if language in {None, one.language}]
    except InstrumentError as error:
        _stop("stale", error)
    if as_json:
        click.echo(json.dumps([one._asdict() for one in found], ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(_stale_line(one) for one in found) or "every translation was made from today's wording")
    if found:
        sys.exit(1)


@instruments_group.command()
@click.argument("name")
@click.argument("language")
@click.option("--version", type=int, metavar="N", help="The version; the latest when left out.")
def translated(name: str, language: str, version: int | None) -> None:
    """Note that a translation was compared with its source and says what that says today."""
    try:
        found = library()
        one = found.latest(name) if version is None else found.get(name, version)
        path = note(one.name, one.version, language)
    except InstrumentError as error:
        _stop("translated", error)
    click.echo(f"{path.parent.name}/{path.name} now says that {language} was made from today's wording")


@instruments_group.command()
@click.argument("name", required=False)
@click.option("--version", type=int, metavar="N", help="The version; the latest when left out.")
@click.option("--language", default="en", show_default=True, help="The language of its texts.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str | None, version: int | None, language: str, *, as_json: bool) -> None:
    """Show a questionnaire whole, or (without a NAME) the list of them all."""
    try:
        found = library()
        if name is None:
            _say([_line(one) for one in found] + [_slot_line(one) for one in slots()], as_json=as_json)
            return
        kept = {one.name: one for one in slots()}
        if name in kept:
            _say(_slot_facts(kept[name]), as_json=as_json)
            return
        instrument = found.latest(name) if version is None else found.get(name, version)
        facts = described(instrument.in_language(language), found)
    except InstrumentError as error:
        _stop("show", f"{error}; see evalapp instruments show")
    click.echo(json.dumps(facts, ensure_ascii=False, indent=2)) if as_json else click.echo("\n".join(_in_words(facts)))


@instruments_group.command()
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.csv", help="Else printed.")
@click.option("--language", default="en", show_default=True, help="The language of its texts.")
def codebook(out: Path | None, language: str) -> None:
    """Every question with its codes and labels, and every scale with its rule, as CSV."""
    try:
        found = [one.in_language(language) for one in library()]
    except InstrumentError as error:
        _stop("codebook", error)
    if out is None:
        _write(found, sys.stdout)
        return
    with out.open("w", encoding="utf-8-sig", newline="") as file:  # the mark lets a spreadsheet read accents
        _write(found, file)
    click.echo(f"{out} holds {sum(1 for _ in rows(found))} rows")


def described(instrument: Instrument, found: Library) -> dict[str, Any]:
    """A questionnaire as plain data: who is asked and when, its pages, its scales with rule and example, its rights."""
    asked = questions(instrument)
    return {
        "name": instrument.name,
        "version": instrument.version,
        "title": instrument.title,
        "language": instrument.language,
        "languages": {variant.language: variant.status for variant in instrument.variants},
        "asked": instrument.asked,
        "roles": list(instrument.roles),
        "waves": list(instrument.waves),
        "form": instrument.form,
        "outside_reviews": instrument.outside_reviews,
        "not_after_death": instrument.not_after_death,
        "only_after_death": instrument.only_after_death,
        "validation": instrument.validation,
        "questions": len(asked),
        "minutes": minutes(instrument),
        "pages": [
            {
                "title": page.title,
                "items": [
                    {
                        "code": item.code,
                        "kind": item.kind,
                        "text": item.text,
                        "answers": "" if item.kind == "information" else answers_of(instrument, item),
                    }
                    for item in (instrument.item(code) for code in page.items)
                ],
            }
            for page in instrument.pages
        ],
        "scales": [_scale_facts(instrument, scale) for scale in instrument.scales],
        "rights": {
            "owner": instrument.owner,
            "licence": instrument.licence,
            "url": instrument.licence_url,
            "checked": instrument.licence_checked.isoformat() if instrument.licence_checked else None,
            "permission": instrument.permission,
            "notice": instrument.notice,
            "media": list(instrument.media),
        },
        "maps": [
            _map_facts(one) for one in maps(found) if (one.name, one.version) == (instrument.name, instrument.version)
        ],
        "sha256": instrument.sha256,
    }


def reading_grade(text: str) -> float | None:
    """The Flesch–Kincaid grade of an English text (years of school); None where textstat is not installed."""
    try:
        import textstat  # noqa: PLC0415  (not needed to run a trial, and so not installed with it)
    except ImportError:
        return None
    return round(float(textstat.flesch_kincaid_grade(text)), 1)


def _scale_facts(instrument: Instrument, scale: Scale) -> dict[str, Any]:
    worked = example(instrument, scale)
    english = instrument.language == "en"
    return {
        "code": scale.code,
        "title": scale.title,
        "construct": scale.construct,
        "referent": scale.referent,
        "items": list(scale.items),
        "reversed": list(scale.reversed),
        "rule": rule(scale),
        "reading_grade": reading_grade(" ".join(instrument.item(code).text for code in scale.items))
        if english
        else None,
        "example": None
        if worked is None
        else {
            "answers": dict(worked.answers),
            "counted": list(worked.counted),
            "mean": str(worked.mean),
            "score": worked.score,
            "with_one_too_few": worked.too_few,
        },
    }


def _map_facts(one: Map) -> dict[str, Any]:
    return {
        "to": one.to_name,
        "version": one.to_version,
        "why": one.why,
        "matches": [match._asdict() for match in one.matches],
        "alone": list(one.alone),
    }


def _in_words(facts: dict[str, Any]) -> Iterator[str]:
    languages = ", ".join(f"{code} ({status})" for code, status in facts["languages"].items())
    yield f"{facts['name']}, version {facts['version']}: {facts['title']}"
    yield f"For {', '.join(facts['roles'])}; at {', '.join(facts['waves'])}; in {languages}."
    yield f"{facts['questions']} questions on {len(facts['pages'])} pages, about {facts['minutes']} minutes."
    for key, said in (
        ("outside_reviews", "Asked of people who answer for their site, outside its reviews."),
        ("not_after_death", "Never offered where the child has died."),
        ("only_after_death", "Offered only after a death, when a named lead has decided that it may be."),
    ):
        if facts[key]:
            yield said
    if not facts["asked"]:
        yield "Not asked by itself."
    rights = facts["rights"]
    yield f"{rights['owner']}; {rights['licence']} {rights['url']}".rstrip()
    yield from (f"Notice: {rights['notice']}" for _ in range(bool(rights["notice"])))
    yield f"Validation: {facts['validation']}."
    for number, page in enumerate(facts["pages"], start=1):
        yield ""
        yield f"Page {number}. {page['title']}"
        for item in page["items"]:
            yield f"  {item['code']:<14}{item['text']}"
            if item["answers"]:
                yield f"  {'':<14}{item['answers']}"
    for scale in facts["scales"]:
        yield from _scale_in_words(scale, english=facts["language"] == "en")
    for one in facts["maps"]:
        yield ""
        yield f"Beside {one['to']}, version {one['version']}: {one['why']}"
        for match in one["matches"]:
            yield f"  {match['item']} and {match['to']}: {match['how'].replace('_', ' ')}"
        if one["alone"]:
            yield f"  nothing matches {', '.join(one['alone'])}"


def _scale_in_words(scale: dict[str, Any], *, english: bool) -> Iterator[str]:
    yield ""
    yield f"Scale {scale['code']}. {scale['title']} (of {scale['referent']})"
    yield f"  {scale['rule']}"
    worked = scale["example"]
    if worked is not None:
        given = ", ".join(f"{code} {value}" for code, value in worked["answers"].items())
        counted = " ".join(str(value) for value in worked["counted"])
        yield f"  Example: {given} count as {counted}; their mean is {worked['mean']}; the score is {worked['score']:.4g}."
    if english:
        grade = scale["reading_grade"]
        yield f"  Reading: {NO_READING_AGE if grade is None else f'grade {grade} (about age {max(5, round(grade) + 5)})'}"


def _stale_line(one: Stale) -> str:
    said = "was translated from another wording" if one.noted else "was translated from a wording nobody noted"
    return (
        f"{one.name} {one.version}, {one.language} ({one.status}): {one.place} {said}; it now reads {one.wording!r}. "
        f"Compare them, then: evalapp instruments translated {one.name} {one.language} --version {one.version}"
    )


def _line(one: Instrument) -> str:
    kept = "" if one.asked else ", not asked by itself"
    where = ", ".join(one.waves)
    asked = f"{len(questions(one))} questions, about {minutes(one)} minutes"
    return f"{one.name} {one.version}: {', '.join(one.roles)} at {where}{kept}; {asked}"


def _slot_line(one: Slot) -> str:
    return f"{one.name}: a slot without text ({one.ground})"


def _slot_facts(slot: Slot) -> dict[str, Any]:
    facts = slot._asdict()
    facts["checked"] = slot.checked.isoformat() if slot.checked else None
    facts["scales"] = [scale._asdict() for scale in slot.scales]
    return facts


def _say(found: Any, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    elif isinstance(found, dict):
        click.echo("\n".join(f"{key}: {value}" for key, value in found.items() if value))
    else:
        click.echo("\n".join(found))


def _write(found: list[Instrument], file: Any) -> None:
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()
    writer.writerows(rows(found))


def _stop(command: str, message: object) -> NoReturn:
    click.echo(f"evalapp instruments {command}: {' '.join(str(message).split())}", err=True)
    sys.exit(2)
