"""What is written reads as the same instrument: every one shipped, and any that Hypothesis can think of."""

import tomllib
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instruments import (
    REFUSALS,
    And,
    Answered,
    Compare,
    Condition,
    Instrument,
    InstrumentError,
    Not,
    OneOf,
    Or,
    library,
    parse,
    parse_condition,
)
from instruments.files import read, sound
from instruments.starting import starting
from instruments.writing import condition_text, files, source, write

SHIPPED = library()
EXAMPLES = sorted((Path(__file__).parent / "examples").glob("*/1.toml"))
QUICK = settings(derandomize=True, max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def unsigned(instrument: Instrument) -> Instrument:
    """The same without the fingerprints of its files, which differ with their comments."""
    return replace(instrument, sha256="", variants=tuple(replace(one, sha256="") for one in instrument.variants))


@pytest.mark.parametrize("instrument", SHIPPED, ids=lambda one: f"{one.name}-{one.version}")
def test_a_shipped_questionnaire_written_and_read_is_the_same(instrument: Instrument, tmp_path: Path) -> None:
    written = write(instrument, tmp_path)
    assert unsigned(read(written[0])) == unsigned(instrument)
    assert {path.name for path in written} == set(files(instrument))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_of_each_kind_written_and_read_is_the_same(path: Path, tmp_path: Path) -> None:
    instrument = read(path)
    assert unsigned(read(write(instrument, tmp_path)[0])) == unsigned(instrument)


def test_what_is_written_keeps_its_comments_and_a_draft_s_status(tmp_path: Path) -> None:
    draft = replace(SHIPPED.latest("measure"), status="draft")
    text = source(draft, "Brought in.\nTwice.")
    assert text.startswith("# Brought in.\n# Twice.\nname = ")
    assert parse(tomllib.loads(text), "measure/1.toml").status == "draft"


def test_writing_again_takes_away_the_languages_that_are_gone_and_nothing_else(tmp_path: Path) -> None:
    instrument = SHIPPED.latest("measure")
    write(instrument, tmp_path)
    (tmp_path / "measure" / "1.map.toml").write_text("")
    (tmp_path / "measure" / "1.made_from.toml").write_text("")
    (tmp_path / "measure" / "2.toml").write_text("")
    write(replace(instrument, variants=instrument.variants[:1]), tmp_path)
    assert {path.name for path in (tmp_path / "measure").iterdir()} == {
        "1.toml", "1.map.toml", "1.made_from.toml", "2.toml",
    }  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["measure"]


def test_the_questionnaire_to_start_from_is_sound() -> None:
    begun = parse(tomllib.loads(starting("tea")), "tea/1.toml")
    assert (begun.name, begun.status, len(begun.scales)) == ("tea", "draft", 1)


def test_a_draft_is_in_no_language_a_real_trial_may_use_and_is_asked_of_nobody(tmp_path: Path) -> None:
    (tmp_path / "tea").mkdir()
    (tmp_path / "tea" / "1.toml").write_text(starting("tea"))
    found, faults = sound(tmp_path)
    assert faults == ()
    assert found.latest("tea").approved_languages == ()
    assert found.for_role_and_wave("practitioner", "before") == ()


def test_a_fault_in_one_questionnaire_leaves_the_others_on_the_shelf(tmp_path: Path) -> None:
    for name, text in (("tea", starting("tea")), ("milk", "name = ")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.toml").write_text(text)
    found, faults = sound(tmp_path)
    assert [one.name for one in found] == ["tea"]
    assert len(faults) == 1
    assert faults[0].startswith("milk/1.toml: cannot be read as TOML")


def test_a_status_that_is_neither_is_refused() -> None:
    with pytest.raises(InstrumentError, match="status: 'done' is not known; use one of approved, draft"):
        parse(tomllib.loads(starting("tea").replace('"draft" ', '"done" ')), "tea/1.toml")


ITEMS = st.sampled_from(["tea", "cups", "BLG1"])
VALUES = st.one_of(
    st.integers(-(10**14), 10**14),
    st.floats(-1e9, 1e9).map(lambda value: round(value, 6)).filter(lambda value: abs(value) >= 1e-6 or value == 0),
    st.text(st.characters(exclude_characters='"', exclude_categories=["Cs"]), max_size=8),
)


def _extended(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(several.map(And), several.map(Or), inner.map(Not))


CONDITIONS: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.builds(Compare, ITEMS, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), VALUES),
        st.builds(OneOf, ITEMS, st.lists(VALUES, min_size=1, max_size=3).map(tuple)),
        ITEMS.map(Answered),
    ),
    _extended,
    max_leaves=6,
)


