"""Runs every command of docs/tutorial.md; as a program, writes the page anew with what the commands answer.

    python -m tests.tutorial

A ```console block holds commands after "$ " and what each prints; a ```toml block whose first line is "# NAME" is
written to a file of that name before the commands that follow it.
"""

import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

from click.testing import CliRunner

from evalapp.cli import main

PAGE = Path(__file__).parent.parent / "docs" / "tutorial.md"
FILES = ("tvsfp.csv", "eight_sites_zero_variance.csv", "scale_agreeableness.csv")
_REFERENCES = Path(__file__).parent / "references"
_BLOCK = re.compile(r"^```(console|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ ((?:[^\n]*\\\n)*[^\n]*)\n", re.MULTILINE)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
# A plan is locked when the page is made; the page always shows the same moment.
MOMENT = "2026-09-01T09:00:00+00:00"


def commands(page: str) -> Iterator[str]:
    """Every command of the page, in order."""
    for kind, content in _BLOCK.findall(page):
        if kind == "console":
            yield from _COMMAND.findall(content)


def answered(page: str) -> str:
    """The page with what its commands print now, run in order in a new folder."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        for name in FILES:
            shutil.copy(_REFERENCES / name, name)
        return _BLOCK.sub(_block, page)


def _block(found: re.Match[str]) -> str:
    kind, content = found.groups()
    if kind == "toml":
        name = content.split("\n", 1)[0].removeprefix("# ").strip()
        Path(name).write_text(content, encoding="utf-8")
        return found[0]
    shown = "".join(f"$ {command}\n{_output(command)}" for command in _COMMAND.findall(content))
    return f"```console\n{shown}```"


def _output(command: str) -> str:
    """What a command prints. Only `evalapp` and `head` are run, and both in this process: the page needs no shell."""
    program, *arguments = shlex.split(command.replace("\\\n", " "))
    if program == "head":
        count, name = arguments
        lines = Path(name).read_text(encoding="utf-8").splitlines(keepends=True)
        return "".join(lines[: -int(count)])
    if program != "evalapp":
        raise ValueError(f"the tutorial runs evalapp and head, not {program}")
    result = CliRunner().invoke(main, arguments, prog_name="evalapp", catch_exceptions=False)
    return _MOMENT.sub(MOMENT, result.output)


if __name__ == "__main__":
    PAGE.write_text(answered(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
