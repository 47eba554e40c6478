"""The tutorial says what the commands say: each is run, in order, and the page compared with what they print."""

import re

from tests.tutorial import PAGE, answered, commands


def test_every_command_prints_what_the_page_shows() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert answered(page) == page, "write the page anew with: python -m tests.tutorial"


def test_the_page_goes_from_the_table_to_the_conclusion() -> None:
    said = " ".join(commands(PAGE.read_text(encoding="utf-8")))
    for command in ("plan new", "plan check", "plan lock", "plan run", "power", "compare", "reliability"):
        assert f"evalapp {command}" in said


def test_every_number_quoted_in_the_prose_stands_in_an_answer() -> None:
    page = PAGE.read_text(encoding="utf-8")
    answers = " ".join(re.findall(r"^```.*?^```$", page, flags=re.MULTILINE | re.DOTALL))
    prose = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    printed = [float(one) for one in re.findall(r"\d+\.\d+", answers)]
    # As printed, or rounded from it; one decimal alone is a round number of the text's own.
    for quoted in set(re.findall(r"(?<![\d.])\d+\.\d{2,}(?![\d.])", prose)):
        places = len(quoted.split(".")[1])
        # "< 0.001" is what others claim and no answer of ours.
        assert quoted == "0.001" or any(f"{one:.{places}f}" == quoted for one in printed), f"{quoted} is in no answer"
