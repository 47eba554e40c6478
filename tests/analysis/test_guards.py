"""What the statistics never do, or never without saying so: each guard by name, and the tests that show it.

The table is proved whole: every test named in it exists. Tests that no other file has stand below.
"""

import ast
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from analysis.compare import METHODS, compare
from analysis.errors import BadData
from analysis.lmm import reml
from analysis.lmm.reml import RemlFit, evaluate
from analysis.model_matrix import model_matrix
from analysis.question import Question
from analysis.recruitment import Recruited, recruited
from analysis.results import Effect, NotEstimable
from evalapp.cli import main
from tests.analysis.cases import ours, question, trial

TESTS = Path(__file__).parent.parent

GUARDS = {
    "z, or people less columns, as degrees of freedom of a difference between sites: never": [
        "analysis/test_guards.py::test_no_method_claims_more_degrees_of_freedom_than_there_are_sites",
        "analysis/test_lmm.py::test_a_variance_estimated_as_zero_is_kept_and_said",
    ],
    "a variance estimated as zero is kept, judged by Kenward–Roger, and said": [
        "analysis/test_lmm.py::test_a_variance_estimated_as_zero_is_kept_and_said",
        "analysis/test_guards.py::test_a_zero_variance_stands_in_the_banner_of_the_output",
        "analysis/test_ordinal.py::test_a_variance_estimated_as_zero_is_kept_and_named",
    ],
    "cLDA without site × wave: impossible": [
        "analysis/test_longitudinal.py::test_site_by_wave_cannot_be_left_out",
    ],
    "cLDA of sites that were not randomised: refused": [
        "analysis/test_longitudinal.py::test_sites_that_were_not_randomised_are_refused",
    ],
    "a randomisation test takes the allocation scheme, never the arm column alone": [
        "analysis/test_schemes.py::test_an_allocation_the_scheme_could_not_make_is_refused",
        "analysis/test_guards.py::test_a_randomisation_test_cannot_be_asked_for_without_a_scheme",
        "analysis/test_compare.py::test_complete_randomisation_is_assumed_aloud",
        "analysis/test_allocated.py::test_a_constrained_set_is_the_best_balanced_share_and_p_is_over_it_alone",
        "analysis/test_allocated.py::test_minimised_sites_enter_in_their_order_and_the_procedure_is_run_again",
    ],
    "one review at every site: the review level is dropped, and said": [
        "analysis/test_lmm.py::test_one_review_a_site_leaves_the_review_level_out_and_says_so",
        "analysis/test_longitudinal.py::test_levels_that_cannot_be_told_apart_are_left_out_and_said",
        "test_cli_compare.py::test_one_review_a_site_has_no_review_variance",
    ],
    "people are clustered by what was allocated, not by choice": [
        "analysis/test_guards.py::test_nothing_but_the_allocated_site_can_be_clustered_by",
        "analysis/test_compare.py::test_a_table_that_cannot_answer_is_refused_in_one_line",
    ],
    "review labels that repeat across sites are nested, not merged": [
        "analysis/test_identities.py::test_reviews_that_share_a_label_across_sites_are_different_reviews",
        "analysis/test_longitudinal.py::test_review_labels_that_repeat_across_sites_are_nested",
    ],
    "a practitioner in two reviews counts once, and is flagged": [
        "analysis/test_compare.py::test_someone_in_two_reviews_counts_once_in_the_first",
        "analysis/test_longitudinal.py::test_someone_in_two_reviews_counts_in_the_first",
    ],
    "consent after allocation is flagged": [
        "analysis/test_guards.py::test_consent_after_allocation_is_counted_by_arm_and_flagged",
        "analysis/test_guards.py::test_consent_after_allocation_is_flagged_on_the_output",
        "dashboard/test_releases.py::test_first_answers_count_as_a_start_only_when_given_before_the_site_knew_its_group",
    ],
    "an optimiser that says it converged is not believed": [
        "analysis/test_guards.py::test_a_point_whose_projected_gradient_is_not_zero_is_no_estimate",
        "analysis/test_lmm.py::test_every_criterion_on_the_boundary_is_no_better_than_the_fit",
        "analysis/test_longitudinal.py::test_no_point_anywhere_is_better_than_the_fit",
    ],
    "alpha by wave and role, never pooled": [
        "analysis/test_guards.py::test_alpha_of_a_file_with_wave_and_role_is_given_within_each",
        "test_cli_reliability.py::test_groups_are_kept_apart",
        "dashboard/test_items.py::test_reliability_is_that_of_each_role_s_own_answers_at_one_wave",
    ],
    "a ceiling above 40 %, or three categories: win probability": [
        "analysis/test_ordinal.py::test_ceilings_and_few_categories_advise_the_win_probability",
        "analysis/test_ordinal.py::test_a_comparison_of_an_outcome_at_its_ceiling_says_so",
    ],
    "post-hoc power, last observation carried forward, p within a subgroup: not offered": [
        "analysis/test_guards.py::test_power_is_of_a_plan_and_never_of_data",
        "analysis/test_guards.py::test_no_answer_is_carried_forward",
        "test_cli_beside.py::test_a_moderator_has_its_interaction_and_no_p_within_a_group",
        "analysis/test_guards.py::test_a_difference_within_a_group_is_printed_without_p",
    ],
    "linear algebra is held to one thread inside a fit": [
        "analysis/test_longitudinal.py::test_linear_algebra_is_held_to_one_thread_inside_the_fit",
        "analysis/test_guards.py::test_every_fit_of_a_comparison_has_one_thread",
    ],
    "whole-number, truth-value, text and categorical arms all work": [
        "analysis/test_compare.py::test_arms_may_be_words_numbers_or_truth_values",
        "analysis/test_longitudinal.py::test_arms_may_be_words_numbers_or_truth_values",
        "analysis/test_guards.py::test_every_type_of_arm_column_gives_the_same_difference",
    ],
    "infinite values, a constant outcome, one site in an arm, an empty arm, duplicate people: a reasoned refusal": [
        "analysis/test_compare.py::test_a_table_that_cannot_answer_is_refused_in_one_line",
        "analysis/test_guards.py::test_what_cannot_be_compared_is_refused_with_column_and_rows",
        "analysis/test_compare.py::test_whatever_the_table_the_answer_is_a_number_a_reason_or_a_refusal",
    ],
}

