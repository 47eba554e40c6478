"""Every way a questionnaire file can be wrong is refused, naming the file and the key, and all at once."""

from pathlib import Path

import pytest

from instruments import InstrumentError, library
from instruments.__main__ import main

SOURCE = """name = "tea"
version = 1
language = "en"
title = "Your views"
roles = ["practitioner"]
waves = ["before"]
validation = "new scale, not yet validated"

[rights]
owner = "The evalapp project"
licence = "Apache-2.0"

[refusals]
prefer_not = "Prefer not to say"

[answers.agreement]
1 = "Disagree"
2 = "Not sure"
3 = "Agree"

[pages.first]
title = "First"
items = ["TEA1", "TEA2", "drink"]

[pages.second]
title = "Second"
items = ["cups", "day", "words", "faces", "warmth", "note"]

[items.TEA1]
kind = "agreement"
text = "The tea was good."

[items.TEA2]
kind = "agreement"
text = "The tea was cold."

[items.drink]
kind = "single"
text = "What did you drink?"
[items.drink.options]
tea = "Tea"
milk = "Milk"

[items.cups]
kind = "number"
text = "How many cups?"
minimum = 0
maximum = 20
show_if = 'drink = "tea"'

[items.day]
kind = "date"
text = "Which day?"
minimum = 2024-01-01
maximum = 2024-12-31

[items.words]
kind = "short_text"
text = "Which words?"
max_length = 40

[items.faces]
kind = "faces"
text = "How was it?"
pictures = ["face-sad", "face-happy"]
[items.faces.options]
1 = "Bad"
2 = "Good"

[items.warmth]
kind = "rating"
text = "How warm?"
[items.warmth.options]
0 = "Cold"
10 = "Hot"

[items.note]
kind = "information"
text = "Thank you."

[scales.TEA]
title = "Tea"
construct = "How good the tea was."
higher = "Higher means better tea."
items = ["TEA1", "TEA2"]
reversed = ["TEA2"]
range = [1, 3]
min_answered = 2
reported = "0-100"
"""

TRANSLATION = """name = "tea"
version = 1
language = "cy"
status = "draft"
title = "Eich barn"
[refusals]
prefer_not = "Mae'n well gen i beidio â dweud"
[answers.agreement]
1 = "Anghytuno"
2 = "Ddim yn siŵr"
3 = "Cytuno"
[pages.first]
title = "Cyntaf"
[pages.second]
title = "Ail"
[items.TEA1]
text = "Roedd y te yn dda."
[items.TEA2]
text = "Roedd y te yn oer."
[items.drink]
text = "Beth wnaethoch chi ei yfed?"
[items.drink.options]
tea = "Te"
milk = "Llaeth"
[items.cups]
text = "Sawl cwpan?"
[items.day]
text = "Pa ddiwrnod?"
[items.words]
text = "Pa eiriau?"
[items.faces]
text = "Sut oedd hi?"
[items.faces.options]
1 = "Drwg"
2 = "Da"
[items.warmth]
text = "Pa mor gynnes?"
[items.warmth.options]
0 = "Oer"
10 = "Poeth"
[items.note]
text = "Diolch."
[scales.TEA]
title = "Te"
construct = "Pa mor dda oedd y te."
higher = "Mae uwch yn golygu te gwell."
"""

DRINK = 'kind = "single"\ntext = "What did you drink?"\n'
PAGE_TWO = 'items = ["cups", "day", "words", "faces", "warmth", "note"]'

