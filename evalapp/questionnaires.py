"""The `evalapp instruments` command: whether the questionnaires are sound, what one asks, new ones, in, out and compared."""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import click

from evalapp.config import NotConfigured
from evalapp.shelf import faults, own, shelf, shipped, where
from instruments import Instrument, InstrumentError, Scale
from instruments.codebook import COLUMNS, answers_of, example, minutes, questions, rows, rule
from instruments.differing import Change, Difference, difference
from instruments.files import read
from instruments.maps import Map, Match, maps
from instruments.reading import NAME
from instruments.slots import Slot, slots
from instruments.stale import Stale, note, stale
from instruments.starting import starting
from instruments.writing import write

FOLDER = click.Path(path_type=Path, file_okay=False)
FORMATS = ("redcap", "xlsform", "limesurvey", "fhir")  # as evalapp.exchange.formats has them, whose import waits
WRITTEN_FORMATS = ("redcap", "fhir")
LARGEST_FILE = 4_000_000
WRONG = (InstrumentError, NotConfigured)
NO_READING_AGE = "not known here: it needs textstat (pip install textstat==0.7.7)"


@click.group(name="instruments")
def instruments_group() -> None:
    """Check, show, begin, bring in, hand out and compare questionnaires: what they ask, how they are scored, who owns them."""


@instruments_group.command()
def check() -> None:
    """Say whether every questionnaire, translation, map and slot is sound; exit code 1 with a line a fault when not.

    A draft translation made from an earlier wording is named and does no harm yet; an approved one is a fault.
    """
    try:
        found = shipped()
        matched, kept, old = maps(found), slots(), stale(found)
        folder = _folder("check", None)
        wrong = list(faults())
        if folder.is_dir() and not wrong:
            matched += maps(shelf(), folder)
    except WRONG as error:
        click.echo(str(error))
        sys.exit(1)
    for one in old:
        click.echo(_stale_line(one))
    if wrong:
        click.echo("\n".join(wrong))
    if wrong or any(one.wrong for one in old):
        sys.exit(1)
    asked = [one for one in found if one.asked]
    drafts = sum(variant.status == "draft" for one in found for variant in one.variants)
    click.echo(
        f"all {len(found)} questionnaires are sound ({len(asked)} asked), with {drafts} translations still in draft, "
        f"{len(matched)} maps and {len(kept)} permission slots"
    )
    if len(own()):
        still = sum(one.status == "draft" for one in own())
        click.echo(f"all {len(own())} of this copy's own are sound too, {still} of them drafts")


