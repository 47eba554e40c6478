"""`evalapp compare` beside its table: for whom, what is missing, few sites, sites that chose, how sites were allocated."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from evalapp.cli import main
from tests.analysis.cases import REFERENCES
from tests.analysis.test_allocated import acceptable
from tests.analysis.test_sensitivity import people

COLUMNS = [
    "--outcome", "outcome", "--arm", "arm", "--site", "site", "--review", "review", "--participant", "participant",
]  # fmt: skip
ADJUSTED = [*COLUMNS, "--baseline", "baseline"]
LONG = "clda_twenty_sites"


def run(path: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["compare", str(path), *options])


def answer(path: Path, *options: str) -> dict[str, Any]:
    result = run(path, *options, "--json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    return found


def text(path: Path, *options: str) -> str:
    result = run(path, *options)
    assert result.exit_code == 0, result.stderr
    assert max(len(line) for line in result.stdout.splitlines()) <= 110
    return " ".join(result.stdout.split())


@pytest.fixture
def twelve(tmp_path: Path) -> Path:
    path = tmp_path / "twelve.csv"
    people().to_csv(path, index=False)
    return path


def test_who_is_missing_stands_beside_by_arm_role_and_site_with_both_tipping_points(twelve: Path) -> None:
    said = text(twelve, *ADJUSTED, "--planned-sites", "12", "--role", "role", "--methods", "lmm_kenward_roger")
    for words in ("nobody has outcome at site 3", "role manager", "missing people:", "missing whole sites:", "arm 1"):
        assert words in said
    assert "multiple imputation: not asked for" in said


def test_gaps_are_filled_where_it_is_asked(twelve: Path) -> None:
    options = [*ADJUSTED, "--planned-sites", "12", "--imputations", "3", "--auxiliary", "size"]
    got = answer(twelve, *options)["missing"]["imputed"]
    assert got["imputations"] == 3
    assert got["effect"]["df"] < got["complete_df"]
    assert "over 3 filled tables" in text(twelve, *options)


def test_where_nothing_is_missing_nothing_is_said_of_it() -> None:
    said = text(REFERENCES / "tvsfp.csv", *ADJUSTED, "--design", "randomised", "--planned-sites", "28")
    assert "What is missing" not in said
    assert "Does the difference depend" not in said


def test_a_moderator_has_its_interaction_and_no_p_within_a_group(twelve: Path) -> None:
    got = answer(twelve, *ADJUSTED, "--moderator", "role", "--moderator", "baseline", "--planned-sites", "12")
    assert set(got["moderation"]["role"]["effects"]) == {"manager", "parent", "practitioner"}
    assert got["moderation"]["baseline"]["per_point"]["df"] > 0
    said = text(twelve, *ADJUSTED, "--moderator", "role", "--planned-sites", "12")
    assert "Does the difference depend on role? Exploratory, unless a plan named it" in said
    assert "parent less manager" in said


def test_five_sites_are_described_with_what_may_be_believed(tmp_path: Path) -> None:
    path = tmp_path / "five.csv"
    people(5, gaps=False).to_csv(path, index=False)
    options = [*ADJUSTED, "--design", "randomised", "--planned-sites", "5", "--worthwhile", ".4", "--lower-is-better"]
    said = text(path, *options)
    assert "nothing is called significant" in said
    assert "site and review SD half-normal with scale 0.5 residual SDs" in said
    assert "credible interval" in said
    assert "of more than the smallest worthwhile" in said
    got = answer(path, *options)
    assert got["methods"]["cluster_summary"]["estimate"] > 0
    assert got["bayesian"]["benefit"] < 0.5  # where lower is better, a higher outcome is no benefit
    assert len(got["bayesian"]["alternatives"]) == 2


def test_sites_that_chose_have_a_balance_table_weights_and_an_e_value(tmp_path: Path) -> None:
    path = tmp_path / "chose.csv"
    people(20, gaps=False).to_csv(path, index=False)
    options = [*ADJUSTED, "--design", "nonrandomised", "--planned-sites", "20", "--site-covariate", "size"]
    got = answer(path, *options)["not_randomised"]
    assert {one["covariate"] for one in got["balance"]["covariates"]} == {"baseline", "size"}
    assert got["weighted"]["overlap"]["effect"]["df"] > 0
    assert abs(got["weighted"]["overlap"]["balance"]["covariates"][0]["weighted_difference"]) < 1e-9
    assert got["e_value"]["estimate"] > 1
    said = text(path, *options)
    for words in ("balance, sites compared", "overlap weights", "entropy balancing", "E-value", "never caused by it"):
        assert words in said


def test_too_many_site_covariates_are_a_reason_beside_their_balance(tmp_path: Path) -> None:
    path = tmp_path / "chose.csv"
    people(12, gaps=False).to_csv(path, index=False)
    options = ["--site-covariate", "size", "--site-covariate", "baseline", "--design", "nonrandomised"]
    assert "weights can balance at most 1" in text(path, *ADJUSTED, *options)


def test_constrained_and_minimised_allocations_are_reference_sets_from_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "recorded.csv"
    acceptable().to_csv(path, index=False)
    common = [*COLUMNS, "--design", "randomised", "--methods", "randomisation"]
    complete = answer(path, *common, "--allocation", "complete")["methods"]["randomisation"]
    assert complete["allocations"] == 252
    assert not any("assumed" in one for one in complete["warnings"])
    narrow = answer(path, *common, "--allocation", "constrained", "--balance", "size", "--best", ".2")
    assert 40 < narrow["methods"]["randomisation"]["allocations"] < 70
    run_again = ["--allocation", "minimised", "--balance", "country", "--order", "entry", "--coin", ".7"]
    assert answer(path, *common, *run_again)["methods"]["randomisation"]["allocations"] is None
    assert "p over a random draw of the scheme's allocations" in text(path, *common, *run_again)


def test_declared_uneven_arms_let_cr2_decide_and_undeclared_ones_are_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "uneven.csv"
    frame = people(12, gaps=False)
    frame.assign(arm=(frame.site < 4).astype(int)).to_csv(path, index=False)
    common = [*ADJUSTED, "--design", "randomised"]
    declared = answer(path, *common, "--planned-arms", "4,8")
    assert declared["primary"] == "cr2"
    assert declared["primary_reason"].startswith("12 sites planned, 4 and 8 in the arms: the planned arms are uneven")
    assert not any("uneven" in one for one in declared["warnings"])
    number_alone = answer(path, *common, "--planned-sites", "12")
    assert number_alone["primary"] == "cluster_summary"
    assert any("the arms are uneven (4 and 8 sites)" in one for one in number_alone["warnings"])
    assert "look at cr2" in text(path, *common, "--planned-sites", "12")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--planned-arms", "six,14"], "two whole numbers"),
        (["--planned-arms", "6,14", "--planned-sites", "24"], "make them add up"),
        (["--allocation", "constrained"], "without balance"),
        (["--moderator", "colour"], 'no column "colour" for the moderator'),
        (["--imputations", "1"], "1 imputations"),
    ],
)
def test_what_contradicts_itself_ends_in_one_line(twelve: Path, options: list[str], words: str) -> None:
    result = run(twelve, *ADJUSTED, *options)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert words in result.stderr


def test_long_data_have_their_gaps_by_wave() -> None:
    said = text(
        REFERENCES / f"{LONG}.csv", *COLUMNS, "--wave", "wave", "--design", "randomised", "--planned-sites", "20"
    )
    assert "What is missing" in said
    assert "multiple imputation: not asked for" in said


def test_ordered_answers_have_their_odds_ratio_beside_the_win_probability() -> None:
    said = text(REFERENCES / "tvsfp.csv", *ADJUSTED, "--design", "randomised", "--planned-sites", "28")
    assert "Odds ratio of a higher category, proportional odds, sites left out in turn 1.9755" in said


def test_a_mediator_stands_under_its_own_head(tmp_path: Path) -> None:
    path = tmp_path / "mediated.csv"
    people(12, gaps=False).assign(trust=lambda f: f.outcome + np.sin(7.0 * f.participant)).to_csv(path, index=False)
    said = text(path, *ADJUSTED, "--planned-sites", "12", "--mediator", "trust", "--methods", "cr2")
    assert "How much of the difference goes with the mediator? Exploratory" in said
    assert "through the mediator, between sites" in said