# What is replaced in the sound source, by what, and the words the message must hold.
SOURCE_FAULTS = [
    # the file
    ('name = "tea"', "name = tea", ["tea/1.toml", "TOML"]),
    ('text = "Thank you."', 'text = "Thank you.', ["tea/1.toml", "TOML", "line"]),
    ('name = "tea"', 'name = "coffee"', ["tea/1.toml: name", "'coffee'", "folder", "'tea'"]),
    ('name = "tea"', 'name = "Tea time"', ["name", "lower-case"]),
    ("version = 1", "version = 2", ["tea/1.toml: version", "is 2 but the file is 1.toml"]),
    ("version = 1", "version = 0", ["version", "from 1 to"]),
    # keys and types
    ('title = "Your views"\n', "", ["title: is missing"]),
    ('title = "Your views"', "title = 7", ["title: must be a text"]),
    ('title = "Your views"', 'title = "  "', ["title: is empty"]),
    ('title = "Your views"', 'title = "Your\\u202eviews"', ["title", "cannot be seen"]),
    ('title = "Your views"', f'title = "{"a" * 2001}"', ["title", "2001 characters"]),
    ('title = "Your views"', 'title = "Safeguarding"', ["title", "'Safeguard'", "neutral"]),
    ('title = "First"', 'title = "Your child"', ["pages.first.title", "'child'", "neutral"]),
    ("version = 1", "version = true", ["version: must be a whole number"]),
    ("version = 1", "version = 1\nasked = 1", ["asked: must be true or false"]),
    ("version = 1", 'version = 1\ncolour = "red"', ["colour: is not a key known here"]),
    ('language = "en"', 'language = "English"', ["language", "language code"]),
    ('roles = ["practitioner"]', 'roles = ["wizard"]', ["roles: 'wizard' is not known"]),
    ('roles = ["practitioner"]', "roles = []", ["roles: is an empty list"]),
    ('roles = ["practitioner"]', 'roles = ["practitioner", 3]', ["roles: must hold texts only"]),
    ('waves = ["before"]', 'waves = ["later"]', ["waves: 'later' is not known"]),
    ('owner = "The evalapp project"\n', "", ["rights.owner: is missing"]),
    ('licence = "Apache-2.0"', 'licence = "Apache-2.0"\nprice = 3', ["rights.price: is not a key"]),
    (
        'licence = "Apache-2.0"',
        'licence = "A"\nchecked = 2024-05-31T10:00:00',
        ["rights.checked", "time of day"],
    ),
    ("prefer_not =", "unwilling =", ["refusals.unwilling: is not a key"]),
    # pages
    ('title = "First"', 'title = "First"\ncolour = "red"', ["pages.first.colour: is not a key"]),
    ("[pages.first]", "[pages.First]", ["pages.First", "lower-case"]),
    ('"drink"]', '"drink", "ghost"]', ["pages.first.items", "no item 'ghost'"]),
    ('"drink"]', '"drink", "drink"]', ["pages.first.items", "twice"]),
    (', "drink"]', "]", ["items.drink: is on no page"]),
    ('"drink"]', '"drink", "note"]', ["items.note: is on 2 pages"]),
    (PAGE_TWO, PAGE_TWO.replace("]", ', "a"]'), ["pages.second.items", "has 7 items", "6"]),
    # items
    ('kind = "information"', 'kind = "video"', ["items.note.kind", "'video' is not known"]),
    ('text = "Thank you."', "", ["items.note.text: is missing"]),
    ('text = "Thank you."', 'text = ""', ["items.note.text: is empty"]),
    ('text = "Thank you."', 'text = "Thank you."\nminimum = 1', ["items.note.minimum: is not a key"]),
    ("[items.TEA2]", "[items.TEA1]", ["TOML", "TEA1"]),
    ("TEA2", "tea1", ["the code 'tea1' is used 2 times"]),
    ("TEA2", "TEA", ["the code 'tea' is used 2 times by items and scales"]),
    ("TEA2", "'TEA 2'", ["items.TEA 2", "letters, digits and _"]),
    ("day", "answered", ["items.answered", "no word of conditions"]),
    (
        'text = "The tea was cold."',
        'text = "Cold."\nrefusals = ["not_applicable"]',
        ["TEA2.refusals", "no label"],
    ),
    ("minimum = 0", "minimum = 21", ["items.cups.minimum", "greater than the maximum"]),
    ("minimum = 0", "minimum = nan", ["items.cups.minimum", "not a finite number"]),
    ("minimum = 0", 'minimum = "0"', ["items.cups.minimum", "must be a number"]),
    ("maximum = 20\n", "maximum = 20\ndecimals = -1\n", ["items.cups.decimals", "from 0 to 12"]),
    ("minimum = 2024-01-01", "minimum = 2025-01-01", ["items.day.minimum", "greater than the maximum"]),
    ("minimum = 2024-01-01", 'minimum = "2024-01-01"', ["items.day.minimum", "must be a date"]),
    ("max_length = 40", "max_length = 201", ["items.words.max_length", "from 1 to 200"]),
    # answers
    ('[items.drink.options]\ntea = "Tea"\nmilk = "Milk"', "", ["items.drink.options: is missing"]),
    (
        '[items.drink.options]\ntea = "Tea"\nmilk = "Milk"',
        "[items.drink.options]",
        ["drink.options", "no answers"],
    ),
    ('milk = "Milk"', "", ["items.drink.options", "at least two"]),
    ('milk = "Milk"', 'milk = "Tea"', ["items.drink.options", "two answers read 'Tea'"]),
    ('milk = "Milk"', 'tea = "Milk"', ["TOML"]),
    ('milk = "Milk"', 'Milk = "Milk"', ["items.drink.options", "'Milk'", "lower-case"]),
    ('milk = "Milk"', 'prefer_not = "Milk"', ["items.drink.options", "'prefer_not'", "no refusal"]),
    ('milk = "Milk"', "milk = 2", ["items.drink.options.milk: must be a text"]),
    ('kind = "single"', 'kind = "yes_no"', ["items.drink.options", "exactly the answers yes and no"]),
    (DRINK, DRINK + 'options = "often"\n', ["TOML"]),
    ('text = "The tea was good."', 'text = "Good."\noptions = "often"', ["TEA1.options", "called 'often'"]),
    ("[answers.agreement]", '[answers.spare]\na = "A"\n[answers.agreement]', ["answers.spare: no item uses"]),
    ('3 = "Agree"', '4 = "Agree"', ["items.TEA1.options", "steps of one"]),
    ('3 = "Agree"', '03 = "Agree"', ["items.TEA1.options", "'03'", "whole number"]),
    ('3 = "Agree"', 'three = "Agree"', ["items.TEA1.options", "'three'", "whole number"]),
    ('2 = "Good"', "", ["items.faces.options", "two to seven answers"]),
    ('3 = "Agree"', "\n".join(f'{n} = "{n}"' for n in range(3, 9)), ["items.TEA1.options", "two to seven"]),
    ('10 = "Hot"', '9 = "Hot"', ["items.warmth.options", "from 0 to 10"]),
    ('"face-happy"]', '"figure-1"]', ["items.faces.pictures", "'figure-1' is not drawn"]),
    (', "face-happy"]', "]", ["items.faces.pictures", "1 drawings for 2 answers"]),
    ('pictures = ["face-sad", "face-happy"]\n', "", ["items.faces.pictures: is missing"]),
    # conditions
    ('drink = "tea"', "drink is tea", ["items.cups.show_if", "after drink"]),
    ('drink = "tea"', 'ghost = "tea"', ["items.cups.show_if", "no item 'ghost'"]),
    ('drink = "tea"', 'words = "tea"', ["items.cups.show_if", "'words' does not come before"]),
    ('drink = "tea"', "answered(cups)", ["items.cups.show_if", "'cups' does not come before"]),
    ('drink = "tea"', 'drink = "wine"', ["items.cups.show_if", "one of its answers", "'wine'"]),
    ('drink = "tea"', "drink = 1", ["items.cups.show_if", "quoted text", "not 1"]),
    ('drink = "tea"', 'drink > "tea"', ["items.cups.show_if", "is a choice"]),
    ('drink = "tea"', 'TEA1 = "1"', ["items.cups.show_if", "a number without quotes"]),
    ('drink = "tea"', "TEA1 in (1, 4)", ["items.cups.show_if", "one of its answers", "not 4"]),
    # scales
    ("[scales.TEA]", "[scales.Tea]", ["scales.Tea", "capital letters"]),
    ('reversed = ["TEA2"]', 'reversed = ["TEA3"]', ["scales.TEA.reversed", "'TEA3' is not in the scale"]),
    ('["TEA1", "TEA2"]\n', '["TEA1", "TEA9"]\n', ["scales.TEA.items", "no item 'TEA9'"]),
    ('["TEA1", "TEA2"]\n', '["TEA1", "TEA2", "drink"]\n', ["scales.TEA.items", "kind single"]),
    ('["TEA1", "TEA2"]\n', '["TEA1", "TEA2", "day"]\n', ["scales.TEA.items", "kind date"]),
    ('["TEA1", "TEA2"]\n', '["TEA1", "TEA2", "warmth"]\n', ["scales.TEA.range", "'warmth' has 0 to 10"]),
    ('["TEA1", "TEA2"]\n', "[]\n", ["scales.TEA.items: is an empty list"]),
    ("min_answered = 2", "min_answered = 3", ["scales.TEA.min_answered", "3 of 2 items"]),
    ("min_answered = 2", "min_answered = 0", ["scales.TEA.min_answered", "from 1 to"]),
    ("range = [1, 3]", "range = [3, 1]", ["scales.TEA.range", "the lowest and the highest"]),
    ("range = [1, 3]", "range = [1, 5]", ["scales.TEA.range", "1 to 5", "1 to 3"]),
    ("range = [1, 3]\n", "", ["scales.TEA.range", "from 0 to 100"]),
    ('reported = "0-100"', 'reported = "percent"', ["scales.TEA.reported", "'percent' is not known"]),
    ('reported = "0-100"', 'reported = "raw"\npart_of = "ALL"', ["scales.TEA.part_of", "'ALL' is no whole"]),
]