COLUMNS = [
    "--outcome", "outcome", "--arm", "arm", "--site", "site", "--review", "review", "--participant", "participant",
]  # fmt: skip


def named_in(path: Path) -> set[str]:
    return {
        one.name for one in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(one, ast.FunctionDef)
    }


@pytest.mark.parametrize("guard", GUARDS)
def test_every_guard_has_tests_that_exist(guard: str) -> None:
    for name in GUARDS[guard]:
        path, _, test = name.partition("::")
        assert test in named_in(TESTS / path), name


def test_every_test_of_this_file_shows_a_guard() -> None:
    shown = {name.partition("::")[2] for names in GUARDS.values() for name in names}
    about_the_table = {"test_every_guard_has_tests_that_exist", "test_every_test_of_this_file_shows_a_guard"}
    assert {name for name in named_in(Path(__file__)) if name.startswith("test_")} - about_the_table <= shown


@pytest.mark.parametrize("case", ["tvsfp", "eight_sites_zero_variance", "twenty_sites_uneven"])
def test_no_method_claims_more_degrees_of_freedom_than_there_are_sites(case: str) -> None:
    result = ours(case)
    sites = sum(result.counts.sites)
    for name, found in result.methods.items():
        # Satterthwaite is shown to be compared with: where a variance is zero it claims more, and is called liberal.
        if isinstance(found, Effect) and name != "lmm_satterthwaite":
            assert found.df < sites, name
    assert not any(re.search("naive|ols$|_z$", name) for name in METHODS)
    assert "liberal" in " ".join(result.methods["lmm_satterthwaite"].warnings)  # type: ignore[union-attr]


