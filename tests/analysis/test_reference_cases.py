"""The reference cases are many and of every kind that breaks methods; each is made by a committed script and described."""

import json
from typing import Any

import pandas as pd
import pytest

from tests.analysis.cases import REFERENCES

# Data sets R answered for, which were given to the project and not made by a script of it.
GIVEN = {"tvsfp", "eight_sites_zero_variance", "twenty_sites_uneven", "clda_twenty_sites", "scale_agreeableness"}
# Trials that a script makes, all in one file, told apart by `case`.
TRIALS = {"robust": 14, "nested": 17, "longitudinal": 12, "ordinal": 6, "moderation": 4, "sensitivity": 2}
LARGEST = 100_000  # bytes of a file; further cases belong in further files

README = (REFERENCES / "README.md").read_text(encoding="utf-8")


def people(name: str) -> pd.DataFrame:
    return pd.read_csv(REFERENCES / f"{name}.csv")


def answers(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((REFERENCES / f"{name}.json").read_text(encoding="utf-8"))
    return found


def test_there_are_at_least_forty_trials_beside_those_given() -> None:
    counted = {name: people(name)["case"].nunique() for name in TRIALS}
    assert counted == TRIALS
    total = sum(counted.values())
    assert total >= 40
    said = " ".join(README.split())
    assert f"{total} simulated trials" in said
    for name, count in TRIALS.items():
        assert f"{count} of `{name}`" in said


def test_every_script_has_its_answers_and_its_row_and_every_answer_its_script() -> None:
    scripts = {path.stem for path in REFERENCES.glob("*.R")}
    assert {path.stem for path in REFERENCES.glob("*.json")} - GIVEN == scripts
    for name in scripts:
        row = next((line for line in README.splitlines() if line.startswith((f"| `{name}`", f"| `{name}_"))), None)
        assert row is not None, name
        assert f"`{name}.R`" in row, name


def test_the_cases_hold_what_breaks_methods() -> None:
    sites = [frame["site"].nunique() for name in TRIALS for _, frame in people(name).groupby("case")]
    assert min(sites) <= 6
    assert max(sites) == 60
    robust, nested, longitudinal = people("robust"), people("nested"), people("longitudinal")
    weights = robust.groupby("case")["weight"].nunique()
    assert (weights > 1).sum() == 4  # weighted
    assert set(robust["yes"]) == {0, 1}  # binary
    assert set(people("ordinal").groupby("case")["outcome"].nunique()) >= {3, 4, 7}  # ordinal
    reviews = nested.groupby(["case", "site"])["review"].nunique().groupby("case")
    assert (reviews.max() == 1).any()  # one review at every site
    sizes = nested.groupby(["case", "site"]).size().groupby("case")
    assert (sizes.max() >= 3 * sizes.min()).any()  # uneven
    waves = longitudinal.groupby(["case", "site", "review", "participant"]).size().groupby("case")
    assert (waves.min() < waves.max()).any()  # missing waves
    assert any(min(one["variance"].values()) == 0 for one in answers("nested").values())  # singular


@pytest.mark.parametrize("path", sorted(REFERENCES.iterdir()), ids=lambda path: path.name)
def test_a_file_is_small_enough_to_read(path: Any) -> None:
    assert path.stat().st_size < LARGEST
