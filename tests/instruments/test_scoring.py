"""Scores of every shipped scale, worked out by hand: the table is the referee."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments import Instrument, InstrumentError, Scale, library, score

LIBRARY = library()
SCALES = [
    pytest.param(instrument, scale, id=f"{instrument.name}-{instrument.version}-{scale.code}")
    for instrument in LIBRARY
    for scale in instrument.scales
    if scale.reported == "0-100"
]
# How many answers a scale needs, from how many items it has: three quarters, or two of three.
NEEDED = {1: 1, 2: 2, 3: 2, 4: 3, 5: 4, 8: 6, 12: 9}


# What opens a question that is only shown on a yes.
SHOWN = {"ASKOWN": "yes"}


def answers(scale: Scale, value: float, turned: float, count: int | None = None) -> dict[str, object]:
    """The first `count` items answered: `turned` for the reversed ones, `value` for the others."""
    codes = scale.items[:count]
    return SHOWN | {code: turned if code in scale.reversed else value for code in codes}


def ends(scale: Scale) -> tuple[int, int]:
    assert scale.minimum is not None
    assert scale.maximum is not None
    return int(scale.minimum), int(scale.maximum)


@pytest.mark.parametrize(("instrument", "scale"), SCALES)
def test_the_best_answers_score_100_the_worst_0_and_the_middle_50(instrument: Instrument, scale: Scale) -> None:
    low, high = ends(scale)
    middle = (low + high) // 2
    assert score(instrument, answers(scale, high, low))[scale.code] == 100
    assert score(instrument, answers(scale, low, high))[scale.code] == 0
    assert score(instrument, answers(scale, middle, middle))[scale.code] == 50
    one_up = float(100 * Fraction(middle + 1 - low, high - low))
    assert score(instrument, answers(scale, middle + 1, middle - 1))[scale.code] == one_up


@pytest.mark.parametrize(("instrument", "scale"), SCALES)
def test_one_answer_to_every_item_shows_how_many_are_reversed(instrument: Instrument, scale: Scale) -> None:
    straight = len(scale.items) - len(scale.reversed)
    high = ends(scale)[1]
    expected = float(Fraction(100 * straight, len(scale.items)))
    assert score(instrument, answers(scale, high, high))[scale.code] == expected


@pytest.mark.parametrize(("instrument", "scale"), SCALES)
def test_the_fewest_answers_score_and_one_fewer_does_not(instrument: Instrument, scale: Scale) -> None:
    low, high = ends(scale)
    assert scale.min_answered == NEEDED[len(scale.items)]
    assert score(instrument, answers(scale, high, low, scale.min_answered))[scale.code] == 100
    assert score(instrument, answers(scale, high, low, scale.min_answered - 1))[scale.code] is None


@pytest.mark.parametrize("name", ["ONSSAT", "ONSWORTH", "ONSHAPPY", "ONSANX"])
@pytest.mark.parametrize("value", [0, 7, 10, None, "prefer_not"])
def test_the_office_s_questions_are_reported_one_by_one_as_they_are(name: str, value: object) -> None:
    ons4 = LIBRARY.latest("ons4")
    (item,) = ons4.scale(name).items
    expected = value if isinstance(value, int) else None
    assert score(ons4, {item: value}) == {scale.code: expected if scale.code == name else None for scale in ons4.scales}


@pytest.mark.parametrize(("instrument", "scale"), SCALES)
@pytest.mark.parametrize("missing", [None, "prefer_not", "not_applicable", math.nan, ""])
def test_nothing_but_refusals_is_no_score_and_never_0(instrument: Instrument, scale: Scale, missing: object) -> None:
    assert score(instrument, SHOWN | dict.fromkeys(scale.items, missing))[scale.code] is None


@pytest.mark.parametrize(
    ("given_answers", "expected"),
    [
        # reversed: 6 - 2 = 4 and 6 - 1 = 5; mean of 4 5 4 3 is 4; (4 - 1) / 4 is 75
        ({"BLG1": 2, "BLG2": 1, "BLG3": 4, "BLG4": 3}, {"BLG": 75, "BLGPOS": 62.5, "BLGNEG": 87.5}),
        # agreeing with everything is 50 on the whole, and the halves tell why
        ({"BLG1": 5, "BLG2": 5, "BLG3": 5, "BLG4": 5}, {"BLG": 50, "BLGPOS": 100, "BLGNEG": 0}),
        # three of four: mean of 4 5 4 is 13/3; (13/3 - 1) / 4 is 83.33…; the negative half is whole
        ({"BLG1": 2, "BLG2": 1, "BLG3": 4}, {"BLG": float(Fraction(250, 3)), "BLGPOS": None, "BLGNEG": 87.5}),
        ({"BLG1": 2, "BLG2": 1}, {"BLG": None, "BLGPOS": None, "BLGNEG": 87.5}),
        (
            {"BLG1": 2, "BLG2": "prefer_not", "BLG3": 4, "BLG4": 3},
            {"BLG": float(Fraction(200, 3)), "BLGNEG": None},
        ),
        ({}, {"BLG": None, "BLGPOS": None, "BLGNEG": None}),
    ],
)
@pytest.mark.parametrize("name", ["practitioner_before", "practitioner_after", "practitioner_month3"])
def test_freedom_from_blame_and_its_halves(
    name: str, given_answers: dict[str, object], expected: dict[str, float | None]
) -> None:
    scores = score(LIBRARY.latest(name), given_answers)
    assert {code: scores[code] for code in expected} == expected


def test_morale_with_two_reversed_items_and_one_refused() -> None:
    # 4, 5, 6 - 2 = 4, 6 - 4 = 2: mean 3.75; (3.75 - 1) / 4 = 68.75
    given_answers = {"MOR1": 4, "MOR2": 5, "MOR3": 2, "MOR4": "not_applicable", "MOR5": 4}
    assert score(LIBRARY.latest("practitioner_after"), given_answers)["MOR"] == 68.75


def test_every_scale_is_named_even_when_nothing_is_answered() -> None:
    for instrument in LIBRARY:
        assert score(instrument, {}) == dict.fromkeys([scale.code for scale in instrument.scales])


@pytest.mark.parametrize("value", [0, -273.15, 1e9, 12.5])
def test_a_raw_measure_is_itself(value: float) -> None:
    assert score(LIBRARY.latest("measure"), {"value": value}) == {"MEASURE": value}


@pytest.mark.parametrize("value", [0, 6, "4", "much", True, math.inf, [3], object()])
def test_an_answer_outside_the_format_is_refused_and_never_scored(value: object) -> None:
    with pytest.raises(InstrumentError, match="BLG3"):
        score(LIBRARY.latest("practitioner_before"), {"BLG1": 3, "BLG2": 3, "BLG3": value, "BLG4": 3})


@given(st.dictionaries(st.sampled_from(["BLG1", "BLG2", "BLG3", "BLG4"]), st.integers(1, 5) | st.none()))
def test_a_score_is_missing_or_between_0_and_100_and_its_mirror_adds_up(
    values: dict[str, int | None],
) -> None:
    instrument = LIBRARY.latest("practitioner_before")
    mirrored = {code: None if value is None else 6 - value for code, value in values.items()}
    given_score, mirror = score(instrument, values)["BLG"], score(instrument, mirrored)["BLG"]
    if given_score is None:
        assert mirror is None
    else:
        assert mirror is not None
        assert 0 <= given_score <= 100
        assert given_score + mirror == pytest.approx(100, abs=1e-12)


def test_an_answer_to_a_hidden_question_is_not_scored() -> None:
    from instruments import parse

    hidden = {
        "name": "tea",
        "version": 1,
        "language": "en",
        "title": "Tea",
        "roles": ["parent"],
        "waves": ["after"],
        "validation": "none",
        "rights": {"owner": "us", "licence": "Apache-2.0"},
        "pages": {"only": {"title": "One", "items": ["drink", "cups"]}},
        "items": {
            "drink": {"kind": "yes_no", "text": "Tea?", "options": {"yes": "Yes", "no": "No"}},
            "cups": {"kind": "number", "text": "Cups?", "show_if": 'drink = "yes"'},
        },
        "scales": {
            "CUPS2": {
                "title": "Cups",
                "construct": "Cups.",
                "higher": "More.",
                "items": ["cups"],
                "min_answered": 1,
                "reported": "raw",
            }
        },
    }
    tea = parse(hidden, "tea/1.toml")
    assert score(tea, {"drink": "yes", "cups": 3}) == {"CUPS2": 3}
    assert score(tea, {"drink": "no", "cups": 3}) == {"CUPS2": None}
