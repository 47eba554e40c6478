"""What the shipped questionnaires promise to the people who answer them and to those who compare the arms."""

import ast
import pickle
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError, is_dataclass
from pathlib import Path
from typing import get_args

import pytest
import textstat

import instruments
from instruments import KINDS, PICTURES, Instrument, InstrumentError, Kind, library, texts_of

LIBRARY = library()
EXAMPLES = library(Path(__file__).parent / "examples")
ASKED = [one for one in LIBRARY if one.asked]
PARENTS = [one for one in ASKED if one.roles == ("parent",)]
ids = {"ids": lambda one: one.name}


def test_the_shipped_questionnaires_are_sound_by_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "instruments", "check"], capture_output=True, text=True, check=True)
    assert done.stdout == "all 6 instruments are sound\n"


def test_each_role_and_wave_finds_its_questionnaire() -> None:
    found = {
        (role, wave): [one.name for one in LIBRARY.for_role_and_wave(role, wave)]
        for role in ("practitioner", "manager", "parent", "observer")
        for wave in ("baseline", "before", "after", "month3", "month12")
    }
    for role in ("practitioner", "manager"):
        assert found[role, "baseline"] == found[role, "before"] == ["practitioner_before"]
        assert found[role, "after"] == ["practitioner_after"]
        assert found[role, "month3"] == found[role, "month12"] == ["practitioner_month3"]
    assert found["parent", "before"] == ["parent_before"]
    assert found["parent", "after"] == ["parent_after"]
    assert [key for key, names in found.items() if not names] == [
        ("parent", "baseline"),
        ("parent", "month3"),
        ("parent", "month12"),
        *[("observer", wave) for wave in ("baseline", "before", "after", "month3", "month12")],
    ]


def test_the_library_finds_by_name_and_version_and_says_what_it_has_not() -> None:
    assert LIBRARY.get("measure", 1) is LIBRARY.latest("measure")
    assert ("measure", 1) in LIBRARY
    for ask in (lambda: LIBRARY.get("measure", 9), lambda: LIBRARY.latest("ghost")):
        with pytest.raises(InstrumentError, match="the library has no"):
            ask()


@pytest.mark.parametrize("instrument", LIBRARY, **ids)
def test_every_text_is_translated_and_every_code_kept(instrument: Instrument) -> None:
    assert instrument.languages == ("en", "cy")
    welsh = instrument.in_language("cy")
    assert (welsh.language, welsh.status) == ("cy", "draft")
    english_texts, welsh_texts = texts_of(instrument), texts_of(welsh)
    assert list(english_texts) == list(welsh_texts)
    assert [key for key, text in english_texts.items() if text == welsh_texts[key]] == []
    assert [item.codes for item in welsh.items] == [item.codes for item in instrument.items]
    assert welsh.in_language("en") == instrument
    assert welsh.sha256 == instrument.sha256


def test_a_draft_translation_is_not_among_the_approved() -> None:
    assert {one.approved_languages for one in LIBRARY} == {("en",)}
    assert EXAMPLES.latest("agreement").approved_languages == ("en", "cy")


def test_a_language_nobody_wrote_is_refused() -> None:
    with pytest.raises(InstrumentError, match="not in 'fr'; it is in en, cy"):
        LIBRARY.latest("measure").in_language("fr")


@pytest.mark.parametrize("instrument", ASKED, **ids)
def test_the_words_are_plain_enough_scale_by_scale(instrument: Instrument) -> None:
    highest = 4 if instrument in PARENTS else 6
    scored = {code for scale in instrument.scales for code in scale.items}
    groups = {scale.code: scale.items for scale in instrument.scales}
    groups["others"] = tuple(item.code for item in instrument.items if item.code not in scored)
    texts = {name: " ".join(instrument.item(code).text for code in codes) for name, codes in groups.items()}
    # The dictionary of sounds has no figures; the emergency number is said digit by digit.
    texts |= {item.code: item.hint.replace("999", "nine nine nine") for item in instrument.items if item.hint}
    grades = {name: textstat.flesch_kincaid_grade(text) for name, text in texts.items()}
    assert {name: grade for name, grade in grades.items() if grade > highest} == {}


@pytest.mark.parametrize("instrument", ASKED, **ids)
def test_no_statement_is_both_negated_and_reversed(instrument: Instrument) -> None:
    negated = re.compile(r"\b(not|no|never|nobody|nothing|cannot|without)\b|n't\b|n’t\b", re.IGNORECASE)
    turned = {code for scale in instrument.scales for code in scale.reversed}
    assert [code for code in turned if negated.search(instrument.item(code).text)] == []


@pytest.mark.parametrize("instrument", PARENTS, **ids)
def test_parents_meet_no_reversed_item_and_harm_stands_alone(instrument: Instrument) -> None:
    assert [scale.code for scale in instrument.scales if scale.reversed] == []
    scored = {code for scale in instrument.scales for code in scale.items}
    assert instrument.item("HARM1").text.endswith("like a failure as a parent.")
    assert not scored & {"HARM1", "HARM2"}


@pytest.mark.parametrize("instrument", PARENTS, **ids)
def test_nothing_of_the_parents_forms_is_offered_after_a_death(instrument: Instrument) -> None:
    assert instrument.not_after_death
    assert [item.code for item in instrument.items if item.code.startswith("OWN")] == []
    assert "celebrat" not in " ".join(texts_of(instrument).values()).lower()


