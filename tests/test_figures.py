"""Figures: both drawings of one specification hold the same numbers, and anyone can read either."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from evalapp.figures import (
    Answered,
    Band,
    Bar,
    Bars,
    Climb,
    Cumulative,
    Distribution,
    Diverging,
    Estimate,
    Figure,
    Forest,
    InTen,
    Missing,
    Multiples,
    Pair,
    Pairs,
    Panel,
    Plain,
    Profile,
    Row,
    Series,
    Statement,
    Tens,
    draw,
)
from evalapp.figures.drawing import CONTROL, POOLED, TREATMENT, number

E = Estimate
HOSTILE = "<script>alert(1)</script>\"'&<b>"
PROFILE = Profile(
    "Freedom from blame",
    ("Before", "Just after", "Three months"),
    (
        Series("Appreciative", TREATMENT, (E(52.3, 48.1, 56.2), E(61.4, 57, 65), E(63.9, 58, 68))),
        Series("Traditional", CONTROL, (E(51.2, 47, 56), E(49.8, 45, 53), Missing("too few people"))),
    ),
    "points out of 100",
)
FOREST = Forest(
    "Differences",
    (Row("Freedom from blame", E(8.2, 2.1, 14.4), TREATMENT, overall=True), Row("Morale", E(-4.4, -7.7, -1.2)),
     Row("Parents affirmed", Missing("too few reviews"))),
    "difference, points out of 100", None, None, ends=("Traditional higher", "Appreciative higher"), band=Band(8, "small"),
    decimals=1,
)  # fmt: skip
SITES = Forest("Sites", (Row("Northtown", E(50, -12, 111)), Row("Southby", E(58, 51, 64))), "mean", decimals=0)
SPREAD = Distribution(
    "Scores",
    (0, 25, 50, 75, 100),
    (Panel("Appreciative", TREATMENT, (3, 11, 27, 14), E(58, 52, 63)), Panel("Traditional", CONTROL, (8, 0, 31, 2), E(49, 44, 55))),
    "points out of 100",
)  # fmt: skip
BOARD = Bars(
    "Board", (Bar("Before", 212, 181, 190), Bar("After", 97, 43, 61), Bar("Parents", None, None, None, "too few"))
)
PEOPLE = Tens(
    "In ten", (InTen("Appreciative", TREATMENT, E(6, 5, 7)), InTen("Both", POOLED, Missing("too few"))), "agree"
)
AGREEMENT = ("Strongly disagree", "Disagree", "Neither", "Agree", "Strongly agree")
STATEMENTS = Diverging(
    "Statements",
    AGREEMENT,
    (
        Statement("When things go wrong here, people look first for who is at fault.",
                  (Answered("Before, Appreciative", (3, 11, 17, 29, 4), 2, 1, TREATMENT),
                   Answered("Three months, Traditional", (0, 19, 0, 8, 0), look=CONTROL)), "Agreeing lowers the score."),
        Statement("I could talk about a mistake of mine.", (Answered("Before", (6, 12, 7, 13, 5)), Answered("After", (0,) * 5))),
    ),
)  # fmt: skip
TWO_FACES = Diverging(
    "Yes or no", ("No", "Yes"), (Statement("Were you asked?", (Answered("Before", (14, 31), 5, 9),)),)
)
SMALL = Multiples(
    "Sites before and after",
    ("Before", "Three months"),
    (
        Series("Northtown", TREATMENT, (E(52.3, 41.1, 63.5), E(64.2, 55.4, 73.1))),
        Series("Southby and the villages around it", CONTROL, (E(49.7, -3.4, 102.8), Missing("one review or person"))),
        Series("Westerham", CONTROL, (Missing("nobody has answered yet"), E(57.1, 50.2, 64.3))),
    ),
    "points out of 100",
    (("Appreciative", TREATMENT), ("Traditional", CONTROL)),
)
SHARES = Pairs(
    "Shares", (("Appreciative", TREATMENT), ("Traditional", CONTROL)),
    (
        Pair("Parents who felt like a failure in the review", (E(30, 21, 44), E(6, 2, 11))),
        Pair("Hidden", (Missing("too few"), Plain(12))),
    ),
    "people in 100",
)  # fmt: skip
CLIMBS = Cumulative(
    "Who has come",
    (
        Climb("Sites", ((0, 1), (3, 4), (9, 11)), 24, "11 of 24"),
        Climb("Parents and carers", ((7, 35),), None, "35"),
    ),
    15, 52, ("Come so far", "Foreseen"), "week",
)  # fmt: skip
RATIOS = Forest(
    "Time", (Row("Time to report", E(0.35, 0.32, 0.4), TREATMENT), Row("Again", E(1.3, 0.9, 1.9))), "times as long", None, None,
    ends=("Traditional longer", "Appreciative longer"), decimals=2, ratio=True,
)  # fmt: skip
FIGURES: dict[str, Figure] = {
    "profile": PROFILE, "forest": FOREST, "sites": SITES, "distribution": SPREAD, "board": BOARD, "tens": PEOPLE,
    "diverging": STATEMENTS, "two answers": TWO_FACES, "multiples": SMALL,
    "pairs": SHARES, "cumulative": CLIMBS,
}  # fmt: skip
ALL = pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES)


def numbers_in(value: Any) -> Iterator[float]:
    """Every number of a nested structure."""
    if isinstance(value, dict):
        for one in value.values():
            yield from numbers_in(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from numbers_in(one)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314  (our own drawing, which must be well-formed)


def words_of(svg: str) -> str:
    """Everything the drawing says, its own description left out."""
    root = parsed(svg)
    return " ".join("".join(node.itertext()) for node in root.iter() if node.tag.endswith("}text"))


@ALL
def test_both_drawings_hold_every_number_of_the_table(figure: Figure) -> None:
    drawn = draw(figure, "f")
    plotly = {round(one, 6) for one in numbers_in(drawn.plotly["data"])}
    written = json.dumps(drawn.plotly, ensure_ascii=False).replace("−", "-")
    plotly |= {round(float(one), 6) for one in re.findall(r"-?\d+(?:\.\d+)?", written)}
    said = words_of(drawn.svg) + parsed(drawn.svg).findtext("{http://www.w3.org/2000/svg}desc", "")
    decimals = getattr(figure, "decimals", 0)
    for row in drawn.table.rows:
        for cell in row[1:]:
            if isinstance(cell, int | float):
                assert round(float(cell), 6) in plotly, f"{cell} is not in the Plotly drawing"
                assert number(cell, decimals) in said, f"{cell} is not in the SVG"


@ALL
def test_a_drawing_is_complete_without_script_or_style(figure: Figure) -> None:
    svg = draw(figure, "f").svg
    root = parsed(svg)
    assert root.get("role") == "img"
    labelled = (root.get("aria-labelledby") or "").split()
    ids = [node.get("id") for node in root.iter() if node.get("id")]
    assert labelled == ["f-title", "f-desc"]
    assert set(labelled) <= set(ids)
    assert len(ids) == len(set(ids))
    assert all(one is not None and one.startswith("f-") for one in ids)
    for node in root.iter():
        assert not node.tag.endswith(("style", "script", "foreignObject"))
        assert not {"style", "class"} & set(node.attrib)
        assert not any(name.startswith("on") for name in node.attrib)


@ALL
def test_text_is_as_large_on_a_telephone_as_on_a_desk(figure: Figure) -> None:
    """No viewBox, so nothing shrinks; what lies across is a share of the width."""
    root = parsed(draw(figure, "f").svg)
    assert root.get("viewBox") is None
    assert root.get("width") == "100%"
    sizes = [float(node.get("font-size", "14")) for node in root.iter() if node.tag.endswith("}text")]
    assert min(sizes) >= 12


@ALL
def test_the_plotly_drawing_is_plain_json_of_the_same_height(figure: Figure) -> None:
    drawn = draw(figure, "f")
    json.dumps(drawn.plotly, allow_nan=False)
    for trace in drawn.plotly["data"]:
        assert trace["type"] in {"scatter", "bar"}
        assert "<" not in json.dumps(trace, ensure_ascii=False)


@pytest.mark.parametrize(
    "figure",
    [
        Profile(HOSTILE, (HOSTILE,), (Series(HOSTILE, TREATMENT, (E(1, 0, 2),)),), HOSTILE),
        Forest(HOSTILE, (Row(HOSTILE, E(1, 0, 2)), Row(HOSTILE, Missing(HOSTILE))), HOSTILE, ends=(HOSTILE, HOSTILE)),
        Bars(HOSTILE, (Bar(HOSTILE, 3, 2, 3), Bar(HOSTILE, None, None, None, HOSTILE))),
        Tens(HOSTILE, (InTen(HOSTILE, TREATMENT, E(1, 0, 2)),), HOSTILE),
        Pairs(
            HOSTILE,
            ((HOSTILE, TREATMENT),),
            (Pair(HOSTILE, (Plain(1),), (HOSTILE,)), Pair(HOSTILE, (Missing(HOSTILE),))),
            HOSTILE,
        ),
        Distribution(HOSTILE, (0, 1), (Panel(HOSTILE, TREATMENT, (1,), E(1, 0, 1)),), HOSTILE),
        Diverging(HOSTILE, (HOSTILE, HOSTILE), (Statement(HOSTILE, (Answered(HOSTILE, (1, 2)),), HOSTILE),)),
        Cumulative(HOSTILE, (Climb(HOSTILE, ((0, 1),), 3, HOSTILE),), 0, None, (HOSTILE, HOSTILE), HOSTILE),
        Multiples(HOSTILE, (HOSTILE,), (Series(HOSTILE, TREATMENT, (E(1, 0, 2),)),), HOSTILE, ((HOSTILE, TREATMENT),)),
    ],
)
def test_words_from_people_never_become_markup(figure: Figure) -> None:
    drawn = draw(figure, "f")
    root = parsed(drawn.svg)  # still one well-formed drawing
    assert not [node for node in root.iter() if node.tag.endswith(("script", "}b"))]
    assert "<script" not in drawn.svg


def test_an_interval_is_drawn_with_every_estimate() -> None:
    for figure in (PROFILE, FOREST, SITES, PEOPLE, SPREAD, SMALL):
        traces = [trace for trace in figure.plotly()["data"] if figure is not SPREAD or trace["type"] == "scatter"]
        assert len(traces) >= 1
        for trace in traces:
            bars = trace.get("error_y") or trace["error_x"]
            assert len(bars["array"]) == len(bars["arrayminus"]) == len(trace["y"])


def test_what_is_missing_says_so_and_is_never_a_zero() -> None:
    for figure in FIGURES.values():
        for row in draw(figure, "f").table.rows:
            if isinstance(row[-1], str):
                assert all(cell is None or isinstance(cell, str) for cell in row[2:-1])
    assert "not shown" in words_of(PROFILE.svg("f"))
    assert "too few reviews" in words_of(FOREST.svg("f"))
    assert "not shown" in words_of(BOARD.svg("f"))


def test_scores_are_drawn_from_0_to_100() -> None:
    assert (PROFILE.low, PROFILE.high) == (0, 100)
    assert SITES.span() == (0, 100)
    ticks = PROFILE.plotly()["layout"]["yaxis"]["tickvals"]
    assert (ticks[0], ticks[-1]) == (0, 100)


def test_an_interval_that_runs_off_the_axis_ends_in_an_arrow_not_a_cap() -> None:
    root = parsed(SITES.svg("f"))
    arrows = [
        node for node in root.iter() if node.tag.endswith("}polygon") and (node.get("points") or "").endswith("5")
    ]
    tips = [
        node for node in root.iter() if node.tag.endswith("}polygon") and re.match(r"-?10,", node.get("points") or "")
    ]
    assert len(tips) == 2, arrows


@pytest.mark.parametrize(("reach", "axis"), [(3.3, 4), (14.4, 16), (51, 60), (0.3, 0.5)])
def test_differences_have_0_in_the_middle(reach: float, axis: float) -> None:
    figure = Forest("d", (Row("a", E(0, -reach, reach)),), "points", None, None)
    assert figure.span() == (-axis, axis)


@pytest.mark.parametrize(("low", "high", "ticks"), [(0.32, 1.9, "0.25 0.5 1 2 4"), (0.9, 1.1, "0.83 0.91 1 1.1 1.21")])
def test_a_ratio_stands_on_an_axis_of_equal_steps_around_1(low: float, high: float, ticks: str) -> None:
    figure = Forest("r", (Row("a", E(1.0, low, high)),), "times as long", None, None, ratio=True, decimals=2)
    assert figure.span()[0] == -figure.span()[1]
    said = words_of(figure.svg("f"))
    assert said.startswith(ticks)
    assert figure.plotly()["layout"]["xaxis"]["ticktext"] == ticks.split()
    placed = figure.plotly()["data"][0]
    assert placed["x"] == [0.0]
    assert placed["error_x"]["array"][0] == pytest.approx(math.log(high))


def test_a_ratio_is_told_as_it_is_and_placed_by_its_logarithm() -> None:
    assert RATIOS.table().rows[0][1:4] == (0.35, 0.32, 0.4)
    assert "0.35 (0.32 to 0.40)" in words_of(RATIOS.svg("f"))
    assert RATIOS.plotly()["data"][0]["x"] == [pytest.approx(math.log(0.35))]


def test_an_axis_says_the_places_where_its_lines_stand() -> None:
    quarters = Forest("a", (Row("Alpha", E(0.83, 0.8, 0.86)),), "alpha", 0.0, 1.0, decimals=2)
    assert {"0.25", "0.5", "0.75"} <= set(words_of(quarters.svg("f")).split())


def test_what_was_foreseen_rises_evenly_until_its_week() -> None:
    due = {(row[0], row[1]): row[3] for row in CLIMBS.table().rows}
    assert due == {
        ("Sites", 0): 0, ("Sites", 3): 1, ("Sites", 9): 4, ("Sites", 15): 7,
        ("Parents and carers", 7): None, ("Parents and carers", 15): None,
    }  # fmt: skip
    target = next(one for one in CLIMBS.plotly()["data"] if one["name"] == "Foreseen")
    assert list(zip(target["x"], target["y"], strict=True)) == [(0.0, 0.0), (52.0, 24.0)]


def test_without_a_day_the_target_is_a_level_line_and_a_first_week_is_one_point() -> None:
    first = Cumulative("c", (Climb("Sites", ((0, 2),), 24, "2 of 24"),), 0, None, ("So far", "Target"), "week")
    so_far, target = first.plotly()["data"]
    assert (so_far["x"], so_far["y"], so_far["mode"]) == ([0], [2], "lines+markers")
    assert target["y"] == [24.0, 24.0]
    assert first.table().rows == (("Sites", 0, 2, 24, None),)
    parsed(first.svg("f"))


def test_a_line_shows_only_the_groups_it_is_about() -> None:
    groups = (("Appreciative", TREATMENT), ("Traditional", CONTROL), ("Both", POOLED))
    mixed = Pairs(
        "m", groups, (Pair("a", (Plain(14), Plain(12), None)), Pair("b", (None, None, Plain(6)))), "people in 100"
    )
    assert [row[:3] for row in mixed.table().rows] == [
        ("a", "Appreciative", 14), ("a", "Traditional", 12), ("b", "Both", 6),
    ]  # fmt: skip
    assert "not shown" not in words_of(mixed.svg("f"))
    assert sum(len(trace["x"]) for trace in mixed.plotly()["data"]) == 3


def test_the_bracket_of_ten_people_stands_under_those_it_speaks_of_and_says_so() -> None:
    """From the middle of the person at its lower end to the middle of the one at its upper end."""
    drawn = str(Tens("t", (InTen("Appreciative", TREATMENT, E(3, 2, 4)),), "agree").svg("f"))
    bracket = re.search(r'<line x1="([\d.]+)" x2="([\d.]+)" y1="70" y2="70"', drawn)
    middles = [float(x) for x in re.findall(r'<circle cx="([\d.]+)"', drawn)]
    assert bracket is not None
    assert [float(x) for x in bracket.groups()] == [middles[1], middles[3]]
    assert "Likely range: 2 to 4 in 10" in words_of(drawn)


def test_bars_stand_over_an_axis_with_its_ends() -> None:
    drawn = words_of(Pairs("s", SHARES.groups, SHARES.pairs, SHARES.unit, key="The line is the range.").svg("f"))
    assert drawn.endswith("0 50 100")
    assert "The line is the range." in drawn


def test_a_long_label_goes_on_under_itself_and_is_whole_in_the_table() -> None:
    label = "Parents who were recognised, affirmed, built upon and heard"
    figure = Forest("d", (Row(label, E(1, 0, 2)), Row("Morale", E(1, 0, 2))), "points", None, None)
    assert "built upon and heard" in words_of(figure.svg("f"))
    assert figure.table().rows[0][0] == label


def test_groups_are_told_apart_without_colour() -> None:
    looks = (TREATMENT, CONTROL, POOLED)
    for aspect in ("dash", "shape", "pattern", "symbol", "line"):
        assert len({getattr(look, aspect) for look in looks}) == 3


def test_lines_join_means_only_where_a_change_may_be_drawn() -> None:
    apart = Profile(PROFILE.title, PROFILE.waves, PROFILE.series, PROFILE.unit, joined=False)
    assert {trace["mode"] for trace in apart.plotly()["data"]} == {"markers"}
    assert {trace["mode"] for trace in PROFILE.plotly()["data"]} == {"lines+markers"}
    assert apart.svg("f").count("stroke-dasharray") < PROFILE.svg("f").count("stroke-dasharray")


@pytest.mark.parametrize(("value", "said"), [(-0.04, "0.0"), (-3.15, "−3.1"), (12, "12.0")])
def test_numbers_have_a_true_minus_and_no_minus_nought(value: float, said: str) -> None:
    assert number(value, 1) in {said, said.replace("3.1", "3.2")}


@pytest.mark.parametrize(
    ("people", "left", "right"),
    [
        ((10, 20, 40, 20, 10), -50, 50),  # half of the middle answer on either side
        ((40, 10, 0, 25, 25), -50, 50),
        ((0, 0, 100, 0, 0), -50, 50),
        ((100, 0, 0, 0, 0), -100, 0),
        ((30, 70), -30, 70),
        ((1, 1, 1, 1, 1, 1, 2), -43.75, 56.25),
    ],
)
def test_bars_diverge_from_the_middle_and_always_hold_everyone(
    people: tuple[int, ...], left: float, right: float
) -> None:
    figure = Diverging("d", tuple(str(one) for one in range(len(people))), (Statement("s", (Answered("b", people),)),))
    data = figure.plotly()["data"]
    starts, shares = [trace["base"][0] for trace in data], [trace["x"][0] for trace in data]
    assert starts[0] == pytest.approx(left)
    assert starts[-1] + shares[-1] == pytest.approx(right)
    for place in range(1, len(starts)):
        assert starts[place] == pytest.approx(starts[place - 1] + shares[place - 1])


def test_answers_of_either_side_are_told_apart_without_colour() -> None:
    shapes = [trace["marker"]["pattern"]["shape"] for trace in STATEMENTS.plotly()["data"]]
    assert shapes == ["", "/", "", "\\", ""]  # the two solid ends lie at opposite ends, the middle between them
    drawn = parsed(STATEMENTS.svg("f"))
    assert len([node for node in drawn.iter() if node.tag.endswith("}pattern")]) == len(AGREEMENT)


def test_nobody_refusals_and_blanks_stand_beside_the_bar_and_not_in_it() -> None:
    said = words_of(STATEMENTS.svg("f"))
    assert "64 answered, 2 refused, 1 blank" in said
    assert "nobody has answered" in said
    assert STATEMENTS.plotly()["data"][1]["x"][0] == pytest.approx(100 * 11 / 64)


def test_every_panel_of_small_multiples_has_the_same_axis_and_an_interval_that_leaves_it_is_cut() -> None:
    root = parsed(SMALL.svg("f"))
    panels = [node for node in root if node.tag.endswith("}svg") and node.get("height")]
    assert len(panels) == 3
    grids = {
        tuple(line.get("y1") for line in panel if line.tag.endswith("}line")) for panel in panels
    }  # 0, 50 and 100 lie at one height in all
    assert len(grids) == 1
    low, _, high = (float(one or 0) for one in next(iter(grids)))
    bars = [
        float(line.get(end) or 0)
        for panel in panels
        for inner in panel
        if inner.tag.endswith("}svg")
        for line in inner
        if line.tag.endswith("}line")
        for end in ("y1", "y2")
    ]
    assert bars
    assert min(bars) >= high
    assert max(bars) <= low


def test_a_panel_of_many_sites_stays_light() -> None:
    many = Multiples("m", SMALL.waves, SMALL.panels[:1] * 30, "points", SMALL.key)
    drawn = draw(many, "f")
    assert len(drawn.svg) < 75_000
    assert len(json.dumps(drawn.plotly)) < 40_000


def test_a_figure_s_own_words_are_spoken_in_the_language_it_is_drawn_in() -> None:
    welsh = {"not shown": "heb ei ddangos", "to": "i", "in 10": "ym mhob 10", "Group": "Grŵp"}
    for figure in (PROFILE, PEOPLE, SHARES, FOREST):
        drawn = draw(figure, "f", lambda text: welsh.get(text, text))
        assert " to " not in drawn.svg.replace("too few", ""), figure.title
        assert "not shown" not in drawn.svg
        assert "Group" not in drawn.table.head
    assert "not shown" in draw(PROFILE, "f").svg  # and nothing of it is left behind


def test_a_long_label_is_broken_and_not_cut() -> None:
    assert "felt like a failure" in words_of(SHARES.svg("f"))
    assert "in the review" in words_of(SHARES.svg("f"))
    assert "…" not in words_of(SHARES.svg("f"))


def test_the_names_of_four_times_are_broken_so_that_they_stand_beside_one_another() -> None:
    waves = ("Before", "Just after", "Three months", "A year")
    four = Profile("p", waves, (Series("a", TREATMENT, (E(1, 0, 2),) * 4),), "points")
    said = [node.text for node in parsed(four.svg("f")).iter() if node.tag.endswith("}text")]
    assert {"Before", "Just", "after", "Three", "months", "A", "year"} <= set(said)
    assert "Three months" in [node.text for node in parsed(PROFILE.svg("f")).iter() if node.tag.endswith("}text")]
