"""The shelf: questionnaires that come with evalapp and this copy's own, drafts and published, side by side."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalapp import config, shelf
from instruments import InstrumentError
from instruments.starting import starting


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of one's own, named in the environment."""
    monkeypatch.setenv("EVALAPP_INSTRUMENTS", str(tmp_path))
    shelf.where.cache_clear()
    yield tmp_path
    shelf.where.cache_clear()


def put(folder: Path, name: str, text: str, version: int = 1) -> None:
    (folder / name).mkdir(exist_ok=True)
    (folder / name / f"{version}.toml").write_text(text)


def test_a_draft_of_one_s_own_is_found_by_name_and_asked_of_nobody(own: Path) -> None:
    put(own, "tea", starting("tea"))
    assert shelf.questionnaire("tea", 1).status == "draft"
    assert [one.name for one in shelf.own()] == ["tea"]
    assert "tea" not in {one.name for one in shelf.shelf().for_role_and_wave("practitioner", "before")}


def test_a_published_one_is_asked_like_those_shipped(own: Path) -> None:
    put(own, "tea", starting("tea").replace('status = "draft"', 'status = "approved"'))
    put(own, "tea", starting("tea").replace("version = 1", "version = 2"), version=2)
    asked = {one.name: one.version for one in shelf.shelf().for_role_and_wave("practitioner", "before")}
    assert asked["tea"] == 1
    assert asked["practitioner_before"] >= 1


def test_what_changes_on_disk_is_seen_at_once_in_every_process(own: Path) -> None:
    put(own, "tea", starting("tea"))
    assert shelf.questionnaire("tea", 1).title == "Your views"
    put(own, "tea", starting("tea").replace('"Your views"', '"Your tea"'))
    os.utime(own / "tea" / "1.toml", ns=(1, 1))
    assert shelf.questionnaire("tea", 1).title == "Your tea"
    (own / "tea" / "1.toml").unlink()
    with pytest.raises(InstrumentError, match="the library has no 'tea' version 1"):
        shelf.questionnaire("tea", 1)


def test_one_with_a_fault_is_left_out_and_named_and_the_rest_is_there(own: Path) -> None:
    put(own, "tea", starting("tea"))
    put(own, "milk", starting("milk").replace("[pages.first]", "[pages.FIRST]"))
    assert [one.name for one in shelf.own()] == ["tea"]
    assert shelf.faults()[0].startswith("milk/1.toml: pages.FIRST")
    assert len(shelf.shelf()) == len(shelf.shipped()) + 1


def test_a_name_that_comes_with_evalapp_is_not_given_again(own: Path) -> None:
    put(own, "ons4", starting("ons4"))
    assert shelf.shelf().latest("ons4") == shelf.shipped().latest("ons4")
    assert shelf.faults() == ("ons4: a questionnaire of this name comes with evalapp; give it another",)


def test_the_folder_is_a_setting_with_a_usual_place_and_may_be_none(tmp_path: Path) -> None:
    assert config.instruments_folder({}) == Path("instance/instruments")
    assert config.instruments_folder({"EVALAPP_INSTRUMENTS": ""}) is None
    secrets = tmp_path / "settings.env"
    config.write_secrets(secrets, {"EVALAPP_INSTRUMENTS": "/somewhere"})
    assert config.instruments_folder({"EVALAPP_SECRETS": str(secrets)}) == Path("/somewhere")


def test_without_a_folder_there_are_those_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "where", lambda: None)
    assert shelf.shelf() is shelf.shipped()
    assert shelf.faults() == ()
