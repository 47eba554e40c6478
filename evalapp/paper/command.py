"""`evalapp instruments paper`: a questionnaire for nobody in particular, as a PDF or as a page to print."""

import sys
from pathlib import Path
from typing import NoReturn

import click

from instruments import InstrumentError, library


@click.command(name="paper")
@click.argument("name")
@click.option("--version", type=int, metavar="N", help="The version; the latest when left out.")
@click.option("--language", default="en", show_default=True, help="The language of its texts.")
@click.option("--large", is_flag=True, help="Large print: 20 points instead of 14.")
@click.option("--without-words", is_flag=True, help="No boxes to write in, as where nobody is named who reads them.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.pdf|FILE.html",
    help="Where to; NAME-LANGUAGE.pdf when left out, or .html where no PDF can be made.",
)  # fmt: skip
def paper_command(
    name: str, version: int | None, language: str, large: bool, without_words: bool, out: Path | None
) -> None:
    """Print a questionnaire: A4, a box for every answer, a machine-readable square that says which it is.

    A paper for one person is printed on the staff's pages: only that has a number and can be typed in.
    """
    from evalapp.paper import printing, questionnaire  # noqa: PLC0415  (the other commands start without it)

    try:
        found = library()
        chosen = (found.latest(name) if version is None else found.get(name, version)).in_language(language)
    except InstrumentError as error:
        _stop(f"{error}; see evalapp instruments show")
    html = questionnaire.printed(chosen, words_read=not without_words, large=large)
    target = out or Path(f"{name}-{language}.{'pdf' if printing.offered() else 'html'}")
    if target.suffix.lower() == ".pdf":
        try:
            target.write_bytes(printing.pdf(html))
        except printing.NoPdf as reason:
            _stop(f"{reason} Or name a file that ends in .html.")
    else:
        target.write_text(html.replace("</head>", f"<style>{printing.style_sheet()}</style></head>"), encoding="utf-8")
    click.echo(f"{target} holds {chosen.name} version {chosen.version} in {language}")


def _stop(message: str) -> NoReturn:
    click.echo(f"evalapp instruments paper: {' '.join(message.split())}", err=True)
    sys.exit(2)