@QUICK
@given(CONDITIONS)
def test_a_condition_written_reads_as_the_same_tree(condition: Condition) -> None:
    text = condition_text(condition)
    if len(text) <= 500:
        assert parse_condition(text) == condition


TEXT = (
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf"], exclude_characters="{}"), min_size=1, max_size=30)
    .map(str.strip)
    .filter(bool)
)  # fmt: skip
LINES = st.lists(TEXT, min_size=1, max_size=3).map("\n".join)
LABELS = st.lists(TEXT, min_size=2, max_size=5, unique=True)


MADE = ("agreement", "rating", "single", "several", "yes_no", "number", "date", "short_text", "information")


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    """The table of a sound instrument, of every kind of item."""
    refusals = draw(st.lists(st.sampled_from(REFUSALS), unique=True))
    items: dict[str, Any] = {}
    kinds = draw(st.lists(st.sampled_from(MADE), min_size=1, max_size=7))
    for place, kind in enumerate(kinds):
        one: dict[str, Any] = {"kind": kind, "text": draw(LINES)}
        labels = draw(LABELS)
        if kind == "agreement":
            low = draw(st.integers(0, 3))
            one["options"] = {str(low + step): label for step, label in enumerate(labels)}
        elif kind == "rating":
            one["options"] = {"0": labels[0], "10": labels[1]}
        elif kind in {"single", "several"}:
            one["options"] = {f"o{step}": label for step, label in enumerate(labels)}
        elif kind == "yes_no":
            one["options"] = {"yes": labels[0], "no": labels[1]}
        elif kind == "number":
            one |= {
                "minimum": draw(st.integers(-5, 0)),
                "maximum": draw(st.floats(1, 99)),
                "decimals": draw(st.integers(0, 12)),
            }
        elif kind == "date":
            one["minimum"] = draw(st.dates(date(1900, 1, 1), date(2100, 1, 1)))
        elif kind == "short_text":
            one["max_length"] = draw(st.integers(1, 200))
        if kind != "information" and draw(st.booleans()):
            one["refusals"] = draw(st.lists(st.sampled_from(refusals), unique=True)) if refusals else []
        if draw(st.booleans()):
            one["hint"] = draw(LINES)
        if place and kinds[0] == "number" and draw(st.booleans()):
            one["show_if"] = "q0 > 1 and not q0 = 3"
        items[f"q{place}"] = one
    half = min(6, max(1, len(items) // 2))
    codes = list(items)
    pages = {"a": codes[:half], "b": codes[half:]} if len(codes) > half else {"a": codes}
    table: dict[str, Any] = {
        "name": "tea", "version": 1, "language": "en", "title": "Views", "roles": ["parent"], "waves": ["after"],
        "validation": draw(TEXT), "rights": {"owner": draw(LINES), "licence": draw(TEXT)},
        "pages": {code: {"title": f"Page {code}", "items": held} for code, held in pages.items()}, "items": items,
    }  # fmt: skip
    if refusals:
        table["refusals"] = {code: draw(TEXT) for code in refusals}
    return table


@QUICK
@given(tables())
def test_any_sound_instrument_written_and_read_is_the_same(table: dict[str, Any]) -> None:
    instrument = parse(table, "tea/1.toml")
    assert parse(tomllib.loads(source(instrument)), "tea/1.toml") == instrument
