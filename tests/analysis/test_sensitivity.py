"""What stands beside a comparison: the same numbers as the functions it is made of, or a reason."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.bayes.nested import Bayesian, bayesian
from analysis.compare import compare
from analysis.equivalence import equivalence
from analysis.errors import BadData
from analysis.mediation import mediate
from analysis.missing.imputation import Pooled, multiply_imputed
from analysis.missing.patterns import MissingPatterns
from analysis.missing.tipping import Tipping, shares_of, tipping
from analysis.moderation import ByBaseline, ByGroup, by_baseline, by_group
from analysis.nonrandomised.evalue import EValue, e_value
from analysis.nonrandomised.weighted_did import WeightedComparison, weighted_did
from analysis.nonrandomised.weights import BalanceTable
from analysis.ordinal.clmm import Clmm
from analysis.ordinal.proportional_odds import proportional_odds
from analysis.results import Effect, NotEstimable
from analysis.sensitivity import NO_DECISION, NOT_ASKED, Asked, Sensitivity, SmallEnough, sensitivity
from analysis.trial_data import read
from tests.analysis.cases import PLANNED, question, table, trial


def people(sites: int = 12, seed: int = 4, *, gaps: bool = True) -> pd.DataFrame:
    frame = trial(seed, sites=sites, effect=0.5)
    rng = np.random.default_rng(seed)
    frame["role"] = rng.choice(["practitioner", "manager", "parent"], len(frame))
    frame["size"] = rng.integers(5, 40, sites)[frame.site].astype(float)
    if gaps:
        frame.loc[rng.random(len(frame)) < 0.15, "outcome"] = np.nan
        frame.loc[frame.site == 3, "outcome"] = np.nan
    return frame


NOTHING = Asked()


def beside(frame: pd.DataFrame, asked: Asked = NOTHING, **changes: Any) -> Sensitivity:
    on = question(**{"planned_sites": frame.site.nunique(), "methods": ("cr2",), **changes})
    return sensitivity(frame, on, _decided(frame, on), asked)


def _decided(frame: pd.DataFrame, on: Any) -> Any:
    ladder = compare(frame, on).primary.method
    return compare(frame, question(**{**vars(on), "methods": (ladder or "cr2",), "planned_arms": None}))


def test_a_moderator_is_groups_or_a_number_as_the_plan_runner_has_it() -> None:
    frame = people(gaps=False)
    found = beside(frame, Asked(moderators=("role", "baseline", "size"))).moderation
    assert list(found) == ["role", "baseline", "size"]
    on = question(planned_sites=12)
    groups, slope = found["role"], found["baseline"]
    assert isinstance(groups, ByGroup)
    assert isinstance(slope, ByBaseline)
    assert groups.to_dict() == by_group(frame, on, "role").to_dict()
    assert slope.to_dict() == by_baseline(frame, on).to_dict()


def test_patterns_tipping_points_and_filled_tables_are_of_what_decides() -> None:
    frame = people()
    got = beside(frame, Asked(role="role", imputations=4, worthwhile=0.4)).missing
    on = question(planned_sites=12, methods=("lmm_kenward_roger",))
    decided = compare(frame, on).primary_result
    assert isinstance(decided, Effect)
    assert isinstance(got.patterns, MissingPatterns)
    assert got.patterns.silent_sites == ((), ("3",))
    assert {one.label for one in got.patterns.by_role} == {"practitioner", "manager", "parent"}
    assert isinstance(got.people, Tipping)
    assert isinstance(got.sites, Tipping)
    shares = shares_of(frame, on, "person")
    deltas = [-0.8, -0.4, 0.0, 0.4, 0.8]
    for mine, share in ((got.people, shares.people), (got.sites, shares.sites)):
        wanted = tipping(decided.estimate, decided.ci, share, deltas)
        assert isinstance(wanted, Tipping)
        assert mine.points == wanted.points
        assert [one.estimate for one in mine.grid] == pytest.approx([one.estimate for one in wanted.grid])
    wanted_pool = multiply_imputed(frame, on, imputations=4, method="lmm_kenward_roger")
    assert isinstance(got.imputed, Pooled)
    assert isinstance(wanted_pool, Pooled)
    assert got.imputed.to_dict() == wanted_pool.to_dict()


def test_without_gaps_each_part_says_why_it_has_no_number() -> None:
    got = beside(people(gaps=False), Asked(imputations=2)).missing
    assert got.people == got.sites == NotEstimable("nothing is missing in either arm")
    assert got.imputed == NotEstimable("nothing is missing that could be imputed")
    assert beside(people()).missing.imputed == NotEstimable(NOT_ASKED)


@pytest.mark.parametrize(("sites", "shown"), [(4, True), (5, True), (6, False), (12, False)])
def test_four_or_five_sites_have_a_posterior_beside_the_described_difference(sites: int, *, shown: bool) -> None:
    frame = people(sites, gaps=False)
    got = beside(frame, Asked(worthwhile=0.4)).bayesian
    if not shown:
        assert got is None
        return
    assert isinstance(got, Bayesian)
    wanted = bayesian(frame, question(planned_sites=sites), smallest_worthwhile=0.4)
    assert isinstance(wanted, Bayesian)
    assert got.to_dict() == wanted.to_dict()
    assert len(got.alternatives) == 2  # the answer under other priors, always
    assert "half-normal" in got.posterior.priors.in_words()
    assert got.posterior.worthwhile is not None


def test_three_sites_an_arm_or_fewer_in_all_are_only_described() -> None:
    frame = people(4, gaps=False)
    on = question(planned_sites=3, methods=("cr2",))
    got = sensitivity(frame, on, compare(frame, on), Asked(imputations=2, worthwhile=0.4))
    assert got.bayesian is None
    assert got.missing.people == got.missing.imputed == NotEstimable(NO_DECISION)
    assert isinstance(got.small_enough, NotEstimable)


def test_too_small_to_matter_agrees_with_the_interval() -> None:
    frame = people(20, gaps=False)
    on = question(planned_sites=20)
    decided = compare(frame, on).primary_result
    assert isinstance(decided, Effect)
    low, high = decided.ci
    assert low is not None
    assert high is not None
    for worthwhile in (max(-low, high) * 0.999, max(-low, high) * 1.001):
        got = sensitivity(frame, on, compare(frame, on), Asked(worthwhile=worthwhile)).small_enough
        assert isinstance(got, SmallEnough)
        assert got.equivalence == equivalence(decided, worthwhile, 0.025)
        within = -worthwhile < low and high < worthwhile
        assert (got.equivalence.conclusion == "equivalent") == within
        assert got.equivalence.ci == pytest.approx(decided.ci)


def test_below_six_sites_nothing_is_tested_against_a_margin() -> None:
    got = beside(people(5, gaps=False), Asked(worthwhile=0.4)).small_enough
    assert isinstance(got, NotEstimable)
    assert "fewer than 6 sites" in got.reason


def test_sites_that_chose_are_balanced_weighted_and_given_an_e_value() -> None:
    frame = people(20, gaps=False)
    on = question(planned_sites=20, design="nonrandomised")
    result = compare(frame, on)
    got = sensitivity(frame, on, result, Asked(site_covariates=("size",))).not_randomised
    assert got is not None
    assert isinstance(got.balance, BalanceTable)
    assert [one.covariate for one in got.balance.covariates] == ["baseline", "size"]
    assert got.balance.effective_sites == pytest.approx((10, 10))
    for kind, found in got.weighted.items():
        wanted = weighted_did(frame, on, ["size"], kind)
        assert isinstance(found, WeightedComparison | NotEstimable)
        assert found.to_dict() == wanted.to_dict()
    assert set(got.weighted) == {"overlap", "entropy"}
    assert isinstance(got.e_value, EValue)
    assert result.effect_size is not None
    assert got.e_value == e_value(result.effect_size)


def test_without_site_covariates_weights_say_what_they_need_and_randomised_sites_have_none() -> None:
    frame = people(20, gaps=False)
    got = beside(frame, design="nonrandomised").not_randomised
    assert got is not None
    assert got.weighted["overlap"] == NotEstimable("no site covariate was named; name those to balance")
    assert beside(frame).not_randomised is None


def test_a_covariate_that_is_the_arm_is_a_reason_and_not_a_crash() -> None:
    frame = people(20, gaps=False)
    frame["given"] = frame.arm * 2.0
    got = beside(frame, Asked(site_covariates=("given",)), design="nonrandomised").not_randomised
    assert got is not None
    assert isinstance(got.balance, NotEstimable)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"moderators": ("colour",)}, 'no column "colour" for the moderator'),
        ({"role": "colour"}, 'no column "colour" for the role'),
        ({"site_covariates": ("colour",)}, 'no column "colour" for the site covariate'),
        ({"auxiliary": ("colour",)}, 'no column "colour" for the auxiliary column'),
        ({"imputations": 1}, "1 imputations"),
        ({"worthwhile": -1.0}, "worthwhile difference is -1"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(BadData, match=words):
        beside(people(), Asked(**asked))


@pytest.mark.parametrize("case", PLANNED)
def test_on_the_reference_cases_everything_is_a_number_or_a_reason(case: str) -> None:
    frame, on = table(case), question(planned_sites=PLANNED[case])
    got = sensitivity(frame, on, compare(frame, on), Asked(("baseline",), worthwhile=0.2, imputations=2)).to_dict()
    json.dumps(got, allow_nan=False)
    assert set(got) == {
        "small_enough",
        "moderation",
        "missing",
        "bayesian",
        "not_randomised",
        "recruited",
        "odds",
        "mediation",
        "every_review",
    }


def test_an_ordered_outcome_has_odds_ratios_and_a_score_has_none() -> None:
    frame, on = table("tvsfp"), question(planned_sites=28, methods=("cr2",))
    data = read(frame, on)
    got = sensitivity(frame, on, compare(frame, on)).odds
    assert got is not None
    wanted = proportional_odds(data.outcome, data.arm, data.site, data.adjustments)
    assert got.average == wanted
    assert got.within is None
    assert beside(people()).odds is None
    few = people(8).assign(outcome=lambda f: f.outcome.round().clip(-1, 1))
    both = beside(few, Asked(mixed_odds=True)).odds
    assert both is not None
    assert isinstance(both.within, Clmm | NotEstimable)


def test_a_mediator_is_explored_and_said_so() -> None:
    frame = people(12, gaps=False).assign(trust=lambda f: f.outcome + np.sin(7.0 * f.participant))
    got = beside(frame, Asked(mediator="trust")).mediation
    wanted = mediate(frame, question(planned_sites=12), "trust")
    assert got is not None
    assert got.to_dict() == wanted.to_dict()
    assert got.to_dict()["exploratory"] is True


def test_people_of_several_reviews_counted_in_each_are_a_line_beside() -> None:
    frame = people(12, gaps=False)
    site = frame[(frame.site == 0) & (frame.review == 0)]
    again = site.head(2).assign(review=99, outcome=5.0)
    twice = pd.concat([frame, again], ignore_index=True)
    got = beside(twice).every_review
    wanted = compare(twice, question(planned_sites=12, participant=None)).primary_result
    assert isinstance(got, Effect)
    assert isinstance(wanted, Effect)
    assert (got.estimate, got.se) == (wanted.estimate, wanted.se)
    assert beside(frame).every_review is None