def test_a_zero_variance_stands_in_the_banner_of_the_output() -> None:
    path = TESTS / "references" / "eight_sites_zero_variance.csv"
    result = CliRunner().invoke(main, ["compare", str(path), *COLUMNS, "--baseline", "baseline"])
    said = " ".join(result.stdout.split())
    assert "(estimated as zero: site)" in said
    assert "mixed model, Kenward–Roger: variance of site is estimated as zero; kept in the model" in said


def test_a_randomisation_test_cannot_be_asked_for_without_a_scheme() -> None:
    found = compare(trial(1), question(methods=("randomisation",))).methods["randomisation"]
    assert any("complete randomisation assumed" in note for note in found.warnings)  # type: ignore[union-attr]
    said = compare(trial(1), question(methods=("randomisation",), allocation="complete")).methods["randomisation"]
    assert not any("assumed" in note for note in said.warnings)  # type: ignore[union-attr]


def test_nothing_but_the_allocated_site_can_be_clustered_by() -> None:
    options = {one.name for one in main.commands["compare"].params}
    assert not {name for name in options | {one.name for one in fields(Question)} if name and "cluster" in name}
    # Reviews named as sites where whole sites were allocated give as many sites as reviews: the record must say otherwise.
    frame = trial(1)
    frame.loc[(frame.site == 0) & (frame.review == frame.review[frame.site == 0].max()), "arm"] ^= 1
    with pytest.raises(BadData, match="site 0 is in more than one arm"):
        compare(frame, question())


def dated() -> pd.DataFrame:
    """Six people, two of them late, one unknown; consent on the day of allocation is late."""
    return pd.DataFrame(
        {
            "site": [1, 1, 1, 2, 2, 2],
            "arm": [1, 1, 1, 0, 0, 0],
            "who": [1, 2, 3, 1, 2, 3],
            "outcome": np.arange(6.0),
            "consent": ["2026-01-19", "2026-01-20", "2026-02-01T10:30:00", "2026-01-02", None, "2026-01-01"],
            "known": ["2026-01-20"] * 6,
        }
    )


def test_consent_after_allocation_is_counted_by_arm_and_flagged() -> None:
    asked = Question("outcome", "arm", "site", participant="who")
    found = recruited(dated(), asked, "consent", "known")
    assert found == Recruited(before=(1, 2), after=(2, 0), unknown=(0, 1))
    assert found.warning is not None
    assert "2 people in treatment and 0 in control consented after" in found.warning
    days = dated().assign(consent=[3, 4, 9, 1, np.nan, 1], known=4)
    assert recruited(days, asked, "consent", "known") == found
    assert Recruited((3, 3), (0, 0), (0, 0)).warning is None
    with pytest.raises(BadData, match='column "consent" holds "soon" in row 3'):
        recruited(dated().assign(consent=["", "soon", "", "", "", ""]), asked, "consent", "known")


def test_consent_after_allocation_is_flagged_on_the_output(tmp_path: Path) -> None:
    frame = trial(1).assign(allocated="2026-01-20")
    frame["consent"] = np.where(frame.participant % 10 == 0, "2026-01-25", "2026-01-10")
    path = tmp_path / "dated.csv"
    frame.to_csv(path, index=False)
    ask = ["compare", str(path), *COLUMNS, "--consented", "consent", "--allocated", "allocated"]
    said = " ".join(CliRunner().invoke(main, ask).stdout.split())
    assert "which no method here can mend" in said
    assert CliRunner().invoke(main, ask[:-2]).exit_code == 2  # one date alone says nothing


def test_a_point_whose_projected_gradient_is_not_zero_is_no_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = trial(2, sites=12, icc_site=0.2)
    matrix = model_matrix(frame.outcome.to_numpy(float), [("arm", frame.arm.to_numpy(float))])
    site, review = frame.site.to_numpy(np.intp), frame.review.to_numpy(np.intp)
    fit = reml.fit(matrix, site, review)
    assert isinstance(fit, RemlFit)
    stopped = evaluate(fit.sums, 3.0, 3.0)
    monkeypatch.setattr(reml, "optimum", lambda *_: (stopped, 1))
    found = reml.fit(matrix, site, review)
    assert isinstance(found, NotEstimable)
    assert "the projected gradient is not zero" in found.reason


