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

import evalapp
import instruments
from instruments import (
    BESIDE,
    KINDS,
    PICTURES,
    ROLES,
    WAVES,
    Instrument,
    InstrumentError,
    Kind,
    library,
    texts_of,
    visible,
)
from instruments.slots import slots

LIBRARY = library()
EXAMPLES = library(Path(__file__).parent / "examples")
ASKED = [one for one in LIBRARY if one.asked]
PARENTS = [one for one in ASKED if one.roles == ("parent",)]
YOUNG = [one for one in ASKED if one.roles == ("young_person",)]
FAMILY = PARENTS + YOUNG
EASY = [one for one in PARENTS if one.form == "easy_read"]
WORKERS = [one for one in ASKED if "BLG" in {scale.code for scale in one.scales}]
TRANSLATED = ("cy", "pl", "ar")
WITHOUT_BOX = {"site_survey", "site_survey_month12", "young_person_after", *(one.name for one in EASY)}
ids = {"ids": lambda one: f"{one.name}-{one.version}"}


def test_the_shipped_questionnaires_are_sound_by_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "instruments", "check"], capture_output=True, text=True, check=True)
    assert done.stdout == "all 24 instruments are sound\n"


# What each is asked in a review, by wave; the second table is of people who answer for their site.
IN_A_REVIEW = {
    "practitioner": {
        "baseline": ["practitioner_before"], "before": ["practitioner_before"], "after": ["practitioner_after"],
        "month3": ["practitioner_month3"], "month12": ["practitioner_month12", "story"],
    },
    "leader": {
        "before": ["leader_before"], "after": ["leader_after"], "month3": ["leader_month3"],
        "month12": ["leader_month12", "story"],
    },
    "parent": {
        "before": ["parent_before", "parent_easy_read_before"],
        "after": ["parent_after", "parent_bereaved_after", "parent_easy_read_after"],
        "month3": ["parent_month3"], "month12": ["story"],
    },
    "young_person": {"after": ["young_person_after"]},
    "facilitator": {"after": ["fidelity_facilitator"], "month12": ["story"]},
    "observer": {"after": ["fidelity_observer"]},
}  # fmt: skip
IN_A_REVIEW["manager"] = IN_A_REVIEW["practitioner"]
FOR_A_SITE = {role: {"baseline": ["site_survey"], "month12": ["site_survey_month12"]} for role in ("leader", "manager")}


@pytest.mark.parametrize(("outside", "table"), [(False, IN_A_REVIEW), (True, FOR_A_SITE)])
def test_each_role_and_wave_finds_its_questionnaires(outside: bool, table: dict[str, dict[str, list[str]]]) -> None:
    for role in ROLES:
        for wave in WAVES:
            found = [one.name for one in LIBRARY.for_role_and_wave(role, wave, outside_reviews=outside)]
            assert found == table.get(role, {}).get(wave, []), (role, wave)


def test_the_latest_version_is_asked() -> None:
    (after,) = LIBRARY.for_role_and_wave("practitioner", "after")
    assert after.version == 2


def test_the_library_finds_by_name_and_version_and_says_what_it_has_not() -> None:
    assert LIBRARY.get("measure", 1) is LIBRARY.latest("measure")
    assert ("measure", 1) in LIBRARY
    for ask in (lambda: LIBRARY.get("measure", 9), lambda: LIBRARY.latest("ghost")):
        with pytest.raises(InstrumentError, match="the library has no"):
            ask()


@pytest.mark.parametrize("language", TRANSLATED)
@pytest.mark.parametrize("instrument", LIBRARY, **ids)
def test_every_text_is_translated_and_every_code_kept(instrument: Instrument, language: str) -> None:
    assert set(instrument.languages) == {"en", *TRANSLATED}
    said = instrument.in_language(language)
    assert (said.language, said.status) == (language, "draft")
    english_texts, texts = texts_of(instrument), texts_of(said)
    assert list(english_texts) == list(texts)
    assert [key for key, text in english_texts.items() if text == texts[key] and not text.isdigit()] == []
    assert [item.codes for item in said.items] == [item.codes for item in instrument.items]
    assert said.in_language("en") == instrument
    assert said.sha256 == instrument.sha256


