"""Alpha, omega and items against the rest: R's numbers, known equalities, and reasons where there is none."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import BadData
from analysis.measures.reliability import Reliability, reliability
from analysis.results import NotEstimable
from tests.analysis.cases import REFERENCES

# Both sides are closed formulae.
CLOSED = 1e-8
# lavaan's optimiser stops at a relative change of about 1e-10 of the criterion, which leaves 1e-6 in a loading.
OPTIMISED = 1e-5


def agreeableness() -> tuple[pd.DataFrame, dict[str, Any]]:
    return (
        pd.read_csv(REFERENCES / "scale_agreeableness.csv"),
        json.loads((REFERENCES / "scale_agreeableness.json").read_text()),
    )


def estimated(frame: pd.DataFrame, **options: Any) -> Reliability:
    found = reliability(frame, **options)
    assert isinstance(found, Reliability)
    return found


def reason(value: object) -> str:
    assert isinstance(value, NotEstimable)
    return value.reason


def likert(seed: int = 1, people: int = 60, items: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    trait = rng.normal(size=(people, 1))
    answers = np.clip(np.round(3.5 + 0.8 * trait + rng.normal(0, 0.8, (people, items))), 1, 5)
    return pd.DataFrame(answers, columns=[f"i{k}" for k in range(items)])


def test_every_coefficient_is_that_of_psych_and_lavaan() -> None:
    frame, want = agreeableness()
    got = estimated(frame)
    assert got.n == want["n_complete"]
    assert got.alpha == pytest.approx(want["alpha"], abs=CLOSED)
    assert got.alpha_ci == pytest.approx(want["alpha_feldt_ci"], abs=CLOSED)
    assert got.omega == pytest.approx(want["omega_total"], abs=OPTIMISED)
    for name, item in got.items.items():
        assert item.item_rest == pytest.approx(want["item_rest"][name], abs=CLOSED)
        assert item.alpha_if_dropped == pytest.approx(want["alpha_if_dropped"][name], abs=CLOSED)
        answered = frame[name].dropna()
        assert item.mean == pytest.approx(answered.mean(), abs=CLOSED)
        assert item.floor == pytest.approx((answered == 1).mean(), abs=CLOSED)
        assert item.ceiling == pytest.approx((answered == 6).mean(), abs=CLOSED)
        assert item.missing == pytest.approx(frame[name].isna().mean(), abs=CLOSED)


def test_the_answers_that_count_as_floor_and_ceiling_may_be_named() -> None:
    frame = likert().clip(lower=2)
    assert estimated(frame, lowest=1, highest=5).items["i0"].floor == 0.0
    assert estimated(frame).items["i0"].floor == pytest.approx((frame.i0 == 2).mean())


def test_the_interval_narrows_with_the_level_and_holds_alpha() -> None:
    frame = likert()
    wide, narrow = estimated(frame, level=0.95), estimated(frame, level=0.8)
    assert wide.alpha_ci[0] < narrow.alpha_ci[0] < wide.alpha < narrow.alpha_ci[1] < wide.alpha_ci[1]


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.floats(-100, 100), st.floats(0.01, 100))
def test_units_and_the_order_of_items_and_people_change_no_coefficient(seed: int, shift: float, scale: float) -> None:
    frame = likert(seed)
    moved = shift + scale * frame[list(reversed(frame.columns))].sample(frac=1, random_state=seed)
    one, other = estimated(frame), estimated(moved)
    assert (other.alpha, other.omega) == pytest.approx((one.alpha, one.omega), abs=1e-8)
    for name, item in one.items.items():
        assert other.items[name].item_rest == pytest.approx(item.item_rest, abs=1e-8)
        assert (other.items[name].floor, other.items[name].missing) == (item.floor, item.missing)


def test_omega_is_alpha_where_items_load_alike() -> None:
    """Equal covariances are one factor with equal loadings; both coefficients are then the same number."""
    rng = np.random.default_rng(4)
    raw = rng.normal(size=(200, 4))
    white = np.linalg.solve(np.linalg.cholesky(np.cov(raw, rowvar=False)), (raw - raw.mean(axis=0)).T).T
    frame = pd.DataFrame(white @ np.linalg.cholesky(0.4 + 0.6 * np.eye(4)).T, columns=list("abcd"))
    got = estimated(frame)
    assert got.alpha == pytest.approx(4 / 3 * (1 - 4 / (4 + 12 * 0.4)), abs=1e-9)
    assert got.omega == pytest.approx(got.alpha, abs=1e-9)


def test_the_interval_of_feldt_covers_the_alpha_of_the_population() -> None:
    """Parallel normal items: 95 % of 400 intervals, within three binomial standard errors."""
    rng = np.random.default_rng(9)
    true, covered = 4 / 3 * (1 - 4 / (4 + 12 * 0.4)), 0
    for _ in range(400):
        answers = rng.normal(size=(25, 1)) * 0.4**0.5 + rng.normal(size=(25, 4)) * 0.6**0.5
        low, high = estimated(pd.DataFrame(answers)).alpha_ci
        covered += low <= true <= high
    assert covered / 400 == pytest.approx(0.95, abs=3 * (0.95 * 0.05 / 400) ** 0.5)


def test_two_items_have_an_alpha_but_no_omega_and_none_left_if_one_is_dropped() -> None:
    got = estimated(likert(items=2))
    assert "three items" in reason(got.omega)
    assert "one item" in reason(got.items["i0"].alpha_if_dropped)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pd.DataFrame({"a": [1.0, 2, 3, 4]}), "fewer than two items"),
        (pd.DataFrame({"a": [1.0, 2, np.nan], "b": [1.0, 3, 2]}), "2 people"),
        (pd.DataFrame({"a": [3.0] * 5, "b": [3.0] * 5}), "differ"),
        (pd.DataFrame({"a": [1.0, 2, 3, 4], "b": [4.0, 3, 2, 1]}), "keyed the same way"),
        (pd.DataFrame({"a": [], "b": []}, dtype=float), "0 people"),
    ],
)
def test_no_coefficient_without_a_reason(frame: pd.DataFrame, words: str) -> None:
    assert words in reason(reliability(frame))


def test_an_item_everybody_answers_alike_is_named() -> None:
    got = estimated(likert().assign(i2=4.0))
    assert '"i2"' in reason(got.omega)
    assert "same answer" in reason(got.items["i2"].item_rest)
    assert any('"i2"' in note for note in got.warnings)


def test_a_unique_variance_that_falls_to_zero_is_a_reason() -> None:
    rng = np.random.default_rng(2)
    a = rng.normal(size=200)
    # b and c share more with a than with each other: the factor would be a itself, and more.
    frame = pd.DataFrame({"a": a, "b": 0.9 * a + 0.4 * rng.normal(size=200), "c": 0.9 * a - 0.3 * rng.normal(size=200)})
    frame["c"] -= 0.3 * (frame.b - 0.9 * a)
    assert "Heywood" in reason(estimated(frame).omega)


def test_copies_of_an_item_are_a_reason() -> None:
    frame = likert().assign(i1=lambda f: f.i0)
    assert "determined by the others" in reason(estimated(frame).omega)


def test_an_item_keyed_the_other_way_is_pointed_out() -> None:
    got = estimated(likert().assign(i3=lambda f: 6 - f.i3))
    assert any('"i3"' in note and "other way" in note for note in got.warnings)


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({"i0": "often"}, {}, ['"i0"', "often", "rows 2"]),
        ({"i0": np.inf}, {}, ['"i0"', "infinite"]),
        ({"i0": 9.0}, {"lowest": 1, "highest": 5}, ['"i0"', "9", "above the 5", "rows 2"]),
        ({}, {"level": 95}, ["level"]),
    ],
)
def test_what_is_wrong_is_said_in_one_line(change: dict[str, Any], options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(BadData) as caught:
        reliability(likert().assign(**change), **options)
    for word in words:
        assert word in str(caught.value)


def test_two_columns_of_one_name_are_refused() -> None:
    frame = likert()
    frame.columns = pd.Index(["a", "a", "b", "c", "d"])
    with pytest.raises(BadData, match='"a" appears more than once'):
        reliability(frame)