def test_a_scale_with_one_referent_reads_the_same_at_every_wave() -> None:
    wording: dict[tuple[str, str | None, str], set[str]] = {}
    for instrument in ASKED:
        for scale in instrument.scales:
            for code in scale.items:
                key = ("parent" if instrument in PARENTS else "staff", f"{scale.code} {scale.referent}", code)
                wording.setdefault(key, set()).add(instrument.item(code).text)
    assert {key: texts for key, texts in wording.items() if len(texts) > 1} == {}


def test_the_primary_outcome_is_asked_first_balanced_and_alike_at_every_wave() -> None:
    staff = [one for one in ASKED if one not in PARENTS]
    assert {one.pages[0].items for one in staff} == {("about_work", "BLG1", "BLG2", "BLG3", "BLG4")}
    assert len({one.scale("BLG") for one in staff}) == 1
    blame = staff[0].scale("BLG")
    assert len(blame.reversed) * 2 == len(blame.items)
    assert {one.scale(half).part_of for one in staff for half in ("BLGPOS", "BLGNEG")} == {"BLG"}


def test_the_scales_of_each_questionnaire_are_those_of_the_plan() -> None:
    whole = {one.name: [scale.code for scale in one.scales if scale.part_of is None] for one in ASKED}
    assert whole == {
        "practitioner_before": ["BLG", "SAF", "RSV", "VAL", "MOR", "COMMIT", "CAPACITY"],
        "practitioner_after": ["BLG", "BLR", "SAF", "RSV", "VAL", "LRN", "CAN", "TALL", "MOR"],
        "practitioner_month3": ["BLG", "VAL", "MOR", "COMMIT", "CAPACITY", "LRN"],
        "parent_before": ["AFF", "VOI", "PBL"],
        "parent_after": ["AFF", "VOI", "PBL", "RSP"],
    }


@pytest.mark.parametrize("instrument", ASKED, **ids)
def test_every_question_can_be_refused_and_every_score_carries_its_meaning(instrument: Instrument) -> None:
    for item in instrument.items:
        open_or_none = item.kind in ("long_text", "information")
        assert item.refusals == (() if open_or_none else ("prefer_not", "not_applicable"))
    assert all(scale.higher_is_better and scale.higher and scale.referent for scale in instrument.scales)
    assert instrument.validation == "new scale, not yet validated"


@pytest.mark.parametrize("instrument", ASKED, **ids)
def test_an_open_box_says_who_reads_it_and_what_to_do_in_danger(instrument: Instrument) -> None:
    (box,) = [item for item in instrument.items if item.kind == "long_text"]
    for said in ("leave out names", "999", "may have to"):
        assert said in box.hint


@pytest.mark.parametrize("instrument", ASKED, **ids)
def test_no_text_says_ai_or_names_an_arm(instrument: Instrument) -> None:
    for text in [*texts_of(instrument).values(), *texts_of(instrument.in_language("cy")).values()]:
        assert not re.search(r"\bAI\b|appreciative|traditional|gwerthfawrogol|traddodiadol", text)


def test_there_is_an_example_of_every_kind() -> None:
    assert {item.kind for one in EXAMPLES for item in one.items} == set(get_args(Kind)) == set(KINDS)


def test_every_drawing_named_is_one_that_is_known() -> None:
    named = {name for one in (*LIBRARY, *EXAMPLES) for item in one.items for name in item.pictures}
    assert named == set(PICTURES)


def test_a_rating_has_all_eleven_answers() -> None:
    rating = EXAMPLES.latest("rating").item("question")
    assert rating.codes == tuple(range(11))
    assert [label for _, label in rating.options][:2] == ["0 – Cold", "1"]


def test_the_hash_is_of_the_source_file_and_blind_to_line_ends(tmp_path: Path) -> None:
    source = instruments.LIBRARY / "measure" / "1.toml"
    folder = tmp_path / "measure"
    folder.mkdir()
    (folder / "1.toml").write_bytes(source.read_bytes().replace(b"\n", b"\r\n"))
    assert instruments.read(folder / "1.toml").sha256 == LIBRARY.latest("measure").sha256
    (folder / "1.toml").write_bytes(source.read_bytes() + b"# more\n")
    assert instruments.read(folder / "1.toml").sha256 != LIBRARY.latest("measure").sha256


def test_there_are_four_dataclasses_frozen_and_portable() -> None:
    from instruments import definitions

    found = {name for name, value in vars(definitions).items() if is_dataclass(value)}
    assert found == {"Instrument", "Item", "Scale", "Variant"}
    before = LIBRARY.latest("practitioner_before")
    for thing in (before, before.items[0], before.scales[0], before.variants[0]):
        with pytest.raises((FrozenInstanceError, TypeError)):
            thing.code = "other"  # type: ignore[union-attr, misc]
        assert not hasattr(thing, "__dict__")
    assert pickle.loads(pickle.dumps(before)) == before  # noqa: S301 - our own bytes
    assert hash(before) == hash(LIBRARY.get("practitioner_before", 1))


def test_the_package_stands_on_the_standard_library_alone() -> None:
    imported: set[str] = set()
    for path in Path(instruments.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {name.name.split(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                imported.add((node.module or "").split(".")[0])
    assert imported - set(sys.stdlib_module_names) == {"instruments"}
    assert not imported & {"pickle", "importlib", "subprocess", "socket"}


def test_nothing_is_evaluated_as_code() -> None:
    for path in Path(instruments.__file__).parent.glob("*.py"):
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        assert not {"eval", "exec", "compile", "__import__"} & {f.id for f in calls if isinstance(f, ast.Name)}