@pytest.mark.parametrize("instrument", LIBRARY, **ids)
def test_polish_and_arabic_do_not_say_whether_a_man_or_a_woman_answers(instrument: Instrument) -> None:
    pasts = re.compile(r"\b(?!zespołem|udziałem)\w+(łem|łam|łeś|łaś|łbym|łabym)\b|\b(powinienem|powinnam)\b")
    assert [text for text in texts_of(instrument.in_language("pl")).values() if pasts.search(text)] == []
    arabic = " ".join(texts_of(instrument.in_language("ar")).values())
    assert not re.search(r"\b(تريدين|تودين|ترين|تشعرين|أنتِ|[٠-٩])\b", arabic)


def test_a_draft_translation_is_not_among_the_approved() -> None:
    assert {one.approved_languages for one in LIBRARY} == {("en",)}
    assert EXAMPLES.latest("agreement").approved_languages == ("en", "cy")


def test_a_language_nobody_wrote_is_refused() -> None:
    with pytest.raises(InstrumentError, match="not in 'fr'; it is in en, ar, cy, pl"):
        LIBRARY.latest("measure").in_language("fr")


@pytest.mark.parametrize("instrument", ASKED, **ids)
def test_the_words_are_plain_enough_scale_by_scale(instrument: Instrument) -> None:
    highest = 4.5 if instrument in FAMILY or instrument.name == "story" else 6
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


@pytest.mark.parametrize("instrument", FAMILY, **ids)
def test_families_meet_no_reversed_item_and_harm_stands_alone(instrument: Instrument) -> None:
    assert [scale.code for scale in instrument.scales if scale.reversed] == []
    scored = {code for scale in instrument.scales for code in scale.items}
    assert not scored & {"HARM1", "HARM2"}


def test_parents_can_say_that_they_felt_a_failure_or_blamed() -> None:
    for name in ("parent_before", "parent_after", "parent_month3"):
        assert LIBRARY.latest(name).item("HARM1").text.endswith("like a failure as a parent.")
    for name in ("parent_before", "parent_after", "parent_bereaved_after"):
        assert LIBRARY.latest(name).item("HARM2").text.endswith("blamed.")


@pytest.mark.parametrize("instrument", [*FAMILY, LIBRARY.latest("story")], **ids)
def test_after_a_death_one_form_alone_is_offered_to_a_family(instrument: Instrument) -> None:
    assert instrument.not_after_death is not instrument.only_after_death
    assert instrument.only_after_death is (instrument.name == "parent_bereaved_after")
    assert "celebrat" not in " ".join(texts_of(instrument).values()).lower()


def test_the_bereaved_are_asked_nothing_that_affirms_or_speaks_of_keeping_a_child_safe() -> None:
    bereaved = LIBRARY.latest("parent_bereaved_after")
    codes = {item.code for item in bereaved.items}
    assert not codes & {"AFF1", "AFF2", "AFF3", "AFF4", "HARM1", "VOI3", "OWN1", "OWN2", "OWN3", "EVER1"}
    said = " ".join(item.text for item in bereaved.items).lower()
    assert not re.search(r"child|safe\b(?! to speak)|proud|well as a parent|good thing", said)
    standard = {scale.code for one in PARENTS if not one.only_after_death for scale in one.scales}
    assert not {scale.code for scale in bereaved.scales} & standard  # another score: never pooled in silence


def test_shared_parts_and_good_steps_are_shown_only_to_a_parent_who_said_yes() -> None:
    month3 = LIBRARY.latest("parent_month3")
    own = {"OWN1", "OWN2", "OWN3"}
    for answer, seen in ((None, set()), ("no", set()), ("prefer_not", set()), ("yes", own)):
        assert {item.code for item in visible(month3, {"ASKOWN": answer})} & own == seen
    elsewhere = [one.name for one in FAMILY if own & {item.code for item in one.items}]
    assert elsewhere == ["parent_month3"]


@pytest.mark.parametrize("instrument", EASY, **ids)
def test_easy_read_has_eight_lines_three_answers_and_a_drawing_beside_each(instrument: Instrument) -> None:
    lines = [item for item in instrument.items if item.kind != "information"]
    assert len(lines) == 8
    for item in lines:
        assert item.codes == (1, 2, 3)
        assert item.pictures == ("answer-no", "answer-some", "answer-yes")
        assert item.picture in BESIDE
        assert not re.search(r"\b(and|but|or)\b", item.text)
        assert len(item.text.split()) <= 8


