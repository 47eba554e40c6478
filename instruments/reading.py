"""Turns the tables of a source file into an Instrument, and finds every fault on the way."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from instruments.checking import check_condition, check_scale
from instruments.conditions import REFUSALS, WORDS, parse_condition
from instruments.definitions import (
    ANSWERS,
    BESIDE,
    FACES,
    FIGURES,
    FORMS,
    KINDS,
    NUMBERED,
    ROLES,
    VARIABLES,
    WAVES,
    WORDED,
    WRITTEN,
    Form,
    Instrument,
    Item,
    Kind,
    Page,
    Reported,
    Scale,
    Status,
    texts_of,
)
from instruments.errors import InstrumentError
from instruments.tables import Table

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,8})?")
MOST_ON_A_PAGE = 6
MOST_TABLES = 500
LONGEST = {"short_text": 200, "long_text": 4000}

_ITEM_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")
_PAGE_CODE = re.compile(r"[a-z][a-z0-9_]{0,31}")
_SCALE_CODE = re.compile(r"[A-Z][A-Z0-9]{0,15}")
_NUMBER_CODE = re.compile(r"0|[1-9][0-9]{0,2}")
_WORD_CODE = re.compile(r"[a-z0-9][a-z0-9_]{0,31}")
# A title stays in a phone's history, where somebody else may read it (English, Welsh, Polish and Arabic stems).
_TELLING = re.compile(
    r"safeguard|child|abus|neglect|protect|police|council|court|social|agency|"
    r"diogelu|plant|plentyn|cam-?drin|esgeulus|amddiffyn|heddlu|cyngor|llys|cymdeithasol|asiantaeth|"
    r"dzieck|dzieci|ochron|przemoc|zaniedb|policj|sąd|socjaln|instytucj|"
    r"طفل|أطفال|حماية|إساءة|إهمال|عنف|شرطة|محكمة|اجتماعي",
    re.IGNORECASE,
)
_PICTURES = {"faces": FACES, "pictures": FIGURES + ANSWERS}
_BRACED = re.compile(r"\{[^}]*\}?")


def parse(content: Mapping[str, object], file: str) -> Instrument:
    """The instrument a source table describes (the keys are shown in library/README.md).

    `file` is only used to name faults. Raises InstrumentError with every fault found.
    """
    problems: list[str] = []
    top = Table(content, file, "", problems)
    name, version = top.text("name"), top.integer("version", 1, 9999)
    if name and not NAME.fullmatch(name):
        top.fault("name", f"{name!r} must be lower-case letters, digits and _, starting with a letter")
    language = top.text("language")
    if language and not LANGUAGE.fullmatch(language):
        top.fault("language", f"{language!r} is not a language code; use one such as en or cy")
    rights = top.table("rights") or Table({}, file, "rights", [])
    refusals = _refusals(top)
    pages = _pages(top)
    items = _items(top, tuple(code for code, _ in refusals), pages)
    scales = _scales(top, items)
    _check_codes(top, items, scales)
    instrument = Instrument(
        name=name,
        version=version,
        language=language,
        status=cast("Status", top.one_of("status", ("draft", "approved"))) if "status" in top.content else "approved",
        title=_title(top),
        roles=_known(top, "roles", ROLES),
        waves=_known(top, "waves", WAVES),
        validation=top.text("validation"),
        owner=rights.text("owner"),
        licence=rights.text("licence"),
        licence_url=rights.text("url", required=False),
        licence_checked=rights.day("checked"),
        notice=rights.text("notice", required=False),
        permission=rights.text("permission", required=False),
        media=rights.texts("media", required=False),
        asked=top.truth("asked", default=True) is True,
        form=cast("Form", top.one_of("form", FORMS)) if "form" in top.content else "standard",
        outside_reviews=top.truth("outside_reviews", default=False) is True,
        not_after_death=top.truth("not_after_death", default=False) is True,
        only_after_death=top.truth("only_after_death", default=False) is True,
        refusals=refusals,
        pages=pages,
        items=items,
        scales=scales,
    )
    rights.finish()
    top.finish()
    _check_variables(instrument, top)
    if instrument.not_after_death and instrument.only_after_death:
        top.fault("only_after_death", "cannot stand with not_after_death: it would be offered nowhere; take one out")
    if problems:
        raise InstrumentError(problems)
    return instrument


def _check_variables(instrument: Instrument, top: Table) -> None:
    for key, text in texts_of(instrument).items():
        for braced in _BRACED.findall(text):
            if braced[1:-1] not in VARIABLES:
                known = ", ".join(f"{{{name}}}" for name in VARIABLES)
                top.fault(key, f"{braced!r} is no variable known here; use {known}, or round brackets")


def telling(title: str) -> str:
    """The word of a title that tells too much to whoever picks the phone up; "" when there is none."""
    found = _TELLING.search(title)
    return found.group() if found else ""


def _title(table: Table) -> str:
    title = table.text("title")
    if word := telling(title):
        table.fault("title", f"says {word!r}; a title stays on the phone, so use neutral words")
    return title


def _known(table: Table, key: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    words = table.texts(key)
    for word in words:
        if word not in allowed:
            table.fault(key, f"{word!r} is not known; use {', '.join(allowed)}")
    return words


def _refusals(top: Table) -> tuple[tuple[str, str], ...]:
    table = top.table("refusals", required=False)
    if table is None:
        return ()
    labels = tuple((code, table.text(code)) for code in REFUSALS if code in table.content)
    table.finish()
    return labels


def _pages(top: Table) -> tuple[Page, ...]:
    pages = []
    for number, (code, table) in enumerate(top.tables("pages").items(), start=1):
        if not _PAGE_CODE.fullmatch(code):
            table.fault("", "a page's code is lower-case letters, digits and _, starting with a letter")
        items = table.texts("items")
        if len(items) > MOST_ON_A_PAGE:
            table.fault("items", f"has {len(items)} items; at most {MOST_ON_A_PAGE} fit a page, so divide it")
        pages.append(Page(number, code, _title(table), items))
        table.finish()
    if "pages" in top.content and not pages:
        top.fault("pages", "holds no page; add one, such as [pages.first]")
    return tuple(pages)


def _items(top: Table, refusals: tuple[str, ...], pages: tuple[Page, ...]) -> tuple[Item, ...]:
    """The items in the order of the pages, so that "earlier" in a condition means what a person sees."""
    answers = top.tables("answers", required=False)
    shared = {name: _labels(table) for name, table in answers.items()}
    used: set[str] = set()
    tables = top.tables("items")
    items = {code: _item(code, table, refusals, shared, used) for code, table in tables.items()}
    for name, table in answers.items():
        if name not in used:
            table.fault("", "no item uses these answers; use them or take them out")
    placed = Counter(code for page in pages for code in page.items)
    for page in pages:
        for code in page.items:
            if code not in tables:
                top.fault(f"pages.{page.code}.items", f"there is no item {code!r}; correct it or add the item")
    for code, table in tables.items():
        if placed[code] != 1:
            where = "on no page" if not placed[code] else f"on {placed[code]} pages"
            table.fault("", f"is {where}; name it in the items of exactly one page")
    ordered = {code: items[code] for page in pages for code in page.items if items.get(code) is not None}
    ordered = {**ordered, **{code: item for code, item in items.items() if code not in ordered}}
    return _with_conditions({code: item for code, item in ordered.items() if item is not None}, tables)


def _with_conditions(items: dict[str, Item | None], tables: dict[str, Table]) -> tuple[Item, ...]:
    sound: list[Item] = []
    earlier: dict[str, Item] = {}
    for code, item in items.items():
        if item is None:
            continue
        table = tables[code]
        text = table.text("show_if", required=False)
        if text:
            try:
                condition = parse_condition(text)
            except InstrumentError as error:
                table.fault("show_if", error.problems[0])
            else:
                for problem in check_condition(condition, earlier, set(tables)):
                    table.fault("show_if", problem)
                item = replace(item, show_if=condition)  # noqa: PLW2901 - the same item, now whole
        table.finish()
        earlier[code] = item
        sound.append(item)
    return tuple(sound)


def _item(
    code: str,
    table: Table,
    refusals: tuple[str, ...],
    shared: dict[str, tuple[tuple[str, str], ...]],
    used: set[str],
) -> Item | None:
    if not _ITEM_CODE.fullmatch(code) or code.lower() in WORDS:
        table.fault("", "an item's code is letters, digits and _, starts with a letter, is no word of conditions")
    kind = cast("Kind", table.one_of("kind", KINDS))
    item = Item(code=code, kind=kind, text=table.text("text"), hint=table.text("hint", required=False))
    if not kind:
        return None
    if "picture" in table.content:
        item = replace(item, picture=table.one_of("picture", BESIDE))
    if kind != "information":
        allowed = table.texts("refusals", required=False)
        for word in allowed:
            if word not in refusals:
                table.fault("refusals", f"{word!r} has no label in [refusals]; add it there or take it out here")
        item = replace(
            item,
            refusals=allowed if "refusals" in table.content or kind in WRITTEN else refusals,
        )
    if kind in NUMBERED or kind in WORDED:
        return _with_options(item, table, shared, used)
    if kind == "number":
        low, high = table.number("minimum"), table.number("maximum")
        item = replace(item, minimum=low, maximum=high, decimals=table.integer("decimals", 0, 12, default=0))
        _check_bounds(table, low is not None and high is not None and low > high)
    elif kind == "date":
        first, last = table.day("minimum"), table.day("maximum")
        item = replace(item, minimum=first, maximum=last)
        _check_bounds(table, first is not None and last is not None and first > last)
    elif kind in WRITTEN:
        longest = LONGEST[kind]
        item = replace(item, max_length=table.integer("max_length", 1, longest, default=longest))
    return item


def _check_bounds(table: Table, turned: bool) -> None:
    if turned:
        table.fault("minimum", "is greater than the maximum; exchange or correct them")


def _with_options(item: Item, table: Table, shared: dict[str, tuple[tuple[str, str], ...]], used: set[str]) -> Item:
    labels = _chosen_labels(item, table, shared, used)
    if not labels:
        return item
    pattern = _NUMBER_CODE if item.kind in NUMBERED else _WORD_CODE
    wrong = [code for code, _ in labels if not pattern.fullmatch(code) or code in REFUSALS]
    for code in wrong:
        needed = "a whole number from 0 to 999" if item.kind in NUMBERED else "lower-case letters, digits and _"
        table.fault("options", f"the code {code!r} must be {needed}, and no refusal")
    repeated = [label for label, times in Counter(label for _, label in labels).items() if times > 1]
    for label in repeated:
        table.fault("options", f"two answers read {label!r}; make each different")
    if wrong:
        return item
    if item.kind == "rating":
        return replace(item, options=_rating(table, dict(labels)))
    if item.kind in WORDED:
        _check_words(item, table, tuple(code for code, _ in labels))
        return replace(item, options=labels)
    codes = [int(code) for code, _ in labels]
    if not 2 <= len(codes) <= 7 or codes != list(range(codes[0], codes[0] + len(codes))):
        table.fault("options", "must be two to seven answers numbered in steps of one, lowest first")
    item = replace(item, options=tuple((int(code), label) for code, label in labels))
    return replace(item, pictures=_drawings(item, table)) if item.kind in _PICTURES else item


def _chosen_labels(
    item: Item, table: Table, shared: dict[str, tuple[tuple[str, str], ...]], used: set[str]
) -> tuple[tuple[str, str], ...]:
    """The item's own table of answers, or the shared answers it names, or those named after its kind."""
    own = table.content.get("options", item.kind)
    if isinstance(own, dict):
        inner = table.table("options")
        return _labels(inner) if inner else ()
    name = table.text("options") if "options" in table.content else item.kind
    used.add(name)
    if name in shared:
        return shared[name]
    if "options" not in table.content:
        table.table("options")  # notes that it is missing
    elif name:
        table.fault("options", f"there are no answers called {name!r}; add [answers.{name}] or correct the name")
    return ()


