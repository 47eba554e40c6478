"""How one version of a questionnaire differs from another: item by item, scale by scale, and what else changed."""

from __future__ import annotations

from dataclasses import fields
from typing import NamedTuple

from instruments.definitions import Instrument, Item, Scale
from instruments.maps import how_they_differ
from instruments.writing import condition_text

HOW = ("same", "reworded", "recoded", "reworded_and_recoded", "added", "removed")
_BESIDE = ("hint", "minimum", "maximum", "decimals", "max_length", "refusals", "show_if", "pictures", "picture")
_FACTS = (
    "title", "language", "status", "roles", "waves", "validation", "owner", "licence", "asked", "form",
    "outside_reviews", "not_after_death", "only_after_death", "refusals",
)  # fmt: skip


class Change(NamedTuple):
    """One item or scale: how it differs, and each thing that changed as it was and as it is."""

    code: str
    how: str
    parts: tuple[tuple[str, str, str], ...]


class Difference(NamedTuple):
    """Items in the order of the newer version, those that went last; scales that changed; facts that changed."""

    items: tuple[Change, ...]
    scales: tuple[Change, ...]
    facts: tuple[tuple[str, str, str], ...]


def difference(old: Instrument, new: Instrument) -> Difference:
    """What changed between two versions, items and scales matched by their codes. An item that is only moved is the same."""
    before, after = {item.code: item for item in old.items}, {item.code: item for item in new.items}
    items = [_item(before.get(code), item) for code, item in after.items()]
    items += [Change(code, "removed", (("text", item.text, ""),)) for code, item in before.items() if code not in after]
    were, are = {scale.code: scale for scale in old.scales}, {scale.code: scale for scale in new.scales}
    scales = [_scale(were.get(code), scale) for code, scale in are.items()]
    scales += [Change(code, "removed", ()) for code in were if code not in are]
    facts = tuple(
        (name, _said(getattr(old, name)), _said(getattr(new, name)))
        for name in _FACTS
        if getattr(old, name) != getattr(new, name)
    )
    return Difference(tuple(items), tuple(change for change in scales if change.how != "same"), facts)


def _item(old: Item | None, new: Item) -> Change:
    if old is None:
        return Change(new.code, "added", (("text", "", new.text),))
    parts = [("text", old.text, new.text)] if old.text != new.text else []
    if (old.kind, old.options) != (new.kind, new.options):
        parts += [("kind", old.kind, new.kind)] if old.kind != new.kind else []
        parts += [("answers", _options(old), _options(new))] if old.options != new.options else []
    parts += [
        (name, _said(getattr(old, name)), _said(getattr(new, name)))
        for name in _BESIDE
        if getattr(old, name) != getattr(new, name)
    ]
    return Change(new.code, how_they_differ(new, old), tuple(parts))


def _scale(old: Scale | None, new: Scale) -> Change:
    if old is None:
        return Change(new.code, "added", ())
    parts = tuple(
        (one.name, _said(getattr(old, one.name)), _said(getattr(new, one.name)))
        for one in fields(Scale)
        if getattr(old, one.name) != getattr(new, one.name)
    )
    return Change(new.code, "changed" if parts else "same", parts)


def _options(item: Item) -> str:
    return "; ".join(f"{code} = {label}" for code, label in item.options)


def _said(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, tuple) and type(value) is not tuple:  # a condition
        return condition_text(value)  # type: ignore[arg-type]
    if isinstance(value, tuple):
        return ", ".join(" ".join(map(str, one)) if isinstance(one, tuple) else str(one) for one in value) or "nothing"
    return str(value)