def test_alpha_of_a_file_with_wave_and_role_is_given_within_each(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.integers(1, 6, (60, 3)), columns=list("abc"))
    frame["wave"] = np.repeat(["before", "after"], 30)
    path = tmp_path / "items.csv"
    frame.to_csv(path, index=False)
    pooled = CliRunner().invoke(main, ["reliability", str(path)])
    assert pooled.exit_code == 2  # a column of waves is no item: to pool them is refused
    apart = CliRunner().invoke(main, ["reliability", str(path), "--by", "wave"])
    assert "wave before" in apart.stdout
    assert "wave after" in apart.stdout


def test_power_is_of_a_plan_and_never_of_data() -> None:
    assert not [one for one in main.commands["power"].params if isinstance(one, click.Argument)]
    result = CliRunner().invoke(main, ["compare", str(TESTS / "references" / "tvsfp.csv"), *COLUMNS, "--json"])
    assert '"power"' not in result.stdout


def test_no_answer_is_carried_forward() -> None:
    frame = trial(1)
    long = pd.concat([frame.assign(outcome=frame.baseline, wave=0), frame.iloc[5:].assign(wave=1)])
    counts = compare(long, question(baseline=None, wave="wave", methods=("cr2",))).counts
    assert counts.analysed == len(frame) - 5
    names = {one.name for path in (TESTS.parent / "analysis").rglob("*.py") for one in ast.walk(ast.parse(path.read_text()))
             if isinstance(one, ast.FunctionDef)}  # fmt: skip
    assert not {name for name in names if re.search("locf|carr(y|ied)_forward|post_hoc|observed_power", name)}


def test_a_difference_within_a_group_is_printed_without_p(tmp_path: Path) -> None:
    frame = trial(1, sites=12).assign(role=lambda f: np.where(f.participant % 2, "manager", "parent"))
    path = tmp_path / "roles.csv"
    frame.to_csv(path, index=False)
    lines = CliRunner().invoke(main, ["compare", str(path), *COLUMNS, "--moderator", "role"]).stdout.splitlines()
    within = [line for line in lines if re.match(r"    in (manager|parent) ", line)]
    between = next(line for line in lines if line.startswith("    parent less manager"))
    assert len(within) == 2
    # Estimate, two ends and "to"; the line between groups has a p more.
    assert {len(line.split()) for line in within} == {6}
    assert len(between.split()) == 8


def test_every_fit_of_a_comparison_has_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    from threadpoolctl import threadpool_info

    seen: list[int] = []
    usual = reml.fit

    def watched(*arguments: Any, **options: Any) -> RemlFit | NotEstimable:
        seen.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return usual(*arguments, **options)

    monkeypatch.setattr(reml, "fit", watched)
    compare(trial(1), question())
    assert set(seen) == {1}


def test_every_type_of_arm_column_gives_the_same_difference() -> None:
    frame = trial(1)
    want = compare(frame, question(methods=("cr2",))).methods["cr2"]
    words = frame.arm.map({0: "control", 1: "treatment"})
    for arm in (
        frame.arm.astype(float),
        frame.arm.astype(bool),
        words,
        words.astype("category"),
        frame.arm.astype("Int64"),
    ):
        assert compare(frame.assign(arm=arm), question(methods=("cr2",))).methods["cr2"] == want


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: f.assign(outcome=f.outcome.where(f.index != 3, np.inf)), 'column "outcome" holds infinite values in row 5'),
        (lambda f: f.assign(outcome=7.0), 'column "outcome" is the same'),
        (lambda f: f[(f.arm == 0) | (f.site == f.site[f.arm == 1].iloc[0])], "has one site"),
        (lambda f: f[f.arm == 0], "the other arm is empty"),
        (lambda f: f.assign(participant=f.participant.where(f.index != 1, f.participant[0])), "same person appears again in row 3"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused_with_column_and_rows(spoil: Any, words: str) -> None:
    with pytest.raises(BadData, match=re.escape(words)):
        compare(spoil(trial(1)), question())