def test_drawings_stand_beside_a_line_in_easy_read_alone_and_each_is_small() -> None:
    assert {one.name for one in ASKED for item in one.items if item.picture} == {one.name for one in EASY}
    drawn = Path(evalapp.__file__).parent / "survey" / "templates" / "survey" / "pictures"
    assert {path.stem for path in drawn.glob("*.svg")} == {*PICTURES, *BESIDE}
    for path in drawn.glob("*.svg"):
        svg = path.read_text(encoding="utf-8")
        assert len(svg) < 2048
        assert 'aria-hidden="true"' in svg  # the line beside it says the same in words


def test_young_people_answer_five_lines_with_faces_or_say_that_they_do_not_want_to() -> None:
    (young,) = YOUNG
    lines = [item for item in young.items if item.kind != "information"]
    assert [(item.kind, item.refusals) for item in lines] == [("faces", ("prefer_not",))] * 5
    assert dict(young.refusals) == {"prefer_not": "I do not want to say"}


def test_both_who_led_and_who_watched_say_the_same_twelve_things_of_either_arm() -> None:
    facilitator, observer = (LIBRARY.latest(f"fidelity_{who}") for who in ("facilitator", "observer"))
    twelve = [f"FID{number}" for number in range(1, 13)]
    for one in (facilitator, observer):
        assert list(one.scale("FID").items) == twelve
        assert (one.scale("FID").minimum, one.scale("FID").maximum) == (0, 2)
        assert [label for _, label in one.item("FID1").options] == ["Not there", "Partly", "Fully"]
        assert [one.item(code).kind for code in ("NEWIDEA", "OWNACT")] == ["yes_no", "number"]
    assert facilitator.scale("FID") == observer.scale("FID")
    assert [facilitator.item(code) for code in twelve] == [observer.item(code) for code in twelve]


def test_the_year_in_the_stories_is_the_trial_s_own() -> None:
    story = LIBRARY.latest("story")
    assert "{year}" in story.item("STORY4").text
    for language in ("en", *TRANSLATED):
        filled = story.in_language(language).filled({"year": "2027"})
        assert "2027" in filled.item("STORY4").text
        assert "{" not in " ".join(texts_of(filled).values())
    assert "2008" not in " ".join(text for one in LIBRARY for text in texts_of(one).values())


def test_one_form_without_text_stands_for_every_slot_that_needs_permission() -> None:
    kept = slots()
    assert {one.name for one in kept} >= {
        "proqol", "bpses", "edmondson", "ahrq_response_to_error", "jcat", "copsoq", "yatchmenoff", "sbpi", "swemwbs",
    }  # fmt: skip
    assert not {one.name for one in kept} & {one.name for one in LIBRARY}
    assert not {"ghq", "mpoc", "wai"} & {one.name.split("_")[0] for one in kept}
    for one in kept:
        assert all((one.owner, one.licence, one.unsure)), one.name
        assert one.items >= len({number for scale in one.scales for number in scale.items})


def test_the_rights_of_every_questionnaire_are_named() -> None:
    for one in LIBRARY:
        assert all((one.owner, one.licence, one.licence_url)), one.name
    ons4 = LIBRARY.latest("ons4")
    assert not ons4.asked
    assert "Open Government Licence" in ons4.notice
    assert ons4.item("ONS4").text == "Overall, how anxious did you feel yesterday?"
    assert ons4.scale("ONSANX").higher_is_better is False


def test_a_scale_with_one_referent_reads_the_same_at_every_wave() -> None:
    wording: dict[tuple[str, str | None, str], set[str]] = {}
    for instrument in ASKED:
        for scale in instrument.scales:
            for code in scale.items:
                key = ("family" if instrument in FAMILY else "staff", f"{scale.code} {scale.referent}", code)
                wording.setdefault(key, set()).add(instrument.item(code).text)
    assert {key: texts for key, texts in wording.items() if len(texts) > 1} == {}


def test_the_primary_outcome_is_asked_first_balanced_and_alike_at_every_wave() -> None:
    assert {one.name.rsplit("_", 1)[0] for one in WORKERS} == {"practitioner", "site", "site_survey"}
    assert {one.pages[0].items for one in WORKERS} == {("about_work", "BLG1", "BLG2", "BLG3", "BLG4")}
    assert len({one.scale("BLG") for one in WORKERS}) == 1
    blame = WORKERS[0].scale("BLG")
    assert len(blame.reversed) * 2 == len(blame.items)
    assert {one.scale(half).part_of for one in WORKERS for half in ("BLGPOS", "BLGNEG")} == {"BLG"}


