"""`evalapp instruments new, import, export, diff, check`: drafts begun, brought in, handed out, compared; nothing overwritten."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from evalapp import shelf
from evalapp.cli import main
from instruments.files import read
from tests.exchange.builders import DICTIONARY, nested_questionnaire, new_survey, workbook


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of one's own, and a place to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVALAPP_INSTRUMENTS", str(tmp_path / "own"))
    shelf.where.cache_clear()
    yield tmp_path / "own"
    shelf.where.cache_clear()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["instruments", *arguments])


def refused(*arguments: str) -> str:
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert done.output.count("\n") == 1
    return done.output


def brought(tmp: Path, name: str, raw: bytes, *options: str) -> Result:
    (tmp / name).write_bytes(raw)
    return run("import", str(tmp / name), *options)


def test_a_questionnaire_is_begun_and_found_sound(folder: Path) -> None:
    assert run("new", "tea").exit_code == 0
    assert read(folder / "tea" / "1.toml").status == "draft"
    checked = run("check")
    assert checked.exit_code == 0
    assert "all 1 of this copy's own are sound too, 1 of them drafts" in checked.output
    assert "tea 1: practitioner at before, a draft;" in run("show").output
    assert "tea, version 1: Your views" in run("show", "tea").output


@pytest.mark.parametrize(
    ("name", "says"),
    [("Tea", "small letters"), ("../tea", "small letters"), ("ons4", "comes with evalapp"), ("t" * 41, "at most 40")],
)
def test_a_name_that_will_not_do_is_refused(name: str, says: str, folder: Path) -> None:
    assert says in refused("new", name)
    assert not folder.exists()


def test_nothing_that_is_there_is_begun_again(folder: Path) -> None:
    run("new", "tea")
    (folder / "tea" / "1.toml").write_text("mine")
    assert "was left alone" in refused("new", "tea")
    assert (folder / "tea" / "1.toml").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "raw", "made"),
    [
        ("clinic.csv", DICTIONARY, ["leaving", "visit"]),
        ("day.xlsx", workbook(), ["day_1"]),
        ("Your survey.lss", new_survey(), ["your_survey"]),
        ("day.json", nested_questionnaire(), ["day"]),
    ],
)
def test_a_file_of_each_format_is_recognised_and_brought_in_as_a_sound_draft(
    folder: Path, tmp_path: Path, name: str, raw: bytes, made: list[str]
) -> None:
    done = brought(tmp_path, name, raw)
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in folder.iterdir()) == made
    assert all(read(folder / one / "1.toml").status == "draft" for one in made)
    assert "  dropped: " in done.output
    assert run("check").exit_code == 0
    assert (folder / made[0] / "1.toml").read_text().startswith(f"# Brought in from {name}; the import said ")


def test_the_report_is_printed_as_data_too(tmp_path: Path) -> None:
    found = json.loads(brought(tmp_path, "clinic.csv", DICTIONARY, "--json").output)
    assert len(found["written"]) == 2
    assert {"how": "dropped", "where": "secret", "what": "it is hidden from people (@HIDDEN)"} in found["report"]


def test_a_draft_is_written_over_only_when_told_to_and_a_published_one_never(folder: Path, tmp_path: Path) -> None:
    brought(tmp_path, "day.json", nested_questionnaire())
    again = refused("import", "day.json")
    assert "was left alone; give another name, or add --force" in again
    assert run("import", "day.json", "--force").exit_code == 0
    source = folder / "day" / "1.toml"
    source.write_text(source.read_text().replace('status = "draft"\n', ""))
    assert "holds a version that is no draft" in refused("import", "day.json", "--force")
    assert run("import", "day.json", "--name", "day_two").exit_code == 0
    assert read(folder / "day_two" / "1.toml").name == "day_two"


def test_a_file_that_is_none_of_these_is_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("just words")
    assert "the file is none of" in refused("import", "words.txt")
    assert "has no column" in refused("import", "words.txt", "--format", "redcap")
    (tmp_path / "huge.csv").write_bytes(b"a," * 2_100_000)
    assert "larger than 4,000,000 bytes" in refused("import", "huge.csv")
    assert not folder.exists()


@pytest.mark.parametrize(("chosen", "ending"), [("redcap", "csv"), ("fhir", "json")])
def test_one_that_is_handed_out_comes_back(folder: Path, tmp_path: Path, chosen: str, ending: str) -> None:
    done = run("export", "parent_after", "--format", chosen)
    assert done.exit_code == 0
    assert "  dropped: scale RSP" in done.output
    assert run("import", f"parent_after.{ending}", "--name", "back").exit_code == 0
    back, first = read(folder / "back" / "1.toml"), shelf.shipped().latest("parent_after")
    assert (back.items, back.pages, back.refusals) == (first.items, first.pages, first.refusals)
    assert "was left alone" in refused("export", "parent_after", "--format", chosen)


def test_a_dictionary_is_handed_out_in_the_language_asked_for(tmp_path: Path) -> None:
    welsh = shelf.shipped().latest("ons4").in_language("cy")
    assert run("export", "ons4", "--format", "redcap", "--language", "cy").exit_code == 0
    assert welsh.items[0].text in (tmp_path / "ons4.csv").read_text(encoding="utf-8-sig")
    assert "is not in 'xx'; it is in en, " in refused("export", "ons4", "--format", "redcap", "--language", "xx")


def test_versions_are_compared_beside_their_map() -> None:
    done = run("diff", "practitioner_after:1", "practitioner_after:2")
    assert done.output.splitlines()[0] == "practitioner_after 1 and practitioner_after 2: 38 same, 2 added"
    assert "  added: SPR1; the map: nothing matches it" in done.output
    assert "  scales: the same" in done.output
    assert "Map practitioner_after 2 to practitioner_after 1: Version 2 adds questions" in done.output


def test_files_are_compared_and_a_missing_map_is_said(folder: Path) -> None:
    run("new", "tea")
    text = (folder / "tea" / "1.toml").read_text()
    changed = text.replace("version = 1", "version = 2").replace("I had time to think.", "There was time.")
    (folder / "tea" / "2.toml").write_text(changed.replace("min_answered = 2", "min_answered = 3"))
    done = run("diff", str(folder / "tea" / "1.toml"), "tea")
    assert "  reworded: ONE1" in done.output
    assert "    text: I had time to think. → There was time." in done.output
    assert "    min_answered: 2 → 3" in done.output
    assert "There is no map between them, so nothing of the two is put together." in done.output
    found = json.loads(run("diff", "tea:1", "tea:2", "--json").output)
    assert [one["how"] for one in found["items"] if one["code"] == "ONE1"] == ["reworded"]
    assert "'tea:x' is no version" in refused("diff", "tea:x", "tea")


def test_a_fault_in_one_s_own_is_said_by_check(folder: Path) -> None:
    (folder / "tea").mkdir(parents=True)
    (folder / "tea" / "1.toml").write_text("name = 'tea'\n")
    done = run("check")
    assert done.exit_code == 1
    assert "tea/1.toml: title: is missing" in done.output


def test_a_setting_that_is_wrong_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALAPP_SECRETS", "nowhere.env")
    shelf.where.cache_clear()
    assert "EVALAPP_SECRETS names nowhere.env, which is not there" in refused("new", "tea")
    assert "EVALAPP_SECRETS names nowhere.env" in refused("show", "tea")


def test_the_command_starts_without_the_parts_only_an_import_needs() -> None:
    heavy = ("pyxform", "openpyxl", "pandas", "evalapp.exchange.drafts")
    code = f"import sys, evalapp.cli; print([one for one in {heavy} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