def _labels(table: Table) -> tuple[tuple[str, str], ...]:
    if not table.content:
        table.fault("", "has no answers; add at least two")
    return tuple((code, table.text(code)) for code in table.content)


def _check_words(item: Item, table: Table, codes: tuple[str, ...]) -> None:
    if item.kind == "yes_no" and set(codes) != {"yes", "no"}:
        table.fault("options", "a yes_no item has exactly the answers yes and no")
    if len(codes) < 2:
        table.fault("options", "has one answer; a choice needs at least two")


def _rating(table: Table, labels: dict[str, str]) -> tuple[tuple[int | str, str], ...]:
    if not {"0", "10"} <= set(labels) <= {str(number) for number in range(11)}:
        table.fault("options", "a rating runs from 0 to 10: label 0 and 10, and others if you wish")
    return tuple(
        (number, f"{number} – {labels[str(number)]}" if str(number) in labels else str(number)) for number in range(11)
    )


def _drawings(item: Item, table: Table) -> tuple[str, ...]:
    names, known = table.texts("pictures"), _PICTURES[item.kind]
    for name in names:
        if name not in known:
            table.fault("pictures", f"{name!r} is not drawn; use {', '.join(known)}")
    if names and len(names) != len(item.options):
        table.fault("pictures", f"names {len(names)} drawings for {len(item.options)} answers; name one an answer")
    return names


