"""An instrument back into the files it is read from: what is written reads as the same instrument."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path

from instruments.conditions import And, Answered, Compare, Condition, Not, OneOf, Or
from instruments.definitions import WRITTEN, Instrument, Item, Scale, texts_of
from instruments.files import MADE_FROM, MAP
from instruments.reading import LONGEST

_Labels = tuple[tuple[str, str], ...]
_ESCAPED: Mapping[str, str] = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_Shared = dict[str, tuple[str, _Labels]]  # by item code: the name of the answers it shares, and their labels


def source(instrument: Instrument, *comments: str) -> str:
    """The TOML of an instrument in its first language, comments above it.

    >>> from instruments import library
    >>> import tomllib
    >>> measure = library().latest("measure")
    >>> tomllib.loads(source(measure))["name"]
    'measure'
    """
    first = _first(instrument)
    shared = _shared_answers(first)
    lines = [f"# {line}".rstrip() for comment in comments for line in comment.splitlines()]
    lines += _head(first)
    for name, labels in dict(shared.values()).items():
        lines += ["", f"[answers.{name}]", *_labelled(labels)]
    for page in first.pages:
        lines += ["", f"[pages.{page.code}]", _line("title", page.title), _line("items", page.items)]
    for item in first.items:
        lines += ["", *_item(item, first, shared.get(item.code))]
    for scale in first.scales:
        lines += ["", *_scale(scale)]
    return "\n".join(lines) + "\n"


def translation(instrument: Instrument, language: str) -> str:
    """The TOML of its texts in another of its languages; InstrumentError where it is not in that language."""
    first = _first(instrument)
    other, shared = instrument.in_language(language), _shared_answers(first)
    texts, given = texts_of(other), texts_of(first)
    lines = [
        _line("name", other.name),
        _line("version", other.version),
        _line("language", language),
        _line("status", other.status),
        _line("title", other.title),
    ]
    if other.refusals:
        lines += ["", "[refusals]", *_labelled(other.refusals)]
    written: set[str] = set()
    for item in other.items:
        if item.code in shared and shared[item.code][0] not in written:
            written.add(shared[item.code][0])
            lines += ["", f"[answers.{shared[item.code][0]}]", *_labelled(_own_labels(item))]
    for page in other.pages:
        lines += ["", f"[pages.{page.code}]", _line("title", page.title)]
    for item in other.items:
        lines += ["", f"[items.{item.code}]", _line("text", item.text)]
        lines += [_line("hint", item.hint)] if f"items.{item.code}.hint" in given else []
        if item.options and item.code not in shared:
            lines += [f"[items.{item.code}.options]", *_labelled(_own_labels(item))]
    for scale in other.scales:
        keys = ("title", "construct", "higher")
        lines += ["", f"[scales.{scale.code}]", *(_line(key, texts[f"scales.{scale.code}.{key}"]) for key in keys)]
    return "\n".join(lines) + "\n"


def files(instrument: Instrument, *comments: str) -> dict[str, str]:
    """The files of an instrument by their names within its folder: the source, then its translations."""
    found = {f"{instrument.version}.toml": source(instrument, *comments)}
    others = instrument.languages[1:]
    return found | {f"{instrument.version}.{language}.toml": translation(instrument, language) for language in others}


def write(instrument: Instrument, folder: Path, *comments: str) -> tuple[Path, ...]:
    """Write those files to FOLDER/NAME, in place of the same version's that were there; the paths written."""
    home = folder / instrument.name
    home.mkdir(parents=True, exist_ok=True)
    found = files(instrument, *comments)
    for old in home.glob(f"{instrument.version}.*toml"):
        if old.name not in found and not old.name.endswith((MAP, MADE_FROM)):
            old.unlink()
    for name, text in found.items():
        half = folder / f".{instrument.name}.{name}"  # written beside, then put in place: nobody ever reads half a file
        half.write_text(text, encoding="utf-8", newline="\n")
        half.replace(home / name)
    return tuple(home / name for name in found)


def condition_text(condition: Condition) -> str:
    """A condition in the words of its grammar: `parse_condition` reads it back to the same tree.

    >>> from instruments import parse_condition
    >>> condition_text(parse_condition('not (age<16) and tea in ("a","b")'))
    'not age < 16 and tea in ("a", "b")'
    """
    match condition:
        case And(parts):
            return " and ".join(_part(part) for part in parts)
        case Or(parts):
            return " or ".join(_part(part) for part in parts)
        case Not(part):
            return f"not {_part(part)}"
        case Answered(item):
            return f"answered({item})"
        case Compare(item, sign, value):
            return f"{item} {sign} {_value(value)}"
        case OneOf(item, values):
            return f"{item} in ({', '.join(_value(value) for value in values)})"


def _first(instrument: Instrument) -> Instrument:
    """The same in the language it was written in."""
    languages = instrument.languages
    return instrument.in_language(languages[0]) if languages and languages[0] != instrument.language else instrument


def _part(condition: Condition) -> str:
    text = condition_text(condition)
    return f"({text})" if isinstance(condition, And | Or) else text


