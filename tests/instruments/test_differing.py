"""How two versions differ, item by item and scale by scale."""

import tomllib

from instruments import Instrument, library, parse
from instruments.differing import HOW, difference
from instruments.starting import starting


def version(number: int, *changes: tuple[str, str]) -> Instrument:
    text = starting("tea").replace("version = 1", f"version = {number}")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return parse(tomllib.loads(text), f"tea/{number}.toml")


def how(old: Instrument, new: Instrument) -> dict[str, str]:
    return {one.code: one.how for one in difference(old, new).items}


def test_versions_that_differ_in_nothing_are_the_same() -> None:
    found = difference(version(1), version(2))
    assert {one.how for one in found.items} == {"same"}
    assert (found.scales, found.facts) == ((), ())


def test_items_are_reworded_recoded_added_and_removed() -> None:
    new = version(
        2,
        ("I had time to think.", "I have time to think."),
        ('yes = "Yes"', 'yes = "Yes, there is"'),
        ('"ONE3"]\n\n[pages', '"ONE4"]\n\n[pages'),
        ("[items.ONE3]", "[items.ONE4]"),
        ('"ONE2", "ONE3"]\nreversed = ["ONE3"]', '"ONE2", "ONE4"]\nreversed = ["ONE4"]'),
    )
    assert how(version(1), new) == {
        "about": "same", "ONE1": "reworded", "ONE2": "same", "ONE4": "added", "more": "recoded", "words": "same", "ONE3": "removed",
    }  # fmt: skip
    assert set(how(version(1), new).values()) <= set(HOW)


def test_a_scale_that_changed_says_in_what() -> None:
    found = difference(version(1), version(2, ("min_answered = 2", "min_answered = 3")))
    assert [(one.code, one.how, one.parts) for one in found.scales] == [
        ("ONE", "changed", (("min_answered", "2", "3"),))
    ]


def test_what_stands_beside_the_words_is_said_though_the_item_is_the_same() -> None:
    found = difference(version(1), version(2, ("show_if = 'more = \"yes\"'", "show_if = 'more != \"no\"'")))
    (words,) = [one for one in found.items if one.code == "words"]
    assert words.how == "same"
    assert words.parts == (("show_if", 'more = "yes"', 'more != "no"'),)


def test_facts_that_changed_are_said() -> None:
    found = difference(version(1), version(2, ('roles = ["practitioner"]', 'roles = ["manager"]')))
    assert found.facts == (("roles", "practitioner", "manager"),)


def test_a_shipped_version_only_adds_what_its_map_says_is_alone() -> None:
    shipped = library()
    found = how(shipped.get("practitioner_after", 1), shipped.get("practitioner_after", 2))
    assert {code for code, how in found.items() if how != "same"} == {"SPR1", "SPR2"}