TRANSLATION_FAULTS = [
    ('text = "Diolch."', "", ["tea/1.cy.toml: items.note.text: is missing"]),
    ('text = "Diolch."', 'text = ""', ["items.note.text: must be a text", "not empty"]),
    ('text = "Diolch."', "text = 3", ["items.note.text: must be a text"]),
    ('text = "Diolch."', 'text = "Diolch."\nhint = "Mwy"', ["items.note.hint: is no text of the source"]),
    ('text = "Diolch."', 'text = "Diolch."\nkind = "number"', ["items.note.kind: is no text of the source"]),
    ("[items.note]", "[items.notes]", ["items.notes.text: is no text", "items.note.text: is missing"]),
    ('3 = "Cytuno"', '4 = "Cytuno"', ["answers.agreement.3: is missing", "answers.agreement.4: is no text"]),
    ('3 = "Cytuno"', '3 = "Anghytuno"', ["tea/1.cy.toml", "two answers read 'Anghytuno'"]),
    ('title = "Cyntaf"', 'title = "Diogelu"', ["tea/1.cy.toml: pages.first.title", "neutral"]),
    ('status = "draft"', 'status = "good"', ["status", "'good' is not known"]),
    ('status = "draft"\n', "", ["status: is missing"]),
    ('language = "cy"', 'language = "en"', ["language", "must be 'cy'"]),
    ("version = 1", "version = 2", ["version", "must be 1"]),
    ('name = "tea"', 'name = "coffee"', ["name", "must be 'tea'"]),
    ('title = "Eich barn"', 'title = "Eich barn', ["tea/1.cy.toml", "TOML"]),
]


