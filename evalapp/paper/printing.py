"""One template, shown as a page to print from or made into a tagged PDF; the PDF needs the extra `pdf`."""

import importlib.util
import re
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, cast

import segno
from babel import Locale
from babel.dates import format_date
from babel.support import Translations
from jinja2 import Environment, FileSystemLoader

from evalapp.languages import LANGUAGES, LOCALES

STYLE = "print.css"
_HERE = Path(__file__).parent.parent
_FOOT = re.compile(r"[0-9A-Z-]{1,20}")  # it goes into a style sheet, so nothing that could end a string
NO_PDF = (
    "PDFs are not made here: WeasyPrint or its libraries are missing. Install requirements-all.txt and Pango "
    "(on Debian libpangoft2-1.0-0), or print the page from the browser."
)


class NoPdf(Exception):
    """This copy cannot make PDFs; the message says what to install."""

    def __init__(self) -> None:
        super().__init__(NO_PDF)


# The templates are not the app's: the command line prints without an app, and a page speaks several languages at once.
# The drawings beside easy-read questions are the participants' pages' own.
_templates = Environment(
    loader=FileSystemLoader([_HERE / "paper" / "templates", _HERE / "survey" / "templates"]), autoescape=True,
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip


@cache
def words(language: str) -> Callable[..., str]:
    """`gettext` of one language: what the participant's pages say, in print."""
    found = Translations.load(_HERE / "translations", [LOCALES.get(language, language)], "messages")

    def say(text: str, **values: object) -> str:
        said = str(found.gettext(text))
        return said % values if values else said

    return say


def direction(language: str) -> str:
    """Which way a language is written: ltr or rtl."""
    return str(Locale.parse(LOCALES.get(language, language)).text_direction)


def in_words(day: date, language: str) -> str:
    """A day as its language writes it."""
    return str(format_date(day, "long", locale=LOCALES.get(language, language)))


def qr(text: str) -> str:
    """A QR code (error level M, with its quiet zone) as a picture's address: an SVG inside the page, never a file."""
    return segno.make(text, error="m", micro=False, boost_error=False).svg_data_uri(omitsize=True, light="#fff")


def page(template: str, **context: Any) -> str:
    """A printed document's HTML. With `style`, the address of the style sheet, it is a page to look at and print from."""
    shared: dict[str, Any] = {
        "style": None, "bar": None, "words": words, "direction": direction, "names": LANGUAGES, "in_words": in_words,
        "qr": qr,
    }  # fmt: skip
    return _templates.get_template(f"paper/{template}.html").render({**shared, **context})


def style_sheet() -> str:
    return (_HERE / "static" / STYLE).read_text()


def offered() -> bool:
    """Whether WeasyPrint is installed: asked before a form offers a PDF, without its half second of importing."""
    return importlib.util.find_spec("weasyprint") is not None


def ready() -> None:
    """Raise NoPdf where no PDF can be made: asked before anything is done that only a PDF would show."""
    _weasyprint()


def pdf(html: str, *, foot: str = "") -> bytes:
    """The document as a tagged PDF (PDF/UA-1), made in memory. Nothing outside the document is fetched. Raises NoPdf.

    `foot`, letters and figures alone, stands at the foot of every page, so that loose sheets find one another again.
    """
    made = _weasyprint()
    document = made.HTML(string=html, url_fetcher=made.urls.URLFetcher(allowed_protocols={"data"}))
    margin = (
        f'@page paper {{ @bottom-right {{ content: "{foot}"; font-size: 12pt }} }}' if _FOOT.fullmatch(foot) else ""
    )
    styles = [made.CSS(string=style_sheet()), made.CSS(string=margin)]
    return cast("bytes", document.write_pdf(stylesheets=styles, pdf_variant="pdf/ua-1"))


def _weasyprint() -> Any:
    try:
        import weasyprint  # type: ignore[import-untyped]  # noqa: PLC0415  (an extra, and half a second to import)
    except (ImportError, OSError):  # OSError: the package is there, Pango is not
        raise NoPdf from None
    weasyprint.LOGGER.disabled = True  # its complaints repeat what stands in the document, a card's code too
    return weasyprint
