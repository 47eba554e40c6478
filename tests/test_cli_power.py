"""`evalapp power`: the contract in JSON, a table in words, one line where it cannot."""

import json
import math
import subprocess
import sys
from typing import Any

import pytest
from click.testing import CliRunner, Result

from analysis.design.power import (
    TrialDesign,
    power,
    proportional_odds,
    risk_difference,
    sites_required,
    smallest_effect,
    smallest_odds_ratio,
    smallest_risk,
    win_probability,
)
from evalapp.cli import main

OPTIONS = {"--sites": "20", "--reviews": "4", "--people": "6", "--icc-site": ".03", "--icc-review": ".08"}
DESIGN = TrialDesign(20, 4, 6, 0.03, 0.08)


def run(*options: str, **changes: str) -> Result:
    given = OPTIONS | {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
    return CliRunner().invoke(main, ["power", *(part for pair in given.items() for part in pair), *options])


def answer(*options: str, **changes: str) -> dict[str, Any]:
    result = run(*options, "--json", **changes)
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    return found


def test_the_json_is_the_contract() -> None:
    got = answer(delta=".4")
    assert list(got) == ["power", "mdes", "df", "design_effect", "simulated_power"]
    assert got["power"] == power(DESIGN, 0.4)
    assert got["mdes"] == smallest_effect(DESIGN, 0.8)
    assert got["df"] == 18
    assert got["design_effect"] == pytest.approx(1 + 5 * 0.08 + 18 * 0.03)
    assert got["simulated_power"] is None


def test_a_power_asks_for_the_effect_that_has_it() -> None:
    got = answer(power=".9")
    assert got["power"] == 0.9
    assert got["mdes"] == smallest_effect(DESIGN, 0.9)
    assert answer()["mdes"] == smallest_effect(DESIGN, 0.8)


def test_every_option_reaches_the_design() -> None:
    got = answer(
        treated="8", cv=".5", baseline_r=".5", baseline_r_review=".4", baseline_r_site=".3", analysis="change", waves="2",
        attrition=".2", site_attrition=".1", site_covariates="1", alpha=".1", delta=".4",
    )  # fmt: skip
    design = TrialDesign(
        20, 4, 6, 0.03, 0.08, treated=8, cv=0.5, baseline_r=0.5, baseline_r_review=0.4, baseline_r_site=0.3,
        analysis="change", waves=2, attrition=0.2, site_attrition=0.1, site_covariates=1,
    )  # fmt: skip
    assert got["power"] == power(design, 0.4, 0.1)
    assert got["df"] == 15


def test_shares_answering_yes_may_be_given_instead_of_a_difference() -> None:
    assert answer(risks=".6,.4")["power"] == power(DESIGN, risk_difference(0.6, 0.4))


def test_a_yes_or_no_outcome_has_its_smallest_share() -> None:
    assert answer(risk=".4")["smallest_risk"] == smallest_risk(DESIGN, 0.4)
    assert answer(risks=".6,.4")["smallest_risk"] == smallest_risk(DESIGN, 0.4)
    text = " ".join(run(risk=".4").stdout.split())
    assert f"smallest share above 40 % with 80 % {100 * (smallest_risk(DESIGN, 0.4) or 0):.1f} %" in text
    assert answer(risk=".99")["smallest_risk"] is None


def test_ordered_answers_have_their_odds_ratio_and_win_probability() -> None:
    control = (0.2, 0.4, 0.4)
    got = answer(answers=".2,.4,.4", odds_ratio="2")
    theta, effect = win_probability(proportional_odds(control, 2.0), control)
    assert (got["theta"], got["power"]) == (theta, power(DESIGN, effect))
    smallest = got["smallest_odds_ratio"]
    assert smallest == smallest_odds_ratio(DESIGN, control)
    # At the smallest odds ratio the power is what was asked for.
    at_it = win_probability(proportional_odds(control, smallest), control)[1]
    assert power(DESIGN, at_it) == pytest.approx(0.8, abs=1e-9)
    assert "win probability of the odds ratio" in run(answers=".2,.4,.4", odds_ratio="2").stdout
    assert answer(answers=".001,.999")["smallest_odds_ratio"] is None


def test_a_table_repeats_the_plan_for_other_numbers_of_sites() -> None:
    got = answer(answers=".2,.4,.4", odds_ratio="2", table="8,20,40")
    assert [one["sites"] for one in got["table"]] == [8, 20, 40]
    assert got["table"][1]["power"] == got["power"]
    assert got["table"][0]["smallest_odds_ratio"] > got["table"][1]["smallest_odds_ratio"]
    kept = answer(delta=".4", treated="5", table="40")
    assert kept["table"][0]["power"] == power(TrialDesign(40, 4, 6, 0.03, 0.08, treated=10), 0.4)
    assert "odds ratio" in run(answers=".2,.4,.4", table="8,12").stdout


def test_uneven_arms_are_planned_for_cr2() -> None:
    assert "the planned arms are uneven" in " ".join(run(treated="5", delta=".4").stdout.split())


def test_a_simulation_comes_again_from_its_seed_and_is_near_the_formula() -> None:
    one, other = (answer(delta=".4", simulate="200", baseline_r=".5") for _ in range(2))
    assert one == other
    formula = one["power"]
    assert one["simulated_power"] == pytest.approx(formula, abs=3 * math.sqrt(formula * (1 - formula) / 200) + 0.02)
    assert one["simulated_power"] != answer(delta=".4", simulate="200", baseline_r=".5", seed="2")["simulated_power"]


def test_the_table_says_what_the_trial_can_show() -> None:
    result = run("--simulate", "50", delta=".4")
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    for words in (
        "20 sites (10 treatment, 10 control), 4 reviews a site, 6 people a review",
        "degrees of freedom 18",
        f"power to detect 0.4 SD {100 * power(DESIGN, 0.4):.1f} %",
        f"sites required for 0.4 SD at 80 % {sites_required(DESIGN, 0.4)}",
        f"smallest difference with power 80 % {smallest_effect(DESIGN):.3f} SD",
        "50 trials",
        "smallest p of the randomisation test 1.1e-05",
        "Kenward–Roger decides",
    ):
        assert words in text
    assert "very large effect" not in text
    assert max(len(line) for line in result.stdout.splitlines()) <= 100


def test_a_trial_that_could_only_see_a_very_large_effect_is_told_so() -> None:
    assert "only see a very large effect" in run(sites="8").stdout


@pytest.mark.parametrize(
    ("options", "changes", "words"),
    [
        ((), {"icc_review": ".01"}, "icc-review: 0.01 is below icc-site"),
        ((), {"sites": "2"}, "0 degrees of freedom"),
        ((), {"sites": "many"}, "'many' is not a valid integer"),
        ((), {"people": "0"}, "people: 0"),
        ((), {"attrition": "1"}, "attrition: 1"),
        ((), {"delta": ".4", "power": ".8"}, "give one of --delta, --risks, --odds-ratio and --power"),
        ((), {"power": "80"}, "power: 80 is not a proportion"),
        ((), {"alpha": "0"}, "alpha: 0"),
        ((), {"delta": "nan"}, "delta: nan"),
        ((), {"risks": ".6"}, "two proportions with a comma"),
        ((), {"risks": "1.5,.4"}, "risk-treated: 1.5"),
        ((), {"risk": "1.5"}, "risk-control: 1.5"),
        ((), {"risk": ".4", "answers": ".5,.5"}, "give one of --risks, --risk and --answers"),
        ((), {"odds_ratio": "2"}, "say what the control arm answers"),
        ((), {"odds_ratio": "0", "answers": ".5,.5"}, "odds-ratio: 0 is not a number above 0"),
        ((), {"answers": ".5,.6"}, "sum to 1"),
        ((), {"answers": "often"}, "the control arm's proportions with commas"),
        ((), {"table": "8,many"}, '"many" is not a number of sites'),
        ((), {"simulate": "0"}, "simulate: 0 trials"),
        ((), {"simulate": "10", "reviews": "1.5"}, "whole number"),
        ((), {"simulate": "10", "sites": "3"}, "too few to compare"),
        ((), {"simulate": "10", "analysis": "change"}, "one wave after"),
        ((), {"seed": "-1"}, "seed: -1"),
        (("--colour",), {}, "No such option"),
    ],
)
def test_bad_input_ends_with_one_line_and_exit_code_2(
    options: tuple[str, ...], changes: dict[str, str], words: str
) -> None:
    result = run(*options, **changes)
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("evalapp power: ")
    assert words in lines[0]


def test_closed_forms_do_not_wait_for_pandas() -> None:
    ask = ["power", *(part for pair in OPTIONS.items() for part in pair), "--json"]
    code = (
        "import sys; from click.testing import CliRunner; from evalapp.cli import main; "
        f"assert CliRunner().invoke(main, {ask!r}).exit_code == 0; print('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
