"""`evalapp compare` on any CSV: the contract in JSON, a table in words, one line where it cannot."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from analysis.compare import METHODS
from analysis.version import VERSION
from evalapp.cli import main
from tests.analysis.cases import REFERENCES, trial

COLUMNS = ["--outcome", "outcome", "--arm", "arm", "--site", "site"]
ALL = [*COLUMNS, "--review", "review", "--participant", "participant", "--baseline", "baseline"]


def run(path: Path | str, *options: str) -> Result:
    return CliRunner().invoke(main, ["compare", str(path), *options])


def answer(path: Path | str, *options: str) -> dict[str, Any]:
    result = run(path, *options, "--json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    return found


def refusal(path: Path | str, *options: str) -> str:
    result = run(path, *(options or COLUMNS))
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("evalapp compare: ")
    return lines[0]


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "trial.csv"
    trial(1).to_csv(path, index=False)
    return path


def write(path: Path, frame: pd.DataFrame, **how: Any) -> Path:
    frame.to_csv(path, index=False, **how)
    return path


def test_the_json_is_the_contract() -> None:
    got = answer(REFERENCES / "tvsfp.csv", *ALL, "--design", "randomised", "--planned-sites", "28")
    assert {
        "outcome", "contrast", "treatment", "n", "primary", "primary_reason", "methods", "variance", "icc",
        "effect_size", "provenance",
    } <= set(got)  # fmt: skip
    assert got["outcome"] == "outcome"
    assert got["contrast"] == "treatment − control"
    assert got["treatment"] == "1"
    assert got["n"]["rows"] == got["n"]["analysed"] == 1600
    assert got["n"]["excluded"]["missing outcome"] == 0
    assert got["n"]["sites"] == [14, 14]
    assert sum(got["n"]["reviews"]) == 135
    assert sum(got["n"]["participants"]) == 1600
    assert got["primary"] == "lmm_kenward_roger"
    assert got["primary_reason"].startswith("28 sites planned, 14 and 14")
    assert list(got["methods"]) == list(METHODS)
    primary = got["methods"]["lmm_kenward_roger"]
    assert set(primary) == {"estimate", "se", "df", "statistic", "p", "ci", "warnings"}
    # Six digits of the reference; the closer comparison is in tests/analysis/test_references.py.
    assert primary["estimate"] == pytest.approx(0.385255, abs=1e-6)
    assert primary["se"] == pytest.approx(0.0933594, abs=1e-6)
    assert primary["df"] == pytest.approx(23.6031, abs=1e-3)
    assert got["methods"]["randomisation"]["exact"] is True
    assert got["methods"]["randomisation"]["allocations"] == 40116600
    assert set(got["variance"]) == {"site", "review", "residual", "boundary", "reml_loglik"}
    assert got["variance"]["reml_loglik"] == pytest.approx(-2356.49535, abs=1e-5)
    assert set(got["icc"]) == {"site", "review"}
    assert set(got["icc"]["site"]) == {"value", "ci"}
    assert got["provenance"]["seed"] == 1
    assert got["provenance"]["version"] == VERSION
    assert len(got["provenance"]["data_sha256"]) == 64


def test_the_table_says_what_was_chosen_and_why() -> None:
    result = run(REFERENCES / "tvsfp.csv", *ALL, "--design", "randomised", "--planned-sites", "28")
    assert result.exit_code == 0
    for words in (
        "Primary: mixed model, Kenward–Roger",
        "28 sites planned, 14 and 14 in the arms",
        "0.3853",
        "Hedges g  0.3479",
        "all of 40,116,600 allocations",
        "every site the same",
    ):
        assert words in " ".join(result.stdout.split()) or words in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()) <= 110


def table_of(path: Path, *options: str) -> str:
    result = run(path, *options)
    assert result.exit_code == 0, result.stderr
    assert max(len(line) for line in result.stdout.splitlines()) <= 110
    return result.stdout


def test_the_win_probability_is_not_in_the_column_of_differences() -> None:
    text = table_of(REFERENCES / "tvsfp.csv", *ALL)
    lines = [line for line in text.splitlines() if "in probability" in line]
    assert lines[0].startswith("Win probability  θ = 0.5971, SE 0.0237, 95 % interval 0.5481 to 0.6461")
    assert "0.5 is no difference" in " ".join(text.split())
    rows = text[text.index("  method") : text.index("* primary")]
    assert "win probability" not in rows


def test_eight_sites_show_why_the_careless_methods_are_wrong() -> None:
    text = " ".join(table_of(REFERENCES / "eight_sites_zero_variance.csv", *ALL, "--planned-sites", "8").split())
    assert "takes 16.6 degrees of freedom from 8 sites: p = 0.0002; Kenward–Roger keeps the level and has 3.63" in text
    assert "why not CR1S: its SE is 0.0884 with 7 degrees of freedom, that of CR2 0.0943 with 4.44" in text


def test_where_the_careless_methods_agree_nothing_is_said_of_them() -> None:
    assert "why not" not in table_of(REFERENCES / "tvsfp.csv", *ALL)


def test_every_later_wave_has_its_line_in_the_longitudinal_model(tmp_path: Path) -> None:
    frame = pd.read_csv(REFERENCES / "longitudinal.csv")
    path = write(tmp_path / "long.csv", frame[frame.case == 2])
    names = ["--review", "review", "--participant", "participant", "--wave", "wave"]
    text = table_of(path, *COLUMNS, *names, "--planned-sites", "20", "--primary", "clda")
    assert "Primary: constrained longitudinal model" in text
    for wave in ("at wave 2", "at wave 3"):
        assert wave in text
    assert "no difference at any later wave: F(2, " in text
    assert "362 rows of 166 people" in text
    assert "review:wave" not in text
    assert "review:wave" in table_of(path, *COLUMNS, *names, "--review-wave")


def test_the_longitudinal_model_cannot_be_primary_without_waves() -> None:
    assert "clda" in refusal(REFERENCES / "tvsfp.csv", *ALL, "--primary", "clda")


def test_a_yes_or_no_outcome_has_its_risks(tmp_path: Path) -> None:
    frame = trial(1).assign(outcome=lambda f: (f.outcome > 0).astype(int))
    text = table_of(write(tmp_path / "yes.csv", frame), *COLUMNS)
    assert "standardised risk: " in text
    assert " ratio " in text


def test_a_primary_that_was_not_asked_for_is_said() -> None:
    text = table_of(REFERENCES / "tvsfp.csv", *ALL, "--methods", "win_probability")
    assert "not among the methods asked for" in text
    assert "Win probability" in text


def test_sites_and_weights_stand_under_sensitivity() -> None:
    text = table_of(REFERENCES / "tvsfp.csv", *ALL)
    for words in ("Sensitivity", "every review the same", "is size informative?", "no site alone turns its sign"):
        assert words in text


def test_the_wild_bootstrap_stands_in_the_table_without_degrees_of_freedom() -> None:
    result = run(REFERENCES / "eight_sites_zero_variance.csv", *ALL, "--design", "randomised")
    line = next(line for line in result.stdout.splitlines() if "wild cluster bootstrap" in line)
    assert line.split()[3:7] == ["0.4804", "0.0884", "5.436", "0.0078"]
    assert "all 256 sign changes" in result.stdout


def test_the_longitudinal_model_of_wide_data_says_what_it_needs() -> None:
    got = answer(REFERENCES / "tvsfp.csv", *ALL)
    assert "wave column" in got["methods"]["clda"]["not_estimable"]


def test_an_interval_without_ends_is_null(tmp_path: Path) -> None:
    path = write(tmp_path / "six.csv", trial(1, sites=6))
    assert answer(path, *COLUMNS)["methods"]["randomisation"]["ci"] == [None, None]


def test_one_review_a_site_has_no_review_variance(tmp_path: Path) -> None:
    path = write(tmp_path / "one.csv", trial(1).assign(review=lambda f: f.site))
    got = answer(path, *COLUMNS, "--review", "review")
    assert got["variance"]["review"] is None
    assert got["icc"]["review"] is None
    assert any("exactly one review" in note for note in got["methods"]["lmm_kenward_roger"]["warnings"])


def test_the_treatment_may_be_named(csv: Path) -> None:
    one, other = (answer(csv, *COLUMNS, "--treatment", label) for label in ("1", "0"))
    assert (one["treatment"], other["treatment"]) == ("1", "0")
    assert one["methods"]["cr2"]["estimate"] == pytest.approx(-other["methods"]["cr2"]["estimate"])


@pytest.mark.parametrize(
    "how",
    [
        {"encoding": "utf-8-sig"},
        {"encoding": "utf-16"},
        {"sep": ";"},
        {"sep": "\t"},
        {"sep": ";", "decimal": ","},
        {"sep": ";", "decimal": ",", "encoding": "utf-8-sig", "lineterminator": "\r\n"},
        {"quoting": 1},
    ],
)
def test_spreadsheets_of_any_country_are_read_the_same(tmp_path: Path, how: dict[str, Any]) -> None:
    frame = trial(1)
    want = answer(write(tmp_path / "plain.csv", frame), *ALL)
    got = answer(write(tmp_path / "other.csv", frame, **how), *ALL)
    assert got["methods"]["cr2"]["estimate"] == pytest.approx(want["methods"]["cr2"]["estimate"], rel=1e-12)
    assert got["n"] == want["n"]


def test_names_beyond_ascii_in_an_old_encoding_are_read(tmp_path: Path) -> None:
    frame = trial(1).assign(site=lambda f: f.site.map(lambda s: f"Ynys Môn {s}"))
    path = write(tmp_path / "old.csv", frame, encoding="cp1252")
    assert answer(path, *COLUMNS)["n"]["sites"] == [4, 4]


def test_a_million_rows_take_seconds(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = 1_000_000
    site = rng.integers(0, 40, rows)
    frame = pd.DataFrame(
        {
            "site": site,
            "review": rng.integers(0, 50, rows),
            "participant": np.arange(rows),
            "arm": site % 2,
            "baseline": rng.normal(size=rows).round(4),
        }
    )
    frame["outcome"] = (0.5 * frame.baseline + rng.normal(size=rows)).round(4)
    path = write(tmp_path / "large.csv", frame)
    start = time.perf_counter()
    got = answer(path, *ALL)
    taken = time.perf_counter() - start
    assert got["n"]["analysed"] == rows
    assert got["methods"]["randomisation"]["exact"] is True
    # About 4 s alone; the bound leaves room for a busy machine.
    assert taken < 20


def test_help_needs_no_statistics() -> None:
    """pandas and SciPy cost half a second, so they are imported by the commands that need them."""
    code = "import sys; import evalapp.cli; sys.exit(any(name in sys.modules for name in ('pandas', 'scipy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert "compare" in CliRunner().invoke(main, ["--help"]).stdout


LINES = "site,arm,outcome\n" + "".join(f"{k},{k % 2},{k * 7 % 5}.5\n{k},{k % 2},{k * 3 % 7}\n" for k in range(8))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["empty"]),
        (b"  \n \n", ["empty"]),
        (b"site,arm,outcome\n", ["no rows"]),
        (bytes(range(256)) * 8, ["binary"]),
        (b"PK\x03\x04" + bytes(100), ["workbook", "CSV"]),
        (b"\x89PNG\r\n\x1a\n\x81\x8d", ["binary"]),
        (LINES.replace("site,arm", "site,site").encode(), ['"site"', "more than once", "columns 1, 2"]),
        (LINES.replace("outcome", "score").encode(), ["outcome", "site, arm, score"]),
        (LINES.replace("3,1,1.5", "3,1,good").encode(), ["outcome", "good", "row 8"]),
        (LINES.replace("3,1,1.5", "3,1,inf").encode(), ["outcome", "infinite", "row 8"]),
        (LINES.replace("3,1,1.5", '3,1,"1,5"').encode(), ["outcome", "1,5", "point"]),
        (LINES.replace("3,1,1.5", "3,1,1,5").encode(), ["more cells than its header", "line 8"]),
        (LINES.replace("3,1,1.5", "3,2,1.5").encode(), ["arm", "3 arms", "row 8"]),
        (LINES.replace("3,1,1.5", "3,0,1.5").encode(), ["arm", "site 3", "more than one arm"]),
    ],
)
def test_a_bad_file_ends_in_one_line_that_helps(tmp_path: Path, content: bytes, words: list[str]) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    message = refusal(path)
    for word in words:
        assert word in message


def test_a_file_that_is_not_there_or_not_a_file_is_named(tmp_path: Path) -> None:
    assert "no file" in refusal(tmp_path / "none.csv")
    assert "folder" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--arm", "arm", "--site", "site"], "--outcome"),
        ([*COLUMNS, "--level", "much"], "--level"),
        ([*COLUMNS, "--level", "95"], "level"),
        ([*COLUMNS, "--design", "cohort"], "cohort"),
        ([*COLUMNS, "--methods", "t_test"], "t_test"),
        ([*COLUMNS, "--frobnicate"], "--frobnicate"),
        ([*COLUMNS, "--baseline", "outcome"], "named both"),
    ],
)
def test_wrong_options_end_in_one_line_too(csv: Path, options: list[str], words: str) -> None:
    assert words in refusal(csv, *options)


def test_long_data_take_their_waves_in_the_order_given(tmp_path: Path) -> None:
    frame = trial(1)
    long = pd.concat([frame.assign(outcome=frame.baseline, wave="pre"), frame.assign(wave="post")])
    path = write(tmp_path / "long.csv", long)
    options = [*COLUMNS, "--participant", "participant", "--wave", "wave"]
    assert "order of the waves" in refusal(path, *options)
    got = answer(path, *options, "--wave-order", "pre,post")
    want = answer(write(tmp_path / "wide.csv", frame), *COLUMNS, "--baseline", "baseline")
    assert got["methods"]["did"]["estimate"] == pytest.approx(want["methods"]["did"]["estimate"])
