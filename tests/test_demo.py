"""The demonstration is a whole trial: codes that open, staff who can sign in, effects that are there to be found."""

import json
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from evalapp import audit, db, responses
from evalapp.cli import main
from evalapp.models import ROLES, Allocation, Membership, Release, Response, Review, Site
from evalapp.shelf import shelf


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("demonstration")
    result = CliRunner().invoke(main, ["demo", "--dir", str(made), "--no-serve"])
    assert result.exit_code == 0, result.output
    return made


@pytest.fixture
def reading(folder: Path) -> Iterator[Session]:
    engine = db.make_engine(f"sqlite:///{folder / 'demo.db'}")
    with db.reading(engine) as session:
        yield session
    engine.dispose()


def test_there_are_24_sites_in_two_equal_arms_with_three_to_five_reviews_each(reading: Session) -> None:
    arms = Counter(reading.scalars(select(Allocation.arm_id)))
    assert sorted(arms.values()) == [12, 12]
    of_site = reading.execute(select(func.count()).select_from(Review).group_by(Review.site_id)).scalars().all()
    assert len(of_site) == 24
    assert set(of_site) <= {3, 4, 5}


def test_every_role_with_a_questionnaire_has_codes_new_and_started(folder: Path, reading: Session) -> None:
    written = json.loads((folder / "demo.json").read_text())
    assert list(written) == ["base_url", "trial", "staff", "participants"]
    kinds = Counter((one["role"], one["state"]) for one in written["participants"])
    asked = set(reading.scalars(select(Membership.role).distinct()))
    assert asked == set(ROLES)
    for role in asked:
        assert kinds[role, "new"] >= (4 if role in {"practitioner", "manager", "leader", "parent"} else 2)
        assert kinds[role, "started"] >= 1
    offered = Counter(one["instrument"] for one in written["participants"] if one["state"] == "new")
    assert {one.name: offered[one.name] for one in shelf() if one.asked and offered[one.name] < 2} == {}
    for one in written["participants"]:
        assert one["link"] == f"{written['base_url']}/j#{one['code']}"
        assert set(one) == {"code", "link", "role", "site", "review", "wave", "instrument", "state"}
    assert [set(one) for one in written["staff"]] == [{"role", "email", "password", "totp_secret"}] * 4
    assert {one["totp_secret"] for one in written["staff"]} == {None}


def test_what_holds_passwords_codes_and_answers_is_for_its_owner_alone(folder: Path) -> None:
    for name in ("demo.json", "settings.env", "demo.db"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


def test_the_database_holds_no_code(folder: Path) -> None:
    held = (folder / "demo.db").read_bytes()
    for one in json.loads((folder / "demo.json").read_text())["participants"]:
        assert one["code"].encode() not in held
        assert one["code"].replace("-", "").encode() not in held


def test_people_answered_or_not_as_people_do(reading: Session) -> None:
    states = Counter(reading.scalars(select(Response.state)))
    assert states["submitted"] > 1500
    assert states["declined"] > 5
    assert states["open"] >= 6


def test_the_true_benefit_is_in_the_scores_and_the_record_is_whole(reading: Session) -> None:
    trial_id = reading.scalars(select(Site.trial_id)).first()
    frame = responses.scores_frame(reading, str(trial_id), "BLG", ["month3"])
    means = frame.groupby("arm")["value"].mean()
    assert 5 < means["appreciative"] - means["traditional"] < 20  # the truth is 12
    assert audit.first_break(reading) is None
    assert reading.scalar(select(func.count()).select_from(Release)) == 1


def test_a_second_run_keeps_the_data_and_a_fresh_one_does_not(folder: Path, tmp_path: Path) -> None:
    before = json.loads((folder / "demo.json").read_text())
    again = CliRunner().invoke(main, ["demo", "--dir", str(folder), "--no-serve", "--port", "8123"])
    assert again.exit_code == 0, again.output
    after = json.loads((folder / "demo.json").read_text())
    assert after["base_url"] == "http://127.0.0.1:8123"
    assert [one["code"] for one in after["participants"]] == [one["code"] for one in before["participants"]]
    (folder / "notes.txt").write_text("mine")
    fresh = CliRunner().invoke(main, ["demo", "--dir", str(folder), "--no-serve", "--fresh"])
    assert fresh.exit_code == 0, fresh.output
    anew = json.loads((folder / "demo.json").read_text())
    assert anew["participants"][0]["code"] != before["participants"][0]["code"]
    assert (folder / "notes.txt").read_text() == "mine"