def write(directory: Path, source: str = SOURCE, translation: str | None = TRANSLATION) -> Path:
    folder = directory / "tea"
    folder.mkdir(exist_ok=True)
    (folder / "1.toml").write_text(source, encoding="utf-8")
    if translation is not None:
        (folder / "1.cy.toml").write_text(translation, encoding="utf-8")
    return directory


def replaced(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


def refusal(directory: Path) -> str:
    with pytest.raises(InstrumentError) as caught:
        library(directory)
    assert all(problem.startswith("tea") for problem in caught.value.problems)
    return str(caught.value)


def test_the_questionnaire_the_faults_are_made_from_is_sound(tmp_path: Path) -> None:
    assert [one.name for one in library(write(tmp_path))] == ["tea"]


@pytest.mark.parametrize(("old", "new", "words"), SOURCE_FAULTS)
def test_a_fault_in_a_source_is_refused_by_file_and_key(tmp_path: Path, old: str, new: str, words: list[str]) -> None:
    message = refusal(write(tmp_path, replaced(SOURCE, old, new), translation=None))
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize(("old", "new", "words"), TRANSLATION_FAULTS)
def test_a_fault_in_a_translation_is_refused_by_file_and_key(
    tmp_path: Path, old: str, new: str, words: list[str]
) -> None:
    message = refusal(write(tmp_path, translation=replaced(TRANSLATION, old, new)))
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ('part_of = "TEA"\nitems = ["TEA1", "warmth"]', ["scales.HALF.part_of", "items that TEA has not"]),
        (
            'part_of = "TEA"\nitems = ["TEA1", "TEA2"]\nreversed = ["TEA2"]',
            ["scales.HALF.part_of", "all of them"],
        ),
        ('part_of = "TEA"\nitems = ["TEA2"]', ["scales.HALF.reversed", "turns the same way"]),
        ('part_of = "HALF"\nitems = ["TEA2"]', ["scales.HALF.part_of", "no whole scale"]),
    ],
)
def test_half_a_scale_must_be_part_of_a_whole_one(tmp_path: Path, part: str, words: list[str]) -> None:
    half = f"""
[scales.HALF]
title = "Half"
construct = "Half of it."
higher = "More."
{part}
range = [1, 3]
min_answered = 1
reported = "0-100"
"""
    message = refusal(write(tmp_path, SOURCE + half, translation=None))
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ('words = "x"', "free text; only answered(words)"),
        ("answered(note)", "is information and has no answer"),
        ('day > "soon"', 'a "2024-05-31" date'),
        ("day > 3", 'a "2024-05-31" date'),
    ],
)
def test_a_condition_asks_each_kind_only_what_it_can_answer(tmp_path: Path, condition: str, words: str) -> None:
    more = f"[items.last]\nkind = 'information'\ntext = 'Bye.'\nshow_if = '{condition}'\n"
    source = replaced(SOURCE, "[scales.TEA]", f"{more}\n[scales.TEA]")
    source = replaced(source, "[items.TEA1]", '[pages.third]\ntitle = "Third"\nitems = ["last"]\n\n[items.TEA1]')
    message = refusal(write(tmp_path, source, translation=None))
    assert "items.last.show_if" in message
    assert words in message