@instruments_group.command(name="stale")
@click.option("--language", help="Only the translations into this language.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def stale_translations(language: str | None, *, as_json: bool) -> None:
    """List the wordings that changed after they were translated; exit code 1 when there are some."""
    try:
        found = [one for one in stale(shipped()) if language in {None, one.language}]
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
        found = shipped()
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
        found = shelf()
        if name is None:
            _say([_line(one) for one in found] + [_slot_line(one) for one in slots()], as_json=as_json)
            return
        kept = {one.name: one for one in slots()}
        if name in kept:
            _say(_slot_facts(kept[name]), as_json=as_json)
            return
        instrument = found.latest(name) if version is None else found.get(name, version)
        facts = described(instrument.in_language(language))
    except WRONG as error:
        _stop("show", f"{error}; see evalapp instruments show")
    click.echo(json.dumps(facts, ensure_ascii=False, indent=2)) if as_json else click.echo("\n".join(_in_words(facts)))


@instruments_group.command()
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.csv", help="Else printed.")
@click.option("--language", default="en", show_default=True, help="The language of its texts.")
def codebook(out: Path | None, language: str) -> None:
    """Every question with its codes and labels, and every scale with its rule, as CSV."""
    try:
        found = [one.in_language(language) for one in shipped()]
    except WRONG as error:
        _stop("codebook", error)
    if out is None:
        _write(found, sys.stdout)
        return
    with out.open("w", encoding="utf-8-sig", newline="") as file:  # the mark lets a spreadsheet read accents
        _write(found, file)
    click.echo(f"{out} holds {sum(1 for _ in rows(found))} rows")


@instruments_group.command()
@click.argument("name")
@click.option(
    "--dir", "folder", type=FOLDER, help="Where questionnaires of your own are kept; EVALAPP_INSTRUMENTS otherwise."
)
def new(name: str, folder: Path | None) -> None:
    """Begin a questionnaire: a short, sound draft that says beside each line what it is for."""
    home = _place("new", _folder("new", folder), name, force=False)
    home.mkdir(parents=True)
    (home / "1.toml").write_text(starting(name), encoding="utf-8", newline="\n")
    click.echo(f"{home / '1.toml'} is begun. Edit it; `evalapp instruments check` says what is wrong with it.")


@instruments_group.command(name="import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--format", "chosen", type=click.Choice(FORMATS), help="What the file is; recognised when left out.")
@click.option("--name", metavar="NAME", help="The questionnaire's name; the file's own when left out.")
@click.option(
    "--language", default="en", show_default=True, help="The language of its texts, where the file does not say."
)
@click.option(
    "--dir", "folder", type=FOLDER, help="Where questionnaires of your own are kept; EVALAPP_INSTRUMENTS otherwise."
)
@click.option("--force", is_flag=True, help="Write over a draft of that name.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def bring_in(
    file: Path, chosen: str | None, name: str | None, language: str, folder: Path | None, *, force: bool, as_json: bool
) -> None:
    """Bring a questionnaire in from REDCap, XLSForm, LimeSurvey or FHIR, as a draft, and say all that it lost.

    Writes TOML to the folder of your own questionnaires and prints a line for each thing that was dropped,
    approximated or renamed.
    """
    from dataclasses import asdict, replace  # noqa: PLC0415

    from analysis.errors import BadData  # noqa: PLC0415
    from evalapp.exchange import formats  # noqa: PLC0415
    from evalapp.exchange.drafts import distinct, neutral_name  # noqa: PLC0415

    try:
        if file.stat().st_size > LARGEST_FILE:
            raise BadData(f"the file is larger than {LARGEST_FILE:,} bytes; export fewer questions at a time")  # noqa: TRY301
        found = formats.read(file.read_bytes(), chosen, name=name or neutral_name(file.stem), language=language)
    except BadData as error:
        _stop("import", error)
    made, report = found.instruments, list(found.report)
    if name is not None:
        made = tuple(replace(one, name=name if len(made) == 1 else f"{name}_{one.name}"[:40]) for one in made)
    made = distinct(made, report)
    home = _folder("import", folder)
    for one in made:
        _place("import", home, one.name, force=force)
    written = [path for one in made for path in write(one, home, *_heading(file, len(report)))]
    if as_json:
        _say({"written": [str(path) for path in written], "report": [asdict(line) for line in report]}, as_json=True)
        return
    for one in made:
        asked = f"{len(questions(one))} questions on {len(one.pages)} pages"
        click.echo(f"{home / one.name}: {asked}, in {', '.join(one.languages)}; a draft")
    counts = {how: sum(line.how == how for line in report) for how in ("dropped", "approximated", "renamed")}
    click.echo(f"{'; '.join(f'{count} {how}' for how, count in counts.items())}:" if report else "Nothing was lost.")
    for line in report:
        click.echo(f"  {line}")
    click.echo("Now write for whom it is and when, and who owns it, and check: evalapp instruments check")


@instruments_group.command()
@click.argument("name")
@click.option("--format", "chosen", type=click.Choice(WRITTEN_FORMATS), required=True, help="The format of the file.")
@click.option("--version", type=int, metavar="N", help="The version; the latest when left out.")
@click.option(
    "--language", metavar="LANG", help="The language of a REDCap dictionary, which holds one; the first when left out."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="NAME.csv or NAME.json when left out.",
)
@click.option("--force", is_flag=True, help="Write over a file of that name.")
def export(name: str, chosen: str, version: int | None, language: str | None, out: Path | None, *, force: bool) -> None:
    """Hand a questionnaire out as a REDCap data dictionary or a FHIR Questionnaire, and say what the format cannot hold."""
    from evalapp.exchange import formats  # noqa: PLC0415

    try:
        instrument = shelf().latest(name) if version is None else shelf().get(name, version)
        instrument = instrument if language is None else instrument.in_language(language)
    except WRONG as error:
        _stop("export", f"{error}; see evalapp instruments show")
    path = out or Path(f"{name}{formats.ENDINGS[chosen]}")
    if path.exists() and not force:
        _stop("export", f"{path} is there already and was left alone; name another with --out, or add --force")
    made = formats.write(instrument, chosen)
    path.write_bytes(made.content)
    click.echo(f"{path} holds {name} version {instrument.version}.")
    for line in made.report:
        click.echo(f"  {line}")


@instruments_group.command()
@click.argument("old")
@click.argument("new")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def diff(old: str, new: str, *, as_json: bool) -> None:
    """Compare two versions, item by item, beside the map that says which of them match.

    OLD and NEW are NAME:VERSION, NAME (its latest version), or a .toml file.
    """
    try:
        before, after = _version(old), _version(new)
        known = [*maps(shipped()), *(maps(shelf(), folder) if (folder := where()) and folder.is_dir() else ())]
    except WRONG as error:
        _stop("diff", error)
    ends = {(before.name, before.version), (after.name, after.version)}
    matched = [
        one for one in known if {(one.name, one.version), (one.to_name, one.to_version)} == ends and len(ends) == 2
    ]
    found = difference(before, after)
    if as_json:
        facts = {
            "items": _changes(found.items),
            "scales": _changes(found.scales),
            "facts": [list(one) for one in found.facts],
        }
        _say({**facts, "maps": [_map_facts(one) for one in matched]}, as_json=True)
        return
    click.echo("\n".join(_difference_in_words(before, after, found, matched)))


def _version(said: str) -> Instrument:
    if said.endswith(".toml"):
        return read(Path(said))
    name, _, version = said.partition(":")
    if version and not version.isdecimal():
        raise InstrumentError(f"{said!r} is no version; write it as {name}:2")
    return shelf().get(name, int(version)) if version else shelf().latest(name)


def _changes(changes: tuple[Change, ...]) -> list[dict[str, Any]]:
    return [
        {
            "code": one.code,
            "how": one.how,
            "parts": [dict(zip(("what", "was", "is"), part, strict=True)) for part in one.parts],
        }
        for one in changes
    ]


def _difference_in_words(before: Instrument, after: Instrument, found: Difference, matched: list[Map]) -> Iterator[str]:
    counts = {how: sum(one.how == how for one in found.items) for how in dict.fromkeys(one.how for one in found.items)}
    said = ", ".join(f"{count} {how.replace('_', ' ')}" for how, count in counts.items())
    yield f"{before.name} {before.version} and {after.name} {after.version}: {said}"
    for name, was, now in found.facts:
        yield f"  {name}: {was} → {now}"
    by_map: dict[str, Match] = {}
    for one in matched:
        forwards = (one.name, one.version) == (after.name, after.version)
        by_map |= {match.item if forwards else match.to: match for match in one.matches}
    for change in found.items:
        match = by_map.get(change.code)
        says = f"; the map: {match.how.replace('_', ' ')} ({match.item} and {match.to})" if match else ""
        if matched and match is None and change.how != "removed":
            says = "; the map: nothing matches it"
        if change.how != "same" or change.parts:
            yield f"  {change.how.replace('_', ' ')}: {change.code}{says}"
            yield from (f"    {name}: {was or 'nothing'} → {now or 'nothing'}" for name, was, now in change.parts)
    for change in found.scales:
        yield f"  scale {change.code}: {change.how}"
        yield from (f"    {name}: {was} → {now}" for name, was, now in change.parts)
    if not found.scales:
        yield "  scales: the same"
    for one in matched:
        yield f"Map {one.name} {one.version} to {one.to_name} {one.to_version}: {one.why}"
    if not matched:
        yield "There is no map between them, so nothing of the two is put together."


def _folder(command: str, given: Path | None) -> Path:
    """Where questionnaires of one's own are kept."""
    try:
        return given or where() or Path("instance/instruments")
    except NotConfigured as error:
        _stop(command, error)


def _place(command: str, folder: Path, name: str, *, force: bool) -> Path:
    """The folder of a questionnaire of one's own, when it may be written."""
    if not NAME.fullmatch(name):
        _stop(command, f"the name {name!r} must be small letters, digits and _, starting with a letter, at most 40")
    if name in {one.name for one in shipped()}:
        _stop(command, f"a questionnaire called {name} comes with evalapp; give yours another name")
    home = folder / name
    if home.exists() and not force:
        remedy = "" if command == "new" else ", or add --force to write over it"
        _stop(command, f"{home} is there already and was left alone; give another name{remedy}")
    if force and home.exists():
        _refuse_published(command, home)
    return home


def _refuse_published(command: str, home: Path) -> None:
    """Only drafts are written over: what people may have answered stays as it was."""
    try:
        kept = [read(path) for path in home.glob("[0-9]*.toml") if path.stem.isdecimal()]
    except InstrumentError:
        return  # not sound, so nobody was ever asked it
    if any(one.status == "approved" for one in kept):
        _stop(command, f"{home} holds a version that is no draft; it stays as it is, so give another name")


def _heading(file: Path, lost: int) -> tuple[str, ...]:
    return (
        f"Brought in from {file.name}; the import said {lost} things it lost or changed.",
        "Write for whom it is (roles), when (waves), who owns it and on what terms; then take status out.",
    )


def described(instrument: Instrument) -> dict[str, Any]:
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
            _map_facts(one)
            for one in maps(shipped())
            if (one.name, one.version) == (instrument.name, instrument.version)
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
    kept += ", a draft" if one.status == "draft" else ""
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
