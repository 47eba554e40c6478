"""A real trial starts from the command line, and refuses to start without its secrets."""

import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from evalapp import __version__, db
from evalapp.cli import main
from evalapp.models import Audit, StaffUser, Trial


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """A command line in a folder of its own, with no setting in the environment."""
    for name in [name for name in os.environ if name.startswith("EVALAPP_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return CliRunner()


@pytest.fixture
def ready(run: CliRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    assert run.invoke(main, ["secrets", "--out", "secrets.env"]).exit_code == 0
    monkeypatch.setenv("EVALAPP_SECRETS", "secrets.env")
    monkeypatch.setenv("EVALAPP_DATABASE_URL", f"sqlite:///{tmp_path}/trial.db")
    return run


@pytest.mark.parametrize("command", [["init"], ["serve"], ["add-trial", "x", "X", "--planned-sites", "12"]])
def test_nothing_starts_without_its_secrets(run: CliRunner, command: list[str]) -> None:
    result = run.invoke(main, command)
    assert result.exit_code == 2
    assert "EVALAPP_DATABASE_URL, EVALAPP_SECRET_KEY, EVALAPP_ROOT_KEY" in result.stderr
    assert "evalapp secrets" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_secrets_are_for_their_owner_alone_and_never_overwritten(run: CliRunner) -> None:
    assert run.invoke(main, ["secrets", "--out", "s.env"]).exit_code == 0
    assert stat.S_IMODE(Path("s.env").stat().st_mode) == 0o600
    before = Path("s.env").read_text()
    again = run.invoke(main, ["secrets", "--out", "s.env"])
    assert again.exit_code == 2
    assert Path("s.env").read_text() == before


def test_a_secrets_file_others_can_read_is_refused(ready: CliRunner) -> None:
    Path("secrets.env").chmod(0o644)
    result = ready.invoke(main, ["init"])
    assert result.exit_code == 2
    assert "chmod 600" in result.stderr


def test_serving_before_init_says_what_to_run(ready: CliRunner) -> None:
    result = ready.invoke(main, ["serve"])
    assert result.exit_code == 2
    assert "evalapp init" in result.stderr


def test_a_trial_starts_blinded_with_the_usual_plan(ready: CliRunner, tmp_path: Path) -> None:
    invited = ready.invoke(main, ["init", "--admin", "lead@example.org"])
    assert invited.exit_code == 0, invited.output
    assert "/staff/accept" in invited.output
    made = ready.invoke(main, ["add-trial", "trial", "The trial", "--planned-sites", "24"])
    assert made.exit_code == 0, made.output
    engine = db.make_engine(f"sqlite:///{tmp_path}/trial.db")
    with db.reading(engine) as session:
        trial = session.scalars(select(Trial)).one()
        assert trial.results_open_at is None
        assert trial.kind == "live"
        assert [one["scale"] for one in trial.plan["outcomes"] if one.get("primary")] == ["BLG"]
        assert session.scalars(select(StaffUser.role)).one() == "admin"
        assert session.scalars(select(Audit.action).order_by(Audit.id)).all() == ["staff invited", "trial added"]
    engine.dispose()
    again = ready.invoke(main, ["add-trial", "trial", "The trial", "--planned-sites", "24"])
    assert again.exit_code == 2
    assert "there is a trial 'trial' already" in again.stderr


def test_the_day_results_open_is_recorded(ready: CliRunner) -> None:
    ready.invoke(main, ["init"])
    ready.invoke(main, ["add-trial", "trial", "The trial", "--planned-sites", "24"])
    opened = ready.invoke(main, ["open-results", "trial", "--at", "2027-06-01"])
    assert opened.exit_code == 0, opened.output
    assert ready.invoke(main, ["open-results", "other", "--at", "2027-06-01"]).exit_code == 2
    assert "is whole" in ready.invoke(main, ["verify"]).output


def test_an_unknown_receipt_is_said_to_be_unknown(ready: CliRunner) -> None:
    ready.invoke(main, ["init"])
    result = ready.invoke(main, ["receipt", "AAAA-BBBB"])
    assert result.exit_code == 2
    assert "no questionnaire has the receipt" in result.stderr


def test_the_version_is_the_packages(run: CliRunner) -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    assert run.invoke(main, ["--version"]).output.strip().endswith(f" {project['version']}")
    assert project["version"] == __version__
