"""`evalapp compare --json` is its contract, key by key and definition by definition, on every reference case."""

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from analysis.compare import METHODS
from evalapp.cli import main
from tests.analysis.cases import PLANNED, REFERENCES, answers_of_r, table, trial

COLUMNS = (
    "--outcome",
    "outcome",
    "--arm",
    "arm",
    "--site",
    "site",
    "--review",
    "review",
    "--participant",
    "participant",
)
LONG = "clda_twenty_sites"
OPTIONS = {
    **{case: (*COLUMNS, "--baseline", "baseline", "--planned-sites", str(sites)) for case, sites in PLANNED.items()},
    LONG: (*COLUMNS, "--wave", "wave", "--planned-sites", "20", "--primary", "clda"),
}
KEYS = {
    "outcome", "contrast", "treatment", "n", "primary", "primary_reason", "methods", "variance", "icc", "effect_size",
    "provenance",
}  # fmt: skip
FURTHER = {
    "icc_without_baseline",
    "warnings",
    "influence",
    "estimands",
    "risks",
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
EFFECT = {"estimate", "se", "df", "statistic", "p", "ci", "warnings"}


@cache
def answer(case: str, *more: str) -> dict[str, Any]:
    arguments = ["compare", str(REFERENCES / f"{case}.csv"), *OPTIONS[case], "--design", "randomised", "--json", *more]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    return found


@pytest.mark.parametrize("case", OPTIONS)
def test_every_key_of_the_contract_is_there_and_the_others_are_known(case: str) -> None:
    got = answer(case)
    assert set(got) == KEYS | FURTHER
    assert got["contrast"] == "treatment − control"
    assert set(got["n"]) == {"rows", "analysed", "excluded", "sites", "reviews", "participants"}
    assert tuple(got["methods"]) == METHODS
    assert set(got["variance"]) == {"site", "review", "residual", "boundary", "reml_loglik"}
    assert set(got["icc"]) == set(got["icc_without_baseline"]) == {"site", "review"}
    assert set(got["effect_size"]) == {"hedges_g", "ci"}
    assert set(got["provenance"]) == {"data_sha256", "version", "seed"}


@pytest.mark.parametrize("case", OPTIONS)
def test_every_method_has_its_numbers_or_a_reason(case: str) -> None:
    for name, got in answer(case)["methods"].items():
        if "not_estimable" in got:
            assert set(got) == {"not_estimable"}
            assert got["not_estimable"]
            continue
        if name == "randomisation":
            assert {"p", "ci", "allocations", "exact"} <= set(got)
        else:
            assert set(got) >= EFFECT
            assert got["se"] > 0
            null = 0.5 if name == "win_probability" else 0.0
            assert got["statistic"] == pytest.approx((got["estimate"] - null) / got["se"])
            assert got["ci"][0] < got["estimate"] < got["ci"][1]
            # The interval and p are one statement; the bootstrap's may differ by a draw.
            assert (got["p"] < 0.05) is not (got["ci"][0] <= null <= got["ci"][1])
        assert 0 < got["p"] <= 1


@pytest.mark.parametrize("case", OPTIONS)
def test_only_what_cannot_be_estimated_says_so(case: str) -> None:
    missing = {name for name, got in answer(case)["methods"].items() if "not_estimable" in got}
    assert missing == (set() if case == LONG else {"clda"})


@pytest.mark.parametrize("case", PLANNED)
def test_n_is_treatment_then_control_and_adds_up(case: str) -> None:
    n, frame = answer(case)["n"], table(case)
    assert n["rows"] == len(frame) == n["analysed"] + sum(n["excluded"].values())
    for key, column in (("sites", ["site"]), ("reviews", ["site", "review"]), ("participants", None)):
        units = frame if column is None else frame.drop_duplicates(column)
        assert n[key] == [int((units.arm == 1).sum()), int((units.arm == 0).sum())]


def test_complete_cases_are_counted_by_the_variable_they_lack(tmp_path: Any) -> None:
    frame = table("twenty_sites_uneven")
    frame.loc[:9, "outcome"] = np.nan
    frame.loc[5:19, "baseline"] = np.nan
    frame.to_csv(tmp_path / "gaps.csv", index=False)
    arguments = ["compare", str(tmp_path / "gaps.csv"), *OPTIONS["twenty_sites_uneven"], "--json"]
    n = json.loads(CliRunner().invoke(main, arguments).stdout)["n"]
    assert (n["excluded"]["missing outcome"], n["excluded"]["missing baseline"]) == (10, 10)
    assert n["analysed"] == len(frame) - 20


@pytest.mark.parametrize(
    ("case", "primary"),
    [
        ("tvsfp", "lmm_kenward_roger"),
        ("eight_sites_zero_variance", "cluster_summary"),
        ("twenty_sites_uneven", "lmm_kenward_roger"),
        (LONG, "clda"),
    ],
)
def test_the_ladder_names_the_primary_and_its_reason(case: str, primary: str) -> None:
    got = answer(case)
    assert got["primary"] == primary
    assert " sites planned" in got["primary_reason"]


@pytest.mark.parametrize("case", PLANNED)
def test_iccs_are_shares_of_the_variance_and_the_review_icc_holds_the_site_too(case: str) -> None:
    got, variance = answer(case)["icc"], answer(case)["variance"]
    total = variance["site"] + variance["review"] + variance["residual"]
    assert got["site"]["value"] == pytest.approx(variance["site"] / total)
    assert got["review"]["value"] == pytest.approx((variance["site"] + variance["review"]) / total)
    for one in (got["site"], got["review"]):
        assert one["ci"][0] <= one["value"] <= one["ci"][1]


@pytest.mark.parametrize("case", PLANNED)
def test_numbers_are_those_of_r(case: str) -> None:
    got, want = answer(case), answers_of_r(case)
    # The estimate within 1e-6, SE and df within 1e-5 relative, the criterion within 1e-6: two optimisers' tolerance.
    assert got["variance"]["reml_loglik"] == pytest.approx(want["reml_loglik"], abs=1e-6)
    ours, theirs = got["methods"]["lmm_kenward_roger"], want["lmm_kenward_roger"]
    assert ours["estimate"] == pytest.approx(theirs["estimate"], rel=1e-6)
    assert ours["se"] == pytest.approx(theirs["se"], rel=1e-5)
    assert ours["df"] == pytest.approx(theirs["df"], rel=1e-5)
    assert got["methods"]["lmm_satterthwaite"]["df"] == pytest.approx(want["lmm_satterthwaite"]["df"], abs=1e-3)
    for name in ("cr1s", "cr2", "cr3"):
        assert got["methods"][name]["se"] == pytest.approx(want[name]["se"], rel=1e-8)
        assert got["methods"][name]["df"] == pytest.approx(want[name]["df"], rel=1e-8)
    assert got["methods"]["cluster_summary"]["p"] == pytest.approx(want["cluster_summary"]["p"], rel=1e-8)


def test_the_longitudinal_model_adds_one_contrast_for_each_later_wave() -> None:
    got, want = answer(LONG)["methods"]["clda"], answers_of_r(LONG)["clda_kenward_roger"]
    assert list(got["contrasts"]) == ["1"]
    assert got["estimate"] == got["contrasts"]["1"]["estimate"] == pytest.approx(want["estimate"], rel=1e-6)
    assert got["df"] == pytest.approx(want["df"], rel=1e-5)


@pytest.mark.parametrize(
    ("case", "p", "ci", "allocations"),
    [
        ("tvsfp", 0.000888360, None, 40116600),
        ("eight_sites_zero_variance", 2 / 70, (0.173911, 0.943518), 70),
        ("twenty_sites_uneven", 0.0006603303816926, (0.149450, 0.440502), 184756),
    ],
)
def test_the_randomisation_test_is_exact(case: str, p: float, ci: tuple[float, float] | None, allocations: int) -> None:
    got = answer(case)["methods"]["randomisation"]
    assert got["p"] == pytest.approx(p, rel=1e-6)
    assert got["exact"] is True
    assert got["allocations"] == allocations
    assert any("complete randomisation assumed" in note for note in got["warnings"])
    if ci:
        assert got["ci"] == pytest.approx(ci, abs=1e-6)


@pytest.mark.parametrize("case", OPTIONS)
def test_hedges_g_never_contradicts_the_difference(case: str) -> None:
    got = answer(case)
    deciding, g = got["methods"][got["primary"]], got["effect_size"]
    scale = g["hedges_g"] / deciding["estimate"]
    assert g["ci"] == pytest.approx([end * scale for end in deciding["ci"]])
    if case == "tvsfp":
        assert g["hedges_g"] == pytest.approx(0.3479, abs=5e-5)


def test_methods_may_be_named_and_the_primary_stays_named() -> None:
    got = answer("tvsfp", "--methods", "cr2,gee")
    assert set(got["methods"]) == {"cr2", "gee"}
    assert got["primary"] == "lmm_kenward_roger"
    assert got["effect_size"]["hedges_g"] == pytest.approx(answer("tvsfp")["effect_size"]["hedges_g"])


def test_a_self_selected_trial_is_a_difference_in_differences_and_refuses_what_supposes_chance() -> None:
    # The last design named on the line is the one that counts.
    got = answer("twenty_sites_uneven", "--design", "nonrandomised")
    assert got["primary"] == "did"
    assert "not_estimable" in got["methods"]["cluster_summary"]
    assert "not_estimable" in got["methods"]["clda"]


@pytest.mark.parametrize("case", OPTIONS)
def test_the_views_beside_the_contract_agree_with_it(case: str) -> None:
    got = answer(case)
    cr2, cr3 = got["methods"]["cr2"], got["methods"]["cr3"]
    assert got["influence"]["estimate"] == pytest.approx(cr2["estimate"])
    assert got["influence"]["se"] == pytest.approx(cr3["se"])
    assert len(got["influence"]["sites"]) == sum(got["n"]["sites"])
    assert got["estimands"]["person"]["p"] == pytest.approx(cr2["p"])
    assert "not_estimable" in got["risks"]


EDGES: dict[str, pd.DataFrame] = {
    "four sites": trial(3, sites=4),
    "one review a site": trial(4).assign(review=lambda f: f.site),
    "one person a site": trial(5, sites=12).drop_duplicates("site"),
    "yes or no": trial(6).assign(outcome=lambda f: (f.outcome > 0).astype(int)),
    "a constant baseline": trial(7).assign(baseline=1.0),
    "a baseline that is the outcome": trial(8).assign(baseline=lambda f: f.outcome),
    "an outcome that is the arm": trial(9).assign(outcome=lambda f: f.arm.astype(float)),
    "everyone at a site alike": trial(10).assign(outcome=lambda f: f.groupby("site").outcome.transform("mean")),
    "huge numbers": trial(11).assign(outcome=lambda f: 1e150 * f.outcome),
    "infinite": trial(12).assign(outcome=lambda f: f.outcome.where(f.index != 3, np.inf)),
    "one site an arm": trial(13, sites=2),
    "nobody": trial(14).assign(outcome=np.nan),
}


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("design", ["randomised", "nonrandomised"])
def test_whatever_comes_is_answered_without_nan_or_refused_in_one_line(tmp_path: Any, edge: str, design: str) -> None:
    EDGES[edge].to_csv(tmp_path / "edge.csv", index=False)
    arguments = ["compare", str(tmp_path / "edge.csv"), *COLUMNS, "--baseline", "baseline", "--design", design]
    said = CliRunner().invoke(main, arguments)
    told = CliRunner().invoke(main, [*arguments, "--json"])
    assert said.exit_code == told.exit_code
    if told.exit_code == 0:
        json.loads(told.stdout, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
        assert "nan" not in said.stdout.lower().split()
        return
    assert told.exit_code == 2
    assert len(told.stderr.splitlines()) == 1
