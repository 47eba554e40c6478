"""Which wordings changed after they were translated: said text by text, from what each translation was made from."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from evalapp.cli import main
from instruments import LIBRARY, InstrumentError, library
from instruments.__main__ import main as check
from instruments.stale import Stale, fingerprint, note, stale

NAME, OLD, NEW = "young_person_after", "People were kind to me.", "People were nice to me."


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A library of one questionnaire, as shipped."""
    shutil.copytree(LIBRARY / NAME, tmp_path / NAME, ignore=shutil.ignore_patterns("*.map.toml"))
    return tmp_path


def reword(shelf: Path, old: str = OLD, new: str = NEW) -> None:
    source = shelf / NAME / "1.toml"
    assert old in source.read_text(encoding="utf-8")
    source.write_text(source.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def approve(shelf: Path, language: str) -> None:
    path = shelf / NAME / f"1.{language}.toml"
    path.write_text(
        path.read_text(encoding="utf-8").replace('status = "draft"', 'status = "approved"'), encoding="utf-8"
    )


def test_every_shipped_translation_was_made_from_today_s_wording() -> None:
    assert stale(library()) == ()


def test_a_changed_wording_is_listed_for_every_translation_and_nothing_else(shelf: Path) -> None:
    reword(shelf)
    assert stale(library(shelf), shelf) == tuple(
        Stale(NAME, 1, language, "draft", "items.Y2.text", NEW, True) for language in ("ar", "cy", "pl")
    )


def test_a_changed_answer_or_title_is_a_wording_too(shelf: Path) -> None:
    reword(shelf, 'title = "How it was for you"', 'title = "How was it for you?"')
    reword(shelf, "I do not want to say", "I would rather not say")
    assert {one.place for one in stale(library(shelf), shelf)} == {"title", "refusals.prefer_not"}


def test_a_line_broken_anew_changes_nothing() -> None:
    assert fingerprint("one  two\n three") == fingerprint("one two three")
    assert fingerprint("one two three") != fingerprint("one two three.")


def test_a_translation_compared_again_is_noted_and_the_others_stay_listed(shelf: Path) -> None:
    reword(shelf)
    note(NAME, 1, "pl", shelf)
    assert {one.language for one in stale(library(shelf), shelf)} == {"ar", "cy"}


def test_what_a_translation_was_made_from_must_be_noted(shelf: Path) -> None:
    (shelf / NAME / "1.made_from.toml").unlink()
    found = stale(library(shelf), shelf)
    assert {(one.language, one.noted) for one in found} == {("ar", False), ("cy", False), ("pl", False)}
    note(NAME, 1, "cy", shelf)
    assert {one.language for one in stale(library(shelf), shelf)} == {"ar", "pl"}


def test_notes_of_nothing_are_faults(shelf: Path) -> None:
    path = shelf / NAME / "1.made_from.toml"
    path.write_text(path.read_text(encoding="utf-8") + '[fr]\ntitle = "0"\n')
    with pytest.raises(InstrumentError, match="fr: is no translation of this version"):
        stale(library(shelf), shelf)
    path.write_text('[pl]\nitems.Y9.text = "0"\n')
    with pytest.raises(InstrumentError, match=r"pl.items.Y9.text: is no text of the source"):
        stale(library(shelf), shelf)
    path.write_text("[pl")
    with pytest.raises(InstrumentError, match="cannot be read as TOML"):
        stale(library(shelf), shelf)
    with pytest.raises(InstrumentError, match="no translation in 'fr'"):
        note(NAME, 1, "fr", shelf)


def test_notes_without_their_source_are_refused(shelf: Path) -> None:
    (shelf / NAME / "2.made_from.toml").write_text("")
    with pytest.raises(InstrumentError, match=r"2.made_from.toml: translates 2.toml, which is not there"):
        library(shelf)


def test_the_check_fails_for_an_approved_translation_alone(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reword(shelf)
    assert check(["check", str(shelf)]) == 0
    approve(shelf, "cy")
    assert check(["check", str(shelf)]) == 1
    assert "1.cy.toml: items.Y2.text: was approved for another wording" in capsys.readouterr().out
    note(NAME, 1, "cy", shelf)
    assert check(["check", str(shelf)]) == 0


def test_the_commands_name_the_place_and_the_remedy(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["instruments", *arguments])
        return done.exit_code, done.output

    monkeypatch.setattr("evalapp.questionnaires.shipped", lambda: library(shelf))
    monkeypatch.setattr("evalapp.questionnaires.stale", lambda found: stale(found, shelf))
    monkeypatch.setattr("evalapp.questionnaires.note", lambda *one: note(*one, shelf))
    monkeypatch.setattr("evalapp.questionnaires.maps", lambda _: ())
    assert run("stale") == (0, "every translation was made from today's wording\n")
    reword(shelf)
    code, said = run("stale", "--language", "ar")
    assert code == 1
    assert said == (
        f"{NAME} 1, ar (draft): items.Y2.text was translated from another wording; it now reads '{NEW}'. "
        f"Compare them, then: evalapp instruments translated {NAME} ar --version 1\n"
    )
    assert [one["place"] for one in json.loads(run("stale", "--json")[1])] == ["items.Y2.text"] * 3
    code, said = run("check")
    assert (code, said.count(NEW), said.count("is sound") + said.count("are sound")) == (0, 3, 1)
    approve(shelf, "ar")
    assert run("check")[0] == 1
    assert run("translated", NAME, "ar") == (
        0,
        f"{NAME}/1.made_from.toml now says that ar was made from today's wording\n",
    )
    assert run("check")[0] == 0
    assert run("translated", NAME, "fr")[0] == 2