def test_every_fault_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    source = replaced(SOURCE, 'title = "First"', 'title = ""')
    source = replaced(source, "min_answered = 2", "min_answered = 9")
    source = replaced(source, 'kind = "information"', 'kind = "film"')
    message = refusal(write(tmp_path, source, replaced(TRANSLATION, 'text = "Diolch."', "")))
    for key in (
        "pages.first.title",
        "scales.TEA.min_answered",
        "items.note.kind",
        "1.cy.toml: items.note.text",
    ):
        assert key in message


def test_a_condition_looks_back_by_page_and_not_by_place_in_the_file(tmp_path: Path) -> None:
    source = replaced(SOURCE, '"TEA1", "TEA2", "drink"', '"drink", "TEA1", "TEA2"')
    source = replaced(source, '"The tea was good."', '"The tea was good."\nshow_if = \'drink = "tea"\'')
    (tea,) = library(write(tmp_path, source))
    assert [item.code for item in tea.items][:3] == ["drink", "TEA1", "TEA2"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("1.txt", "tea/1.txt: is not a file name known here"),
        ("01.toml", "tea/01.toml: is not a file name known here"),
        ("2.cy.toml", "tea/2.cy.toml: translates 2.toml, which is not there"),
    ],
)
def test_a_stray_file_in_a_folder_is_named(tmp_path: Path, name: str, words: str) -> None:
    (write(tmp_path) / "tea" / name).write_text(TRANSLATION)
    assert words in refusal(tmp_path)


