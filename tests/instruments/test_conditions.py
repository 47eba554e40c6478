"""Conditions: what the grammar reads, what it refuses, and what counts as true."""

from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instruments import (
    And,
    Answered,
    Compare,
    InstrumentError,
    Not,
    OneOf,
    Or,
    holds,
    named_items,
    pages,
    parse,
    parse_condition,
    read,
    visible,
)

EXAMPLES = Path(__file__).parent / "examples"


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ('a = "yes"', Compare("a", "=", "yes")),
        ("a != 1", Compare("a", "!=", 1)),
        ("a<-2.5", Compare("a", "<", -2.5)),
        ("  a >= 10 ", Compare("a", ">=", 10)),
        ('a in ("x", "y")', OneOf("a", ("x", "y"))),
        ("a in (1)", OneOf("a", (1,))),
        ("answered(a)", Answered("a")),
        ("not answered(a)", Not(Answered("a"))),
        (
            "a = 1 and b = 2 and c = 3",
            And((Compare("a", "=", 1), Compare("b", "=", 2), Compare("c", "=", 3))),
        ),
        # and binds closer than or, not closer than both
        (
            "a = 1 or b = 2 and c = 3",
            Or((Compare("a", "=", 1), And((Compare("b", "=", 2), Compare("c", "=", 3))))),
        ),
        ("not a = 1 and b = 2", And((Not(Compare("a", "=", 1)), Compare("b", "=", 2)))),
        (
            "(a = 1 or b = 2) and c = 3",
            And((Or((Compare("a", "=", 1), Compare("b", "=", 2))), Compare("c", "=", 3))),
        ),
        (
            'present = "yes" and not (age < 16)',
            And((Compare("present", "=", "yes"), Not(Compare("age", "<", 16)))),
        ),
        ('a = "and (or) not"', Compare("a", "=", "and (or) not")),
    ],
)
def test_the_grammar_reads(text: str, tree: object) -> None:
    assert parse_condition(text) == tree


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "ends too soon"),
        ("a", "after a the condition needs"),
        ("a =", "ends too soon"),
        ("a = b", "needs a number"),
        ("a == 1", "needs a number"),
        ("= 1", "needs an item code"),
        ("1 = a", "needs an item code"),
        ("a = 1 b", "goes on with 'b'"),
        ("a = 1)", "goes on with ')'"),
        ("(a = 1", "ends too soon"),
        ("a in ()", "needs a number"),
        ("a in 1", "needs '('"),
        ("a in (1 2)", "needs ')'"),
        ("answered a", "needs '('"),
        ("answered(and)", "needs an item code"),
        ("not", "ends too soon"),
        ("a = 1 and", "ends too soon"),
        ("a and b", "after a the condition needs"),
        ("AND = 1 OR b = 2", "goes on with 'OR'"),
        ('a = "open', "cannot be read"),
        ("a = 'yes'", "cannot be read"),
        ("a = 1; import os", "cannot be read"),
        ("a.b = 1", "cannot be read"),
        ("__import__ = 1", "cannot be read"),
        ("a = 1e9", "cannot be read"),
        ("a = 1.2.3", "cannot be read"),
        ("a = " + "9" * 16, "cannot be read"),
        ("a = ١", "cannot be read"),
        ("a = 1 or " * 60 + "a = 1", "characters"),
        ("(" * 11 + "a = 1" + ")" * 11, "nested deeper"),
        ("not " * 11 + "a = 1", "nested deeper"),
    ],
)
def test_the_grammar_refuses(text: str, words: str) -> None:
    with pytest.raises(InstrumentError) as caught:
        parse_condition(text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "values", "truth"),
    [
        ("a = 1", {"a": 1}, True),
        ("a = 1", {"a": 1.0}, True),
        ("a != 1", {"a": 2}, True),
        ("a < 2", {"a": 1}, True),
        ("a <= 2", {"a": 3}, False),
        ("a > 2", {"a": 3}, True),
        ("a >= 2.5", {"a": 2.4}, False),
        ('a = "yes"', {"a": "yes"}, True),
        ('a in ("x", "y")', {"a": "y"}, True),
        ('a in ("x", "y")', {"a": "z"}, False),
        # several answers: any of them counts
        ('a in ("x", "y")', {"a": ["z", "y"]}, True),
        ('a in ("x", "y")', {"a": []}, False),
        ('a > "2024-05-31"', {"a": "2024-06-01"}, True),
        ('a = "2024-05-31"', {"a": date(2024, 5, 31)}, True),
        ('a = "2024-05-31"', {"a": datetime(2024, 5, 31, 10)}, True),  # noqa: DTZ001 - a day has no zone
        # a missing answer makes every comparison false, unequal too
        *[(f"a {sign} 1", {"a": None}, False) for sign in ("=", "!=", "<", "<=", ">", ">=")],
        ("a != 1", {}, False),
        ("a != 1", {"a": "prefer_not"}, False),
        ('a != "x"', {"a": "not_applicable"}, False),
        ("a != 1", {"a": float("nan")}, False),
        ("a in (1, 2)", {"a": None}, False),
        ("not (a < 16)", {}, True),
        # an answer of another type is no match and no failure
        ("a = 1", {"a": "1"}, False),
        ('a = "1"', {"a": 1}, False),
        ("a = 1", {"a": True}, False),
        ("a < 1", {"a": object()}, False),
        ("a < 1", {"a": "0"}, False),
        ('a < "2024-05-31"', {"a": 1}, False),
        ("answered(a)", {"a": 0}, True),
        ("answered(a)", {"a": " "}, False),
        ("answered(a)", {"a": "prefer_not"}, False),
        ("answered(a)", {}, False),
        ("a = 1 or b = 1", {"b": 1}, True),
        ("a = 1 and b = 1", {"b": 1}, False),
    ],
)
def test_a_condition_is_true_or_false_of_answers(text: str, values: dict[str, object], truth: bool) -> None:
    assert holds(parse_condition(text), values) is truth


