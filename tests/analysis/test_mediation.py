"""The parts of a mediation are R's, its interval is that of the product, and it never claims more than exploring."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.errors import BadData
from analysis.mediation import ASSUMPTIONS, Mediation, mediate
from analysis.question import Question
from analysis.results import NotEstimable
from tests.analysis.cases import REFERENCES, question

R = json.loads((REFERENCES / "sensitivity.json").read_text())
TABLE = pd.read_csv(REFERENCES / "sensitivity.csv")

# As in test_references: R's optimiser leaves about 1e-6 in a variance.
ESTIMATE, SPREAD = 1e-6, 1e-5


def case(name: str) -> pd.DataFrame:
    return TABLE[TABLE.case == name].reset_index(drop=True)


def mediated(frame: pd.DataFrame, asked: Question | None = None) -> Mediation:
    found = mediate(frame, asked or question(participant=None), "mediator")
    assert isinstance(found, Mediation), found
    return found


@pytest.mark.parametrize("name", R["mediation"])
def test_the_arm_s_effect_on_the_mediator_and_the_mediator_s_between_and_within_sites_are_r_s(name: str) -> None:
    found, want = mediated(case(name)), R["mediation"][name]
    pairs = (("a", found.on_mediator), ("between", found.between), ("within", found.within), ("direct", found.direct))
    for key, got in pairs:
        assert got.estimate == pytest.approx(want[key]["estimate"], abs=ESTIMATE)
        assert (got.se, got.df) == pytest.approx((want[key]["se"], want[key]["df"]), rel=SPREAD)
    assert found.indirect == pytest.approx(want["a"]["estimate"] * want["between"]["estimate"], abs=ESTIMATE)


def test_the_interval_is_that_of_a_product_of_two_t() -> None:
    """Against numerical integration; 100,000 draws leave an error of about 0.5 % of its length in an end."""
    found = mediated(case("twenty_four"))

    def below(cut: float) -> float:
        a, b = found.on_mediator, found.between
        grid = np.linspace(0.5 / 20_000, 1 - 0.5 / 20_000, 20_000)
        here = a.estimate + a.se * stats.t.ppf(grid, a.df)
        limit = (cut / here - b.estimate) / b.se
        return float(np.where(here > 0, stats.t.cdf(limit, b.df), stats.t.sf(limit, b.df)).mean())

    low, high = found.ci
    assert low is not None
    assert high is not None
    assert below(low) == pytest.approx(0.025, abs=0.002)
    assert below(high) == pytest.approx(0.975, abs=0.002)


def test_the_indirect_effect_of_simulated_trials_is_the_true_one_and_its_interval_covers_it() -> None:
    """60 trials of 30 sites, a = 0.8, b between 0.7 and within 0.2: 0.56.  SE of the mean 0.03; 52 of 60 cover or more."""
    rng = np.random.default_rng(4)
    site = np.repeat(np.arange(30), 12)
    estimates, covered, split = [], 0, []
    for _ in range(60):
        mean = 0.8 * (np.arange(30) % 2) + rng.normal(0, 0.6, 30)
        distance = rng.normal(size=360)
        distance -= (np.bincount(site, weights=distance) / 12)[site]
        outcome = 0.7 * mean[site] + 0.2 * distance + rng.normal(0, 0.4, 30)[site] + rng.normal(size=360)
        frame = pd.DataFrame({"site": site, "arm": site % 2, "mediator": mean[site] + distance, "outcome": outcome})
        found = mediated(frame, Question("outcome", "arm", "site", design="randomised"))
        low, high = found.ci
        assert low is not None
        assert high is not None
        estimates.append(found.indirect)
        split.append(found.within.estimate)
        covered += low < 0.56 < high
    assert np.mean(estimates) == pytest.approx(0.56, abs=0.1)
    assert np.mean(split) == pytest.approx(0.2, abs=0.03)
    assert covered >= 52


def test_it_is_always_labelled_exploratory_with_its_assumptions_and_has_no_p() -> None:
    found = mediated(case("ten"))
    assert found.warnings[: len(ASSUMPTIONS)] == ASSUMPTIONS
    written = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert written["exploratory"] is True
    assert "p" not in written
    chosen = mediated(case("ten"), question(participant=None, design="nonrandomised"))
    assert any("not randomised" in note for note in chosen.warnings)
    assert mediated(case("ten")) == found


def test_adding_a_constant_to_the_mediator_changes_nothing_and_a_unit_only_the_parts() -> None:
    found, moved = mediated(case("ten")), mediated(case("ten").assign(mediator=lambda t: 10 * t.mediator + 3))
    assert moved.indirect == pytest.approx(found.indirect, rel=1e-6)
    assert moved.on_mediator.estimate == pytest.approx(10 * found.on_mediator.estimate, rel=1e-6)


def test_a_mediator_that_cannot_be_split_or_read_is_refused() -> None:
    same = mediate(case("ten").assign(mediator=lambda t: t.site * 1.0), question(participant=None), "mediator")
    assert isinstance(same, NotEstimable)
    with pytest.raises(BadData, match="something else already"):
        mediate(case("ten"), question(participant=None), "baseline")
    with pytest.raises(BadData, match="no column"):
        mediate(case("ten"), question(participant=None), "morale")
    with pytest.raises(BadData, match="holds text"):
        mediate(case("ten").assign(mediator="much"), question(participant=None), "mediator")
    with pytest.raises(BadData, match="too few"):
        mediate(case("ten"), question(participant=None), "mediator", draws=10)
    long = case("ten").assign(wave=1, participant=lambda t: range(len(t)))
    waves = mediate(long, question(participant="participant", baseline=None, wave="wave"), "mediator")
    assert isinstance(waves, NotEstimable)