def test_the_scales_of_each_questionnaire_are_those_of_the_plan() -> None:
    whole = {one.name: [scale.code for scale in one.scales if scale.part_of is None] for one in ASKED}
    assert whole == {
        "practitioner_before": ["BLG", "SAF", "RSV", "VAL", "MOR", "COMMIT", "CAPACITY"],
        "practitioner_after": ["BLG", "BLR", "SAF", "RSV", "VAL", "LRN", "CAN", "TALL", "MOR"],
        "practitioner_month3": ["BLG", "VAL", "MOR", "COMMIT", "CAPACITY", "LRN"],
        "practitioner_month12": ["BLG", "MOR"],
        "leader_before": ["LSAF", "LRSV", "LLRN", "LCOM"],
        "leader_after": ["LSAF", "LRSV", "LLRN", "LACC", "LPOL", "LCOM"],
        "leader_month3": ["LUSE", "LCOM"],
        "leader_month12": ["LUSE", "LCOM"],
        "parent_before": ["AFF", "VOI", "PBL"],
        "parent_after": ["AFF", "VOI", "PBL", "RSP"],
        "parent_month3": ["AFF", "OWN"],
        "parent_bereaved_after": ["BVOI", "BRSP", "BPBL"],
        "parent_easy_read_before": ["EASY"],
        "parent_easy_read_after": ["EASY"],
        "young_person_after": ["Y"],
        "fidelity_facilitator": ["FID"],
        "fidelity_observer": ["FID"],
        "site_survey": ["BLG", "MOR", "CUL"],
        "site_survey_month12": ["BLG", "MOR", "CUL"],
        "story": [],
    }


def test_commitment_and_capacity_are_two_scales_and_defensive_practice_stands_alone() -> None:
    before = LIBRARY.latest("practitioner_before")
    assert before.scale("COMMIT").items == ("COM1", "COM2")
    assert before.scale("CAPACITY").items == ("COM3", "COM4")
    assert "COM5" not in {code for scale in before.scales for code in scale.items}


@pytest.mark.parametrize("instrument", ASKED, **ids)
def test_every_question_can_be_refused_and_every_score_carries_its_meaning(instrument: Instrument) -> None:
    for item in instrument.items:
        open_or_none = item.kind in ("long_text", "information")
        both = ("prefer_not",) if instrument in YOUNG else ("prefer_not", "not_applicable")
        assert item.refusals == (() if open_or_none else both)
    assert all(scale.higher_is_better and scale.higher and scale.referent for scale in instrument.scales)
    assert instrument.validation == (
        "new scale, not yet validated" if instrument.scales else "open questions, not scored"
    )


@pytest.mark.parametrize("instrument", ASKED, **ids)
def test_an_open_box_says_who_reads_it_and_what_to_do_in_danger(instrument: Instrument) -> None:
    boxes = [item for item in instrument.items if item.kind == "long_text"]
    assert len(boxes) == (4 if instrument.name == "story" else 0 if instrument.name in WITHOUT_BOX else 1)
    for box in boxes:
        for said in ("leave out names", "999", "may have to"):
            assert said in box.hint


@pytest.mark.parametrize("instrument", ASKED, **ids)
def test_no_text_says_ai_or_names_an_arm(instrument: Instrument) -> None:
    arms = r"appreciative|traditional|gwerthfawrogol|traddodiadol|doceniając|tradycyjn|تقليدي|التقديري"
    for language in ("en", *TRANSLATED):
        for text in texts_of(instrument.in_language(language)).values():
            assert not re.search(rf"\bAI\b|{arms}", text)


def test_there_is_an_example_of_every_kind() -> None:
    assert {item.kind for one in EXAMPLES for item in one.items} == set(get_args(Kind)) == set(KINDS)


def test_every_drawing_named_is_one_that_is_known() -> None:
    items = [item for one in (*LIBRARY, *EXAMPLES) for item in one.items]
    assert {name for item in items for name in item.pictures} == set(PICTURES)
    assert {item.picture for item in items if item.picture} == set(BESIDE)


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