def _scales(top: Table, items: tuple[Item, ...]) -> tuple[Scale, ...]:
    known = {item.code: item for item in items}
    scales: dict[str, Scale] = {}
    for code, table in top.tables("scales", required=False).items():
        if not _SCALE_CODE.fullmatch(code):
            table.fault("", "a scale's code is capital letters and digits, starting with a letter")
        low, high = _range(table)
        scale = Scale(
            code=code,
            title=table.text("title"),
            construct=table.text("construct"),
            higher=table.text("higher"),
            items=table.texts("items"),
            min_answered=table.integer("min_answered", 1, 999),
            reported=cast("Reported", table.one_of("reported", ("0-100", "raw"))),
            reversed=table.texts("reversed", required=False),
            minimum=low,
            maximum=high,
            higher_is_better=table.truth("higher_is_better", default=None),
            referent=table.text("referent", required=False) or None,
            part_of=table.text("part_of", required=False) or None,
        )
        check_scale(scale, table, known, scales)
        scales[code] = scale
        table.finish()
    return tuple(scales.values())


def _range(table: Table) -> tuple[float | None, float | None]:
    return table.pair("range") or (None, None)


def _check_codes(top: Table, items: tuple[Item, ...], scales: tuple[Scale, ...]) -> None:
    codes = [item.code for item in items] + [scale.code for scale in scales]
    for code, times in Counter(code.lower() for code in codes).items():
        if times > 1:
            top.fault("", f"the code {code!r} is used {times} times by items and scales; each needs its own")
