"""Effects by role and by baseline are R's, and differences between them are what is tested."""

import doctest
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import moderation
from analysis.lmm.kenward_roger import JointTest
from analysis.moderation import ByBaseline, ByGroup, by_baseline, by_group
from analysis.results import Effect, NotEstimable
from tests.analysis.cases import REFERENCES, question, table, trial

R = json.loads((REFERENCES / "moderation.json").read_text())
TABLE = pd.read_csv(REFERENCES / "moderation.csv")
MADE = [name for name in R if name not in {"twenty_sites_uneven", "eight_sites_zero_variance"}]

# As in test_references: R's optimiser leaves about 1e-6 in a variance.
ESTIMATE, SPREAD = 1e-6, 1e-5


def case_of_r(name: str) -> pd.DataFrame:
    return table(name) if name not in MADE else TABLE[TABLE.case == MADE.index(name) + 1]


def asked(frame: pd.DataFrame) -> Any:
    return question(participant="participant" if "participant" in frame else None)


def agree(got: object, want: dict[str, float]) -> None:
    assert isinstance(got, Effect), got
    assert got.estimate == pytest.approx(want["estimate"], abs=ESTIMATE)
    assert (got.se, got.df) == pytest.approx((want["se"], want["df"]), rel=SPREAD)


@pytest.mark.parametrize("name", R)
@pytest.mark.parametrize("varying", [True, False])
def test_effects_by_role_and_their_differences_are_those_of_pbkrtest(name: str, varying: bool) -> None:
    frame, want = case_of_r(name), R[name]["varying" if varying else "by_role"]
    got = by_group(frame, asked(frame), "role", varying=varying)
    assert isinstance(got, ByGroup), got
    assert set(got.effects) == set(want["effects"])
    for role, answer in want["effects"].items():
        agree(got.effects[role], answer)
    for role, answer in want["differences"].items():
        agree(got.differences[role], answer)
    test = want["together"]
    assert isinstance(got.together, JointTest)
    assert got.together.ndf == test["ndf"]
    # The statistic is a square, and R's own answer carries its optimiser's 1e-6 twice.
    assert got.together.statistic == pytest.approx(test["F"], rel=2e-5)
    assert (got.together.df, got.together.scale) == pytest.approx((test["df"], test["scaling"]), rel=SPREAD)
    assert got.together.p == pytest.approx(test["p"], rel=1e-4)


@pytest.mark.parametrize("name", R)
def test_the_change_per_point_of_baseline_is_that_of_pbkrtest(name: str) -> None:
    frame, want = case_of_r(name), R[name]
    got = by_baseline(frame, asked(frame))
    assert isinstance(got, ByBaseline)
    agree(got.per_point, want["per_point"])
    for (_, effect), answer in zip(got.at, want["at"].values(), strict=True):
        agree(effect, answer)


def test_sites_that_differ_by_role_leave_fewer_degrees_of_freedom() -> None:
    frame = case_of_r("three_roles")
    honest, plain = (by_group(frame, asked(frame), "role", varying=varying) for varying in (True, False))
    assert isinstance(honest, ByGroup)
    assert isinstance(plain, ByGroup)
    assert isinstance(honest.together, JointTest)
    assert isinstance(plain.together, JointTest)
    assert honest.together.df < plain.together.df / 5
    assert any("liberal" in note for note in plain.warnings)
    assert not any("liberal" in note for note in honest.warnings)


def test_a_role_of_one_arm_only_has_a_reason_and_leaves_the_others_standing() -> None:
    frame = case_of_r("three_roles")
    for role in ("leader", "practitioner"):
        got = by_group(frame[(frame.role != role) | (frame.arm == 1)], asked(frame), "role")
        assert isinstance(got, ByGroup)
        gone = got.effects[role]
        assert isinstance(gone, NotEstimable)
        assert "one arm only" in gone.reason
        assert isinstance(got.effects["manager"], Effect)
        assert isinstance(got.together, JointTest)
        assert got.together.ndf == 1


def test_numbered_groups_are_groups() -> None:
    frame = case_of_r("three_roles")
    numbered = frame.assign(role=frame.role.map({"leader": 1, "manager": 2, "practitioner": 3}))
    one, other = by_group(frame, asked(frame), "role"), by_group(numbered, asked(frame), "role")
    assert isinstance(one, ByGroup)
    assert isinstance(other, ByGroup)
    assert isinstance(one.together, JointTest)
    assert isinstance(other.together, JointTest)
    assert other.together.statistic == pytest.approx(one.together.statistic, rel=1e-9)
    assert other.reference == "1"


def test_one_group_or_no_baseline_has_a_reason() -> None:
    frame = trial(1).assign(role="manager")
    same = by_group(frame, question(), "role")
    assert isinstance(same, NotEstimable)
    assert "same" in same.reason
    none = by_baseline(frame, question(baseline=None))
    assert isinstance(none, NotEstimable)
    assert "baseline" in none.reason


def test_results_are_plain_values_for_json() -> None:
    frame = trial(1).assign(role=lambda f: np.where(f.participant % 3 == 0, "manager", "practitioner"))
    for found in (by_group(frame, question(), "role"), by_baseline(frame, question())):
        plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        assert plain["warnings"] == list(found.warnings if not isinstance(found, NotEstimable) else [])


def test_the_example_runs() -> None:
    assert doctest.testmod(moderation).failed == 0