def test_an_empty_folder_says_what_to_add(tmp_path: Path) -> None:
    (tmp_path / "tea").mkdir()
    assert "add one such as tea/1.toml" in refusal(tmp_path)


def test_an_empty_or_absent_library_says_so(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InstrumentError, match="holds no instruments"):
            library(directory)


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\xfe",
        b"a = " + b"[" * 5000,
        b"version = " + b"9" * 5000,
        b"#" * 500_001,
        b"pages = 3\nitems = []",
    ],
)
def test_a_hostile_file_is_refused_like_any_other(tmp_path: Path, raw: bytes) -> None:
    (write(tmp_path, translation=None) / "tea" / "1.toml").write_bytes(raw)
    assert "tea/1.toml" in refusal(tmp_path)


def test_a_bottomless_translation_is_refused_like_any_other(tmp_path: Path) -> None:
    deep = TRANSLATION + "\n[x]\n" + ".".join(["a"] * 3000) + ' = "x"\n'
    assert "x.a.a.a.a" in refusal(write(tmp_path, translation=deep))


def test_half_of_a_half_is_refused(tmp_path: Path) -> None:
    text = 'title = "T"\nconstruct = "C."\nhigher = "H."\nrange = [1, 3]\nmin_answered = 1\nreported = "0-100"\n'
    half = f'[scales.HALF]\npart_of = "TEA"\nitems = ["TEA1"]\n{text}'
    quarter = f'[scales.QUARTER]\npart_of = "HALF"\nitems = ["TEA1"]\n{text}'
    assert "scales.QUARTER.part_of: 'HALF' is no whole" in refusal(write(tmp_path, SOURCE + half + quarter))


def test_a_questionnaire_without_a_page_is_told_to_add_one(tmp_path: Path) -> None:
    start, end = SOURCE.index("[pages.first]"), SOURCE.index("[items.TEA1]")
    message = refusal(write(tmp_path, SOURCE[:start] + "[pages]\n" + SOURCE[end:], translation=None))
    assert "tea/1.toml: pages: holds no page" in message


def test_a_translation_into_the_source_language_is_refused(tmp_path: Path) -> None:
    source = replaced(SOURCE, 'language = "en"', 'language = "cy"')
    assert "tea/1.cy.toml: language: is the source's own" in refusal(write(tmp_path, source))


def test_a_folder_has_a_plain_name(tmp_path: Path) -> None:
    write(tmp_path, translation=None)
    (tmp_path / "tea").rename(tmp_path / "tea-time")
    assert "tea-time/1.toml: the folder's name must be lower-case" in refusal(tmp_path)


def test_a_new_version_stands_beside_the_old_and_is_the_latest(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "tea" / "2.toml").write_text(replaced(SOURCE, "version = 1", "version = 2"))
    both = library(tmp_path)
    assert [one.version for one in both] == [1, 2]
    assert both.latest("tea").version == 2
    assert [one.version for one in both.for_role_and_wave("practitioner", "before")] == [2]
    assert both.latest("tea").languages == ("en",)


def test_a_file_no_questionnaire_could_fill_is_not_read(tmp_path: Path) -> None:
    assert "over 500000 bytes" in refusal(write(tmp_path, SOURCE + "#" * 500_000))


def test_the_command_prints_the_faults_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, replaced(SOURCE, "min_answered = 2", "min_answered = 3"))
    assert main(["check", str(tmp_path)]) == 1
    assert capsys.readouterr().out.startswith("tea/1.toml: scales.TEA.min_answered: ")


def test_the_command_counts_what_is_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(write(tmp_path))]) == 0
    assert capsys.readouterr().out == "the one instrument is sound\n"
