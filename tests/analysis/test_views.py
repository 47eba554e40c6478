"""The views beside a comparison: they rest on the same rows and columns, and step back where they would take long."""

import pytest

from analysis import views as module
from analysis.marginal.standardised import StandardisedRisks
from analysis.results import Effect, NotEstimable
from analysis.robust.influence import Influence
from analysis.views import views
from tests.analysis.cases import ours, question, table, trial


def test_without_one_site_is_the_comparison_of_a_table_without_that_site() -> None:
    frame = table("eight_sites_zero_variance")
    seen = views(frame, question())
    assert isinstance(seen.influence, Influence)
    one = seen.influence.sites[3]
    rest = views(frame[frame.site.astype(str) != one.site], question())
    assert isinstance(rest.influence, Influence)
    assert one.estimate == pytest.approx(rest.influence.estimate, rel=1e-9)


def test_the_person_weighted_estimand_is_the_comparisons_cr2() -> None:
    seen = views(table("tvsfp"), question())
    assert not isinstance(seen.estimands, NotEstimable)
    deciding = ours("tvsfp").methods["cr2"]
    assert isinstance(deciding, Effect)
    assert seen.estimands.person == deciding


def test_risks_are_of_outcomes_that_are_yes_or_no() -> None:
    frame = trial(2)
    assert isinstance(views(frame, question(participant=None)).risks, NotEstimable)
    found = views(frame.assign(outcome=(frame.outcome > 0).astype(int)), question(participant=None)).risks
    assert isinstance(found, StandardisedRisks)


def test_covariates_that_determine_the_arm_leave_no_view() -> None:
    frame = trial(2).assign(side=lambda f: f.arm * 2.0 + 1)
    seen = views(frame, question(participant=None, covariates=("side",)))
    assert isinstance(seen.influence, NotEstimable)
    assert isinstance(seen.estimands, NotEstimable)


@pytest.mark.parametrize(("limit", "left"), [("MOST_ROWS", "influence"), ("MOST_REFITTED", "risks")])
def test_above_the_limit_a_view_says_that_it_was_left_out(
    monkeypatch: pytest.MonkeyPatch, limit: str, left: str
) -> None:
    frame = trial(2).assign(outcome=lambda f: (f.outcome > 0).astype(int))
    monkeypatch.setattr(module, limit, 10)
    skipped = getattr(views(frame, question(participant=None)), left)
    assert isinstance(skipped, NotEstimable)
    assert "left out with more than 10" in skipped.reason