def test_a_condition_names_its_items() -> None:
    assert named_items(parse_condition("a = 1 or not (b in (1) and answered(a))")) == ("a", "b", "a")


def shown(values: dict[str, object]) -> list[str]:
    return [item.code for item in visible(read(EXAMPLES / "conditions" / "1.toml"), values)]


def test_a_question_appears_when_its_condition_holds() -> None:
    assert shown({}) == ["tea", "age", "words"]
    assert shown({"tea": "yes"}) == ["tea", "age", "cups", "words"]
    assert shown({"tea": "yes", "cups": 2}) == ["tea", "age", "cups", "milk", "words"]
    assert shown({"tea": "yes", "cups": 2, "age": 12}) == ["tea", "age", "cups", "words"]


def test_an_answer_to_a_question_now_hidden_no_longer_counts() -> None:
    assert shown({"tea": "no", "cups": 2}) == ["tea", "age", "words"]


def test_a_page_with_nothing_to_show_is_skipped_and_keeps_its_number() -> None:
    conditions = read(EXAMPLES / "conditions" / "1.toml")
    assert [(page.number, page.code) for page, _ in pages(conditions, {})] == [(1, "first"), (3, "third")]
    second = pages(conditions, {"tea": "yes"})[1]
    assert (second[0].number, [item.code for item in second[1]]) == (2, ["cups"])


WORDS = st.sampled_from(
    [
        "a",
        "b",
        "and",
        "or",
        "not",
        "in",
        "answered",
        "(",
        ")",
        ",",
        "=",
        "!=",
        "<",
        "1",
        "-2.5",
        '"x"',
        '"',
        "é",
    ]
)
ANSWERS = st.dictionaries(
    st.sampled_from(["a", "b"]),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()) | st.dates(),
)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.lists(WORDS, max_size=20).map(" ".join), ANSWERS)
def test_whatever_is_written_is_a_condition_or_is_refused(text: str, values: dict[str, object]) -> None:
    try:
        condition = parse_condition(text)
    except InstrumentError:
        return
    assert holds(condition, values) in (True, False)
    assert [code for code in named_items(condition) if code not in text] == []


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates() | st.datetimes()
KEYS = st.sampled_from(
    [
        "name",
        "version",
        "title",
        "pages",
        "items",
        "scales",
        "rights",
        "roles",
        "answers",
        "refusals",
        "kind",
        "text",
        "options",
        "range",
        "reversed",
        "pictures",
        "minimum",
        "maximum",
        "show_if",
        "agreement",
        "a",
        "1",
    ]
)
TREES = st.recursive(
    LEAVES | st.sampled_from(["agreement", "number", "date", "faces", "rating", "single", "a = 1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(KEYS, TREES, max_size=10))
def test_whatever_the_tables_hold_only_our_own_error_is_raised(content: dict[str, object]) -> None:
    with pytest.raises(InstrumentError):
        parse(content, "fuzz/1.toml")
