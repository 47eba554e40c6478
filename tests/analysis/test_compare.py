"""Choosing the primary, counting who was left out, refusing what cannot be answered."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.compare import LORD, METHODS, Question, compare
from analysis.errors import BadData
from analysis.primary import choose_primary
from analysis.question import Design
from analysis.resampling.randomisation import RandomisationTest
from analysis.results import Effect, NotEstimable
from tests.analysis.cases import question, trial


@pytest.mark.parametrize(
    ("design", "planned", "allocated", "method", "why"),
    [
        ("randomised", 28, (14, 14), "lmm_kenward_roger", "12 sites or more"),
        ("randomised", 12, (6, 6), "lmm_kenward_roger", "12 sites or more"),
        ("randomised", 12, (4, 8), "cluster_summary", "fewer than 5 sites in an arm"),
        ("randomised", 11, (6, 5), "cluster_summary", "6 to 11 sites"),
        ("randomised", 6, (3, 3), "cluster_summary", "6 to 11 sites"),
        ("randomised", 5, (3, 2), "cluster_summary", "nothing is called significant"),
        ("randomised", 3, (2, 1), None, "described and not compared"),
        ("randomised", 8, (10, 10), "cluster_summary", "the plan said 8, whatever came"),
        ("nonrandomised", 28, (14, 14), "did", "not randomised"),
        ("nonrandomised", 4, (2, 2), "did", "nothing is called significant"),
        ("nonrandomised", 2, (2, 2), None, "described and not compared"),
        (None, None, (10, 10), "lmm_kenward_roger", "exploratory"),
    ],
)
def test_the_primary_follows_from_the_plan(
    design: Design | None, planned: int | None, allocated: tuple[int, int], method: str | None, why: str
) -> None:
    primary = choose_primary(design, planned, allocated, has_before=True)
    assert primary.method == method
    assert why in primary.reason or why.startswith("the plan said")
    assert primary.tag == ("pre-specified" if planned else "exploratory")


@pytest.mark.parametrize(
    ("planned", "method"),
    [
        ((6, 6), "lmm_kenward_roger"),
        ((10, 14), "lmm_kenward_roger"),
        ((10, 15), "cr2"),
        ((14, 6), "cr2"),
        ((4, 8), "cr2"),
        ((4, 5), "cluster_summary"),
        ((2, 4), "cr2"),
        ((2, 3), "cluster_summary"),
        ((1, 2), None),
    ],
)
def test_arms_declared_uneven_are_compared_by_cr2(planned: tuple[int, int], method: str | None) -> None:
    # The file's own arms do not matter: what was planned decides.
    found = choose_primary("randomised", sum(planned), (10, 10), has_before=True, planned_arms=planned)
    assert found.method == method
    assert found.tag == "pre-specified"
    not_randomised = choose_primary("nonrandomised", sum(planned), (10, 10), has_before=True, planned_arms=planned)
    assert not_randomised.method in {"did", None}


def test_what_decides_never_follows_from_the_outcome() -> None:
    frame = trial(2, sites=12)
    wild = frame.assign(outcome=frame.outcome * np.where(frame.arm == 1, 20.0, 1.0))
    for asked in (question(planned_sites=12), question(planned_arms=(4, 8))):
        assert compare(frame, asked).primary == compare(wild, asked).primary


def test_uneven_arms_nobody_declared_are_warned_of_where_what_decides_pools_them() -> None:
    frame = trial(2, sites=12)
    uneven = frame.assign(arm=(frame.site < 4).astype(int))

    def warned(**changes: Any) -> bool:
        return any(
            "the arms are uneven (4 and 8 sites)" in one for one in compare(uneven, question(**changes)).warnings
        )

    assert warned(planned_sites=12)
    assert not warned(planned_arms=(4, 8))
    assert not warned(planned_sites=12, design="nonrandomised")
    assert not any("uneven" in one for one in compare(frame, question(planned_sites=12)).warnings)


def test_every_method_is_answered_with_a_number_or_a_reason() -> None:
    result = compare(trial(1), question())
    assert tuple(result.methods) == METHODS
    reasons = {name: r.reason for name, r in result.methods.items() if isinstance(r, NotEstimable)}
    assert set(reasons) == {"clda"}
    assert all(reasons.values())


def test_only_the_methods_asked_for_are_shown() -> None:
    result = compare(trial(1), question(methods=("cr2", "did")))
    assert list(result.methods) == ["cr2", "did"]
    assert result.effect_size is not None  # of the primary, shown or not


def test_where_sites_were_not_randomised_did_decides_and_the_rest_is_hedged() -> None:
    result = compare(trial(1), question(design="nonrandomised", planned_sites=8))
    assert result.primary.method == "did"
    assert isinstance(result.primary_result, Effect)
    summary = result.methods["cluster_summary"]
    assert isinstance(summary, NotEstimable)
    assert "not randomised" in summary.reason
    clda = result.methods["clda"]
    assert isinstance(clda, NotEstimable)
    assert "refused" in clda.reason
    permuted = result.methods["randomisation"]
    assert isinstance(permuted, RandomisationTest)
    assert any("as if" in note for note in permuted.warnings)
    assert any("associated" in note for note in result.warnings)


def test_where_sites_chose_and_started_apart_changes_and_adjustment_may_disagree_and_it_is_said() -> None:
    frame = trial(3, sites=14)
    on = {"design": "nonrandomised", "planned_sites": 14, "methods": ("did", "cr2")}

    def said(moved: pd.DataFrame) -> bool:
        return LORD in compare(moved, question(**on)).methods["did"].warnings  # type: ignore[union-attr]

    # Nobody changes, and the treated sites started higher: changes see nothing, adjustment for a noisy baseline much.
    apart = frame.assign(baseline=frame.baseline + 3.0 * frame.arm, outcome=frame.outcome + 3.0 * frame.arm)
    assert said(apart)
    assert not said(frame)
    randomised = compare(apart, question(**{**on, "design": "randomised"})).methods["did"]
    assert LORD not in randomised.warnings  # type: ignore[union-attr]


def test_a_change_needs_a_before() -> None:
    result = compare(trial(1), question(baseline=None))
    assert isinstance(result.methods["did"], NotEstimable)
    assert isinstance(result.methods["lmm_kenward_roger"], Effect)


def test_without_a_plan_the_result_is_exploratory_and_the_design_a_guess() -> None:
    result = compare(trial(1), question(design=None))
    assert result.primary.tag == "exploratory"
    assert "exploratory" in result.primary.reason
    assert any("design was not stated" in note for note in result.warnings)


def test_complete_randomisation_is_assumed_aloud() -> None:
    result = compare(trial(1), question())
    permuted = result.methods["randomisation"]
    assert isinstance(permuted, RandomisationTest)
    assert any("complete randomisation assumed" in note for note in permuted.warnings)


def test_strata_enter_the_models_and_the_allocations() -> None:
    frame = trial(1)
    half = frame.groupby("site").arm.first().groupby(lambda s: s).first()
    order = pd.Series(range(len(half)), index=half.sort_values(kind="stable").index)
    frame["region"] = frame.site.map(lambda s: "north" if order[s] % 2 else "south")
    result = compare(frame, question(strata="region"))
    permuted = result.methods["randomisation"]
    assert isinstance(permuted, RandomisationTest)
    assert permuted.allocations == 36  # two of four, twice
    summary = result.methods["cluster_summary"]
    assert isinstance(summary, Effect)
    assert summary.df == 5


def test_pairs_are_allocated_within_themselves() -> None:
    frame = trial(1)
    arms = frame.groupby("site").arm.first()
    rank = arms.groupby(arms).cumcount()
    frame["pair"] = frame.site.map(rank)
    result = compare(frame, question(pairs="pair"))
    permuted = result.methods["randomisation"]
    assert isinstance(permuted, RandomisationTest)
    assert permuted.allocations == 16
    summary = result.methods["cluster_summary"]
    assert isinstance(summary, Effect)
    assert summary.df == 3


def test_rows_that_lack_a_value_are_counted_under_the_first_they_lack() -> None:
    frame = trial(1)
    frame.loc[[0, 1], "outcome"] = np.nan
    frame.loc[[1, 2], "baseline"] = np.nan
    frame["review"] = frame.review.astype(float)
    frame.loc[5, "review"] = np.nan
    counts = compare(frame, question()).counts
    assert {name: n for name, n in counts.excluded.items() if n} == {
        "missing outcome": 2,
        "missing baseline": 1,
        "missing review": 1,
    }
    assert counts.rows - sum(counts.excluded.values()) == counts.analysed == sum(counts.participants)


@pytest.mark.parametrize(
    "arms",
    [
        {0: "control", 1: "appreciative"},
        {0: "Usual care", 1: "ACR"},
        {0: False, 1: True},
        {0: 1, 1: 2},
        {0: 0.0, 1: 1.0},
        {0: "no", 1: "yes"},
        {0: "A", 1: "B"},
    ],
)
def test_arms_may_be_words_numbers_or_truth_values(arms: dict[int, Any]) -> None:
    frame = trial(1, effect=1.0)
    want = compare(frame, question()).methods["cr2"]
    for kind in (object, "category"):
        got = compare(frame.assign(arm=frame.arm.map(arms).astype(kind)), question()).methods["cr2"]
        assert isinstance(got, Effect)
        assert isinstance(want, Effect)
        assert got.estimate == pytest.approx(want.estimate)


def test_a_guess_at_the_treatment_is_said() -> None:
    frame = trial(1)
    frame["arm"] = frame.arm.map({0: "alpha", 1: "beta"})
    assert any('"beta" is taken as the treatment' in note for note in compare(frame, question()).warnings)
    named = compare(frame, question(treatment="alpha"))
    assert named.treatment == "alpha"
    assert not any("taken as" in note for note in named.warnings)


def test_someone_in_two_reviews_counts_once_in_the_first() -> None:
    frame = trial(1, people=10)
    in_site = frame[frame.site == 3].index
    first, again = in_site[0], in_site[-1]
    assert frame.review[first] != frame.review[again]
    frame.loc[again, "participant"] = frame.participant[first]
    result = compare(frame, question())
    assert result.counts.excluded["same person in an earlier review"] == 1
    assert any("more than one review" in note for note in result.warnings)
    assert result.counts.analysed == len(frame) - 1


def test_people_numbered_afresh_in_every_review_are_all_kept() -> None:
    frame = trial(1)
    frame["participant"] = frame.groupby(["site", "review"]).cumcount()
    result = compare(frame, question())
    assert result.counts.analysed == len(frame)
    assert any("numbered afresh" in note for note in result.warnings)


def test_long_data_compare_the_last_wave_adjusted_for_the_first() -> None:
    frame = trial(1, effect=0.5)
    before = frame.assign(outcome=frame.baseline, wave="pre")
    after = frame.assign(wave="post")
    extra = frame.assign(outcome=0.0, wave="middle")
    long = pd.concat([before, extra, after]).sample(frac=1, random_state=1)
    asked = question(baseline=None, wave="wave", wave_order=("pre", "middle", "post"))
    got, want = compare(long, asked), compare(frame, question())
    for name in ("lmm_kenward_roger", "cluster_summary", "cr2", "did"):
        one, other = got.methods[name], want.methods[name]
        assert isinstance(one, Effect)
        assert isinstance(other, Effect)
        assert (one.estimate, one.se, one.df) == pytest.approx((other.estimate, other.se, other.df), rel=1e-6)
    assert any("wave middle not used" in note for note in got.warnings)


def test_numbered_waves_need_no_order_and_lost_people_are_counted() -> None:
    frame = trial(1)
    long = pd.concat([frame.assign(outcome=frame.baseline, wave=0), frame.iloc[3:].assign(wave=1)])
    counts = compare(long, question(baseline=None, wave="wave")).counts
    assert counts.rows == len(long)
    assert counts.excluded["no row at wave 1"] == 3
    assert counts.analysed == len(frame) - 3


def broken(**columns: Any) -> pd.DataFrame:
    return trial(1).assign(**columns)


def with_cell(column: str, row: int, value: object) -> pd.DataFrame:
    frame = trial(1)
    frame[column] = frame[column].astype(object)
    frame.loc[row, column] = value
    return frame


ONE_SITE = trial(1)
ONE_SITE = ONE_SITE[(ONE_SITE.arm == 0) | (ONE_SITE.site == ONE_SITE.site[ONE_SITE.arm == 1].iloc[0])]


@pytest.mark.parametrize(
    ("frame", "changes", "words"),
    [
        (trial(1), {"outcome": "outcom"}, ["outcom", 'did you mean "outcome"?']),
        (trial(1).iloc[:0], {}, ["no rows"]),
        (with_cell("outcome", 4, "seven"), {}, ["outcome", "seven", "row 6"]),
        (with_cell("outcome", 4, "3,5"), {}, ["outcome", "3,5", "point"]),
        (with_cell("outcome", 4, np.inf), {}, ["outcome", "infinite", "row 6"]),
        (with_cell("baseline", 0, -np.inf), {}, ["baseline", "infinite", "row 2"]),
        (broken(outcome=3.0), {}, ["outcome", "same (3)", "varies"]),
        (broken(arm=1), {}, ["arm", 'only "1"', "empty"]),
        (broken(arm=None), {}, ["arm", "empty"]),
        (broken(outcome=None), {}, ["no row", "missing outcome"]),
        (ONE_SITE, {}, ["site", 'arm "1" has one site', "two sites"]),
        (with_cell("arm", 0, 2), {}, ["arm", "3 arms", "row 2"]),
        (with_cell("arm", 0, 1 - int(trial(1).arm[0])), {}, ["arm", "site 0", "more than one arm"]),
        (with_cell("participant", 1, 0), {}, ["participant", "row 3", "one row a person"]),
        (pd.concat([trial(1), trial(1).arm], axis=1), {}, ["2 columns", "arm"]),
        (trial(1), {"treatment": "2"}, ["arm", '"2"', "0 and 1"]),
        (broken(pair=lambda f: f.site // 3), {"pairs": "pair"}, ["pair", "one of each arm"]),
        (broken(region=lambda f: f.participant % 2), {"strata": "region"}, ["region", "stratum"]),
        (broken(note=lambda f: f.participant.map(str)), {"covariates": ("note",)}, ["note", "50"]),
        (
            broken(wave="pre"),
            {"baseline": None, "wave": "wave"},
            ["wave", "order"],
        ),
        (
            pd.concat([broken(wave=0), broken(wave=0), broken(wave=1)], ignore_index=True),
            {"baseline": None, "wave": "wave"},
            ["participant", "second row"],
        ),
    ],
)
def test_a_table_that_cannot_answer_is_refused_in_one_line(
    frame: pd.DataFrame, changes: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(BadData) as refusal:
        compare(frame, question(**changes))
    message = str(refusal.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"methods": ("t_test",)}, "t_test"),
        ({"methods": ()}, "no method"),
        ({"level": 95}, "level"),
        ({"planned_sites": 1}, "planned"),
        ({"seed": -1}, "seed"),
        ({"strata": "a", "pairs": "b"}, "pairs"),
        ({"wave": "w"}, "baseline"),
        ({"baseline": None, "wave": "w", "participant": None}, "participant"),
        ({"wave_order": ("a", "b")}, "wave order"),
        ({"review": "site"}, "site"),
        ({"design": "cohort"}, "cohort"),
    ],
)
def test_a_question_that_contradicts_itself_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadData, match=words):
        question(**changes)


def test_a_covariate_that_is_the_arm_leaves_nothing_to_compare() -> None:
    result = compare(trial(1).assign(twin=lambda f: 1.0 - f.arm), question(covariates=("twin",)))
    for name in ("lmm_kenward_roger", "cr2", "wild_bootstrap", "gee", "cluster_summary", "randomisation"):
        found = result.methods[name]
        assert isinstance(found, NotEstimable)
        assert "determine the arm" in found.reason


def test_labelled_covariates_enter_as_indicators() -> None:
    frame = trial(1).assign(role=lambda f: np.where(f.participant % 3, "practitioner", "manager"))
    as_number = frame.assign(role=(frame.role == "practitioner").astype(float))
    one, other = (compare(f, question(covariates=("role",))).methods["cr2"] for f in (frame, as_number))
    assert one == other


def test_unequal_arms_with_a_wild_small_one_are_pointed_to_cr2() -> None:
    frame = trial(4, sites=10)
    keep = [s for s in range(10) if s not in frame[frame.arm == 1].site.unique()[:2]]
    frame = frame[frame.site.isin(keep)]
    frame.loc[frame.arm == 1, "outcome"] += frame.site * 3.0
    result = compare(frame, question(baseline=None)).methods["cluster_summary"]
    assert isinstance(result, Effect)
    assert any("look at cr2" in note for note in result.warnings)


def test_the_same_table_and_seed_give_the_same_answer() -> None:
    assert compare(trial(1), question()).to_dict() == compare(trial(1), question()).to_dict()


def test_a_single_level_trial_needs_no_review_column() -> None:
    result = compare(trial(1), Question(outcome="outcome", arm="arm", site="site"))
    plain = result.to_dict()
    assert plain["variance"]["review"] is None
    assert plain["icc"]["review"] is None
    assert plain["n"]["reviews"] is None


def test_columns_that_take_up_every_difference_between_sites_leave_no_site_variance() -> None:
    frame = trial(1, sites=4)
    order = {site: k for k, site in enumerate(frame.drop_duplicates("site").sort_values(["arm", "site"]).site)}
    frame["corner"] = frame.site.map(lambda s: "n" if order[s] in {0, 2} else f"s{order[s]}")
    result = compare(frame, question(strata="corner"))
    found = result.methods["lmm_kenward_roger"]
    assert isinstance(found, NotEstimable)
    assert "every difference between sites" in found.reason
    assert "not_estimable" in result.to_dict()["variance"]


def test_an_outcome_that_the_columns_explain_whole_has_no_test() -> None:
    result = compare(trial(1).assign(baseline=lambda f: 3 * f.outcome - 1), question())
    for name in (
        "lmm_kenward_roger",
        "cr1s",
        "cr2",
        "cr3",
        "wild_bootstrap",
        "gee",
        "cluster_summary",
        "randomisation",
    ):
        assert isinstance(result.methods[name], NotEstimable), name


def test_an_outcome_that_is_the_arm_has_no_t_test() -> None:
    result = compare(trial(1).assign(outcome=lambda f: f.arm * 2.0), question(baseline=None))
    for name in ("lmm_kenward_roger", "cr2", "wild_bootstrap", "gee", "cluster_summary"):
        assert isinstance(result.methods[name], NotEstimable), name


SPOILERS = {
    "nothing": lambda f: f,
    "yes or no": lambda f: f.assign(outcome=(f.outcome > 0).astype(int)),
    "one yes": lambda f: f.assign(outcome=(f.participant == 3) * 1.0),
    "huge": lambda f: f.assign(outcome=f.outcome * 1e12, baseline=f.baseline * 1e-12),
    "far away": lambda f: f.assign(outcome=f.outcome * 1e-3 + 1e6),
    "tiny": lambda f: f.assign(outcome=f.outcome * 1e-160),
    "the same in a site": lambda f: f.assign(outcome=f.groupby("site").outcome.transform("mean")),
    "one a site": lambda f: f.groupby("site").head(1),
    "two a site": lambda f: f.groupby("site").head(2),
    "a few": lambda f: f.sample(frac=0.3, random_state=1),
    "constant baseline": lambda f: f.assign(baseline=1.0),
    "baseline nearly the arm": lambda f: f.assign(baseline=f.arm + 1e-7 * f.baseline),
    "baseline of sites": lambda f: f.assign(baseline=f.site),
}


@pytest.mark.parametrize("sites", [4, 7, 13, 26])
@pytest.mark.parametrize("spoiler", SPOILERS)
def test_whatever_the_table_the_answer_is_a_number_a_reason_or_a_refusal(spoiler: str, sites: int) -> None:
    for seed in range(2):
        frame = SPOILERS[spoiler](trial(seed, sites=sites, people=3)).assign(region=lambda f: f.site % 3)
        for asked in ({}, {"baseline": None}, {"strata": "region"}, {"design": "nonrandomised"}):
            try:
                result = compare(frame, question(**asked))
            except BadData:
                continue
            json.dumps(result.to_dict(), allow_nan=False)
            for found in result.methods.values():
                assert isinstance(found, NotEstimable) or 0.0 < found.p <= 1.0


def test_rows_of_long_data_are_named_as_in_the_file() -> None:
    frame = trial(1)
    long = pd.concat([frame.assign(outcome=frame.baseline, wave=0), frame.assign(wave=1)], ignore_index=True)
    last = len(long) - 1
    long.loc[last, "arm"] = 1 - long.arm[last]
    with pytest.raises(BadData, match=f"row {last + 2}"):
        compare(long, question(baseline=None, wave="wave"))