def _value(value: float | str) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    text = str(value)
    return format(Decimal(text), "f") if "e" in text else text


def _head(instrument: Instrument) -> Iterator[str]:
    yield _line("name", instrument.name)
    yield _line("version", instrument.version)
    yield _line("language", instrument.language)
    if instrument.status != "approved":
        yield _line("status", instrument.status)
    yield _line("title", instrument.title)
    yield _line("roles", instrument.roles)
    yield _line("waves", instrument.waves)
    if not instrument.asked:
        yield _line("asked", value=False)
    if instrument.form != "standard":
        yield _line("form", instrument.form)
    for key in ("outside_reviews", "not_after_death", "only_after_death"):
        if getattr(instrument, key):
            yield _line(key, value=True)
    yield _line("validation", instrument.validation)
    yield from ("", "[rights]", _line("owner", instrument.owner), _line("licence", instrument.licence))
    if instrument.licence_url:
        yield _line("url", instrument.licence_url)
    if instrument.licence_checked:
        yield _line("checked", instrument.licence_checked)
    for key in ("permission", "notice", "media"):
        if getattr(instrument, key):
            yield _line(key, getattr(instrument, key))
    if instrument.refusals:
        yield from ("", "[refusals]", *_labelled(instrument.refusals))


def _item(item: Item, instrument: Instrument, shared: tuple[str, _Labels] | None) -> Iterator[str]:
    yield f"[items.{item.code}]"
    yield _line("kind", item.kind)
    if shared is not None and shared[0] != item.kind:
        yield _line("options", shared[0])
    yield _line("text", item.text)
    if item.hint:
        yield _line("hint", item.hint)
    if item.picture:
        yield _line("picture", item.picture)
    if item.pictures:
        yield _line("pictures", item.pictures)
    for key, bound in (("minimum", item.minimum), ("maximum", item.maximum)):
        if bound is not None:
            yield _line(key, bound)
    if item.decimals:
        yield _line("decimals", item.decimals)
    if item.kind in WRITTEN and item.max_length is not None and item.max_length != LONGEST[item.kind]:
        yield _line("max_length", item.max_length)
    usual = () if item.kind in WRITTEN else tuple(code for code, _ in instrument.refusals)
    if item.kind != "information" and item.refusals != usual:
        yield _line("refusals", item.refusals)
    if item.show_if is not None:
        yield _line("show_if", condition_text(item.show_if))
    if item.options and shared is None:
        yield from (f"[items.{item.code}.options]", *_labelled(_own_labels(item)))


def _scale(scale: Scale) -> Iterator[str]:
    yield f"[scales.{scale.code}]"
    yield _line("title", scale.title)
    yield _line("construct", scale.construct)
    yield _line("higher", scale.higher)
    if scale.higher_is_better is not None:
        yield _line("higher_is_better", scale.higher_is_better)
    yield _line("items", scale.items)
    if scale.reversed:
        yield _line("reversed", scale.reversed)
    if scale.minimum is not None and scale.maximum is not None:
        yield f"range = [{scale.minimum}, {scale.maximum}]"
    yield _line("min_answered", scale.min_answered)
    yield _line("reported", scale.reported)
    if scale.referent is not None:
        yield _line("referent", scale.referent)
    if scale.part_of is not None:
        yield _line("part_of", scale.part_of)


def _shared_answers(instrument: Instrument) -> _Shared:
    """Answers that at least two items of a kind have, in every language: the most used are named after the kind."""
    languages = [instrument.in_language(language) for language in instrument.languages] or [instrument]
    sets = {
        item.code: (item.kind, tuple(_own_labels(one.item(item.code)) for one in languages))
        for item in instrument.items
        if item.options
    }
    names: dict[tuple[str, tuple[_Labels, ...]], str] = {}
    taken: Counter[str] = Counter()
    for key, times in Counter(sets.values()).most_common():
        if times > 1:
            taken[key[0]] += 1
            names[key] = key[0] if taken[key[0]] == 1 else f"{key[0]}_{taken[key[0]]}"
    return {code: (names[key], _own_labels(instrument.item(code))) for code, key in sets.items() if key in names}


def _own_labels(item: Item) -> _Labels:
    """Codes and labels as a file has them: a rating's without its number, and only those that say more than it."""
    if item.kind != "rating":
        return tuple((str(code), label) for code, label in item.options)
    said = ((str(code), label.removeprefix(f"{code} – ")) for code, label in item.options if label != str(code))
    return tuple(said)


def _labelled(labels: Iterable[tuple[str, str]]) -> list[str]:
    return [_line(code, label) for code, label in labels]


def _line(key: str, value: object) -> str:
    return f"{key} = {_toml(value)}"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{"".join(_ESCAPED.get(letter) or _seen(letter) for letter in value)}"'
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(one) for one in value)}]"
    return value.isoformat() if isinstance(value, date) else str(value)


def _seen(letter: str) -> str:
    return f"\\u{ord(letter):04x}" if ord(letter) < 32 or ord(letter) == 127 else letter
