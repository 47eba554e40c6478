"""`evalapp plan`: from a new file to a report, and every slip answered in one line."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from evalapp.cli import main

TELEVISION = Path(__file__).parent / "references" / "tvsfp.csv"


def plan(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["plan", *(str(one) for one in arguments)])


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The default plan, edited for the Television trial."""
    path = tmp_path / "plan.toml"
    assert plan("new", path).exit_code == 0
    text = (
        path.read_text().replace("[12, 12]", "[14, 14]").replace("smallest_worthwhile = 8", "smallest_worthwhile = 0.2")
    )
    path.write_text(text)
    return path


def test_a_plan_is_written_checked_locked_and_run(written: Path) -> None:
    checked = plan("check", written)
    assert checked.exit_code == 0, checked.output
    assert "lmm_kenward_roger" in checked.output
    locked = plan("lock", written)
    assert locked.exit_code == 0, locked.output
    said = plan("run", written, TELEVISION)
    assert said.exit_code == 0, said.output
    assert "[pre-specified]" in said.output
    assert "0.3853" in said.output
    told = json.loads(plan("run", written, TELEVISION, "--json").output)
    assert told["results"][0]["estimate"] == pytest.approx(0.385255, abs=1e-6)
    assert told["plan_sha256"] in locked.output


def concluded(path: Path) -> str:
    return " ".join(plan("run", path, TELEVISION).output.split())


def test_the_report_says_its_finding_in_the_words_of_the_rule(written: Path) -> None:
    assert "Better. Freedom from blame was higher, which is better, in the treatment group" in concluded(written)
    text = written.read_text()
    written.write_text(text.replace("higher_is_better = true", "higher_is_better = false"))
    assert "Worse. Freedom from blame was higher, which is worse" in concluded(written)
    written.write_text(text.replace("smallest_worthwhile = 0.2", "smallest_worthwhile = 0.6"))
    assert "Too small to matter. " in concluded(written)
    # The number planned rules, not the 28 sites that came.
    written.write_text(text.replace("[14, 14]", "[2, 3]"))
    assert "Described only. " in concluded(written)


def test_what_is_only_associated_is_said_to_be(written: Path) -> None:
    text = written.read_text().replace('design = "randomised"', 'design = "nonrandomised"')
    written.write_text(text.replace('adjust = "holm"', 'adjust = "none"'))
    assert "this is an association and may have other causes" in concluded(written)


def test_a_win_probability_is_marked_among_the_differences_and_no_rule_about_points_speaks_of_it(written: Path) -> None:
    text = written.read_text().replace('method = "by_sites"', 'method = "win_probability"')
    written.write_text(text)
    said = concluded(written)
    assert "win probability (0.5: no difference) θ 0.5971" in said
    assert "Better. " not in said


def test_an_edit_after_locking_shows_in_the_report(written: Path) -> None:
    plan("lock", written)
    written.write_text(written.read_text().replace("smallest_worthwhile = 0.2", "smallest_worthwhile = 0.1"))
    said = plan("run", written, TELEVISION, "--also", "blame:did").output
    assert "[deviation]" in said
    assert "changed after the plan was locked: blame.smallest_worthwhile" in said
    assert "[exploratory]" in said


def test_a_plan_is_locked_once_and_never_written_over(written: Path) -> None:
    assert plan("lock", written).exit_code == 0
    again = plan("lock", written)
    assert again.exit_code == 2
    assert "is there already" in again.output
    assert plan("new", written).exit_code == 2


def test_a_plan_that_can_never_decide_is_told_so_by_check_and_by_lock(written: Path) -> None:
    text = written.read_text().replace("[14, 14]", "[3, 3]").replace('method = "by_sites"', 'method = "randomisation"')
    written.write_text(text)
    for command, code in (("check", 1), ("lock", 2)):
        answer = plan(command, written)
        assert answer.exit_code == code
        assert "can never reach alpha" in answer.output


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [("title = 3", "plan.title: a text is needed"), ("title", "cannot be read"), ("", "plan.title: is missing")],
)
def test_a_wrong_plan_is_one_line_and_exit_code_two(tmp_path: Path, spoilt: str, said: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(spoilt)
    for arguments in (("check", path), ("lock", path), ("run", path, TELEVISION)):
        answer = plan(*arguments)
        assert answer.exit_code == 2
        assert said in answer.output
        assert len(answer.output.strip().splitlines()) == 1


def test_a_plan_or_table_that_is_not_there_is_named(tmp_path: Path, written: Path) -> None:
    assert "cannot be read" in plan("check", tmp_path / "none.toml").output
    answer = plan("run", written, tmp_path / "none.csv")
    assert answer.exit_code == 2
    assert "none.csv" in answer.output
    (tmp_path / "plan.lock.json").write_text("{}")
    assert "no locked plan" in plan("run", written, TELEVISION).output
