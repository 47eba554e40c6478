"""`evalapp reliability` on any CSV of items: the contract in JSON, a table in words, one line where it cannot."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from evalapp.cli import main
from tests.analysis.cases import REFERENCES

SCALE = REFERENCES / "scale_agreeableness.csv"


def run(path: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["reliability", str(path), *options])


def answer(path: Path, *options: str) -> dict[str, Any]:
    result = run(path, *options, "--json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    return found


def refusal(path: Path, *options: str) -> str:
    result = run(path, *options)
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("evalapp reliability: ")
    return lines[0]


def answers(people: int = 30) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    trait = rng.normal(size=people)
    frame = pd.DataFrame({name: np.clip(np.round(3 + trait + rng.normal(size=people)), 1, 5) for name in "abc"})
    return frame.assign(wave=np.where(np.arange(people) % 2, "after", "before"), role="practitioner")


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "items.csv"
    answers().to_csv(path, index=False)
    return path


def test_the_json_is_the_contract() -> None:
    got, want = answer(SCALE), json.loads((REFERENCES / "scale_agreeableness.json").read_text())
    assert {"alpha", "alpha_ci", "omega", "items"} <= set(got)
    assert got["alpha"] == pytest.approx(want["alpha"], abs=1e-8)
    assert got["alpha_ci"] == pytest.approx(want["alpha_feldt_ci"], abs=1e-8)
    assert got["omega"] == pytest.approx(want["omega_total"], abs=1e-5)
    assert list(got["items"]) == ["A1", "A2", "A3", "A4", "A5"]
    assert set(got["items"]["A1"]) == {"item_rest", "alpha_if_dropped", "mean", "floor", "ceiling", "missing"}
    assert got["items"]["A1"]["item_rest"] == pytest.approx(want["item_rest"]["A1"], abs=1e-8)
    assert len(got["provenance"]["data_sha256"]) == 64


def test_reversed_items_are_turned_about_the_middle_of_the_range(tmp_path: Path) -> None:
    frame = pd.read_csv(SCALE)
    path = tmp_path / "raw.csv"
    frame.assign(A1=7 - frame.A1, A4=7 - frame.A4).to_csv(path, index=False)
    got = answer(path, "--reversed", "A1,A4", "--min", "1", "--max", "6")
    want = answer(SCALE, "--min", "1", "--max", "6")
    assert got["alpha"] == pytest.approx(want["alpha"], abs=1e-12)
    assert got["items"] == want["items"]


def test_groups_are_kept_apart(csv: Path) -> None:
    got = answer(csv, "--by", "wave", "--by", "role")
    assert [one["group"] for one in got["groups"]] == [
        {"wave": "before", "role": "practitioner"},
        {"wave": "after", "role": "practitioner"},
    ]
    before = answers().query("wave == 'before'")[list("abc")].to_numpy()
    covariance = np.cov(before, rowvar=False)
    assert got["groups"][0]["alpha"] == pytest.approx(1.5 * (1 - covariance.trace() / covariance.sum()))


def test_a_group_too_small_says_so_and_the_others_stand(tmp_path: Path) -> None:
    frame = answers()
    frame["wave"] = ["once", "once", None, *["before"] * 27]
    path = tmp_path / "items.csv"
    frame.drop(columns="role").to_csv(path, index=False)
    got = answer(path, "--by", "wave")
    assert got["left_out"] == 1
    assert "2 people" in got["groups"][0]["not_estimable"]
    assert got["groups"][1]["n"] == 27


def test_the_table_is_for_a_person(csv: Path) -> None:
    result = run(SCALE)
    assert result.exit_code == 0
    for words in ("2709 people", "alpha  0.704", "95 % interval 0.686 to 0.721", "omega  0.712", "0.311", "33.1 %"):
        assert words in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100
    grouped = run(csv, "--by", "wave", "--items", "a,b").stdout
    assert "wave before" in grouped
    assert "omega needs three items" in " ".join(grouped.split())


def test_other_columns_are_left_out_by_naming_the_items(csv: Path) -> None:
    assert list(answer(csv, "--items", "c,a")["items"]) == ["c", "a"]


def test_questions_as_column_names_do_not_break_the_table(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    answers()[list("abc")].rename(columns={"a": "I could say what went wrong without fear of being blamed"}).to_csv(
        path, index=False
    )
    lines = run(path).stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert any("I could say what went wrong witho…" in line for line in lines)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], ['"wave"', "text", "before"]),
        (["--items", "a,d"], ['"d"', "a, b, c"]),
        (["--items", "a,a"], ['"a"', "twice"]),
        (["--items", "a,b", "--by", "b"], ['"b"', "both"]),
        (["--items", "a"], ["two or more"]),
        (["--items", "a,b", "--by", "visit"], ['"visit"']),
        (["--items", "a,b", "--reversed", "b"], ["min", "max"]),
        (["--items", "a,b", "--reversed", "z", "--min", "1", "--max", "5"], ['"z"', "a, b"]),
        (["--items", "a,b", "--min", "5", "--max", "1"], ["highest"]),
        (["--items", "a,b", "--min", "nan"], ["finite"]),
        (["--items", "a,b", "--max", "4"], ["5", "row", "range"]),
        (["--items", "a,b", "--level", "95"], ["level"]),
        (["--frobnicate"], ["--frobnicate"]),
    ],
)
def test_what_is_wrong_ends_in_one_line(csv: Path, options: list[str], words: list[str]) -> None:
    message = refusal(csv, *options)
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "empty"), (b"a,b\n", "no rows"), (b"PK\x03\x04" + bytes(9), "workbook")]
)
def test_a_bad_file_ends_in_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    assert words in refusal(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "no file" in refusal(tmp_path / "none.csv")
