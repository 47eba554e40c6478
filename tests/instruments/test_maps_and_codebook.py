"""Which items match those of other questionnaires, what others' scales need, and the codebook: said, checked, worked."""

import csv
import io
import json
import shutil
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner

from evalapp.cli import main
from instruments import KINDS, LIBRARY, InstrumentError, library
from instruments.codebook import SECONDS, example, minutes, rows, rule
from instruments.maps import maps
from instruments.slots import slots

SHIPPED = library()


def run(*arguments: str) -> str:
    done = CliRunner().invoke(main, ["instruments", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_every_form_of_its_own_says_what_it_matches() -> None:
    found = {(one.name, one.version): one for one in maps(SHIPPED)}
    versioned = {(one.name, one.version) for one in SHIPPED if one.version > 1}
    forms = {
        (one.name, 1)
        for one in SHIPPED
        if one.form != "standard" or one.only_after_death or one.roles == ("young_person",)
    }
    assert versioned | forms <= set(found)
    easy = {match.item: (match.to, match.how) for match in found["parent_easy_read_after", 1].matches}
    assert easy["ER1"] == ("VOI2", "recoded")
    assert easy["ER6"] == ("RSP2", "reworded_and_recoded")
    assert found["young_person_after", 1].matches == ()
    assert {match.how for match in found["practitioner_after", 2].matches} == {"same"}


MAP = LIBRARY / "parent_easy_read_after" / "1.map.toml"
FAULTS = [
    ('ER1 = "VOI2"', 'ER1 = "VOI9"', "no item 'VOI9' in parent_after version 1"),
    ('ER1 = "VOI2"', 'ER99 = "VOI2"', "no item 'ER99' in parent_easy_read_after version 1"),
    ('ER1 = "VOI2"\n', "", "item 'ER1' is named 0 times"),
    ('ER1 = "VOI2"', 'ER1 = "RSP1"', "'RSP1' is matched 2 times"),
    ('ER1 = "VOI2"', 'ER1 = "VOI1"', "ER1 and VOI1 are reworded and recoded; move them there"),
    ("version = 1", "version = 9", "there is no 'parent_after' version 9"),
    ("[to.parent_after]", "[to.ghost]", "there is no 'ghost' version 1"),
    ("version = 1", 'version = 1\nsame = ["about"]', "no item 'about' in parent_after version 1"),
    ("version = 1", 'version = 1\nalone = ["ER1"]', "item 'ER1' is named 2 times"),
    ("version = 1", 'version = 1\nalone = ["NOPE"]', "no question 'NOPE'"),
    ("version = 1", "version = 1\ncolour = 1", "colour: is not a key known here"),
    ("version = 1", "version = ", "correct the file"),
]


@pytest.mark.parametrize(("old", "new", "said"), FAULTS, ids=[fault[2][:40] for fault in FAULTS])
def test_a_map_that_says_what_is_not_so_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    folder = tmp_path / MAP.parent.name
    folder.mkdir()
    text = MAP.read_text()
    assert old in text
    changed = text.replace(old, new, 1).replace(
        "[to.parent_after.", "[to.ghost." if "ghost" in new else "[to.parent_after."
    )
    (folder / MAP.name).write_text(changed)
    with pytest.raises(InstrumentError) as caught:
        maps(SHIPPED, tmp_path)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("items = 30", "items = 300", "from 1 to 200"),
        ('"29"]', '"31"]', "'31' is no item from 1 to 30"),
        ("min_answered = 10", "min_answered = 11", "use fewer"),
        ('ground = "free with credit"', 'ground = "found it"', "'found it' is not known"),
        ('owner = "Center for Victims of Torture"', "", "slots.proqol.owner: is missing"),
        ("items = 30", 'items = 30\ntext = "I am happy."', "text: is not a key known here"),
        ("items = 30", "items = ", "correct the file"),
    ],
)
def test_a_slot_with_a_fault_is_refused_and_holds_no_text(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = (LIBRARY / "slots.toml").read_text()
    assert old in text
    path = tmp_path / "slots.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InstrumentError) as caught:
        slots(path)
    assert said in str(caught.value)


def test_the_codebook_has_every_question_and_every_scale_with_its_rule() -> None:
    found = list(rows(SHIPPED))
    items = {(row["questionnaire"], row["version"], row["code"]) for row in found if row["part"] == "item"}
    assert items == {
        (one.name, str(one.version), item.code) for one in SHIPPED for item in one.items if item.kind != "information"
    }
    blame = next(row for row in found if row["code"] == "BLG" and row["part"] == "scale")
    assert blame["rule"] == (
        "The mean of BLG1, BLG2, BLG3 and BLG4. BLG1 and BLG2 count the other way round, as 6 less the answer. "
        "At least 3 of 4 must be answered; blanks, refusals and questions not shown are missing, and with too few the "
        "score is missing. It is reported from 0 to 100: (mean less 1) divided by (5 less 1), times 100. A higher score "
        "means more freedom from blame."
    )
    reversed_item = next(row for row in found if row["code"] == "BLG1")
    assert (reversed_item["scale"], reversed_item["reversed"]) == ("BLG", "yes")
    assert "1 = Strongly disagree; 2 = Disagree" in reversed_item["answers"]


def test_an_example_is_the_rule_worked_by_hand() -> None:
    instrument = SHIPPED.latest("practitioner_before")
    worked = example(instrument, instrument.scale("BLG"))
    assert worked is not None
    # 2 4 1 3, of which the first two turn to 4 and 2: their mean is 10/4, and (2.5 - 1) / 4 is 37.5
    assert dict(worked.answers) == {"BLG1": 2, "BLG2": 4, "BLG3": 1, "BLG4": 3}
    assert worked.counted == (4, 2, 1, 3)
    assert (worked.mean, worked.score, worked.too_few) == (Fraction(5, 2), 37.5, None)


def test_every_scale_has_a_rule_and_every_bounded_one_an_example_that_agrees_with_it() -> None:
    for instrument in SHIPPED:
        for scale in instrument.scales:
            assert rule(scale).startswith("The mean of ")
            worked = example(instrument, scale)
            if scale.minimum is None or scale.maximum is None or worked is None:
                assert scale.reported == "raw"
                continue
            low, high = Fraction(scale.minimum), Fraction(scale.maximum)
            expected = (worked.mean - low) / (high - low) * 100 if scale.reported == "0-100" else worked.mean
            assert worked.score == float(expected), (instrument.name, scale.code)
            assert worked.too_few is None


def test_the_time_a_questionnaire_takes_follows_from_its_questions() -> None:
    assert set(SECONDS) == set(KINDS)
    # 5 faces of 7 seconds and one line to read of 5: 40 seconds; nothing is said to take less than two minutes
    assert minutes(SHIPPED.latest("young_person_after")) == 2
    assert minutes(SHIPPED.latest("story")) == 4  # four boxes of a minute
    longest = max(minutes(one) for one in SHIPPED if one.asked)
    assert longest <= 7


def test_check_counts_what_there_is() -> None:
    said = run("check")
    assert said == (
        "all 24 questionnaires are sound (22 asked), with 72 translations still in draft, 10 maps and 14 permission slots\n"
    )


@pytest.mark.parametrize("language", ["en", "cy", "pl", "ar"])
@pytest.mark.parametrize("name", sorted({one.name for one in SHIPPED}))
def test_every_questionnaire_is_shown_whole(name: str, language: str) -> None:
    instrument = SHIPPED.latest(name).in_language(language)
    said = run("show", name, "--language", language)
    for item in instrument.items:
        assert item.text in said
    for scale in instrument.scales:
        assert rule(scale) in said
    facts = json.loads(run("show", name, "--language", language, "--json"))
    assert facts["sha256"] == instrument.sha256
    assert [scale["code"] for scale in facts["scales"]] == [scale.code for scale in instrument.scales]
    if language == "en":
        assert all(scale["reading_grade"] is not None for scale in facts["scales"])


def test_the_list_names_every_questionnaire_and_slot() -> None:
    said = run("show")
    for one in (*SHIPPED, *slots()):
        assert one.name in said
    proqol = run("show", "proqol")
    assert "Center for Victims of Torture" in proqol
    assert json.loads(run("show", "proqol", "--json"))["items"] == 30


def test_without_textstat_the_reading_age_says_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "textstat", None)
    assert "pip install textstat==0.7.7" in run("show", "parent_after")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["show", "ghost"], "no instrument 'ghost'"), (["show", "parent_after", "--language", "fr"], "not in 'fr'"),
     (["show", "parent_after", "--version", "9"], "version 9"), (["codebook", "--language", "fr"], "not in 'fr'")],
)  # fmt: skip
def test_what_is_not_there_is_said_in_one_line(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(main, ["instruments", *arguments])
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_codebook_is_a_file_a_spreadsheet_reads(tmp_path: Path) -> None:
    path = tmp_path / "codebook.csv"
    run("codebook", "--out", str(path))
    read = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    assert read == list(rows(SHIPPED))
    assert list(csv.DictReader(io.StringIO(run("codebook")))) == read


def test_the_short_command_checks_maps_and_slots_too(tmp_path: Path) -> None:
    from instruments.__main__ import main as check

    shutil.copytree(LIBRARY, tmp_path / "library")
    assert check(["check", str(tmp_path / "library")]) == 0
    (tmp_path / "library" / "slots.toml").write_text("[slots.x]\n")
    assert check(["check", str(tmp_path / "library")]) == 1
