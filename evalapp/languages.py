"""Which language and letters a page is in, and the translations of what is not in a questionnaire."""

from typing import Any
from urllib.parse import urlencode

from babel import Locale
from flask import Flask, current_app, g, request, session
from flask_babel import Babel, get_locale, refresh

from evalapp.config import NotConfigured

LANGUAGES = {"en": "English", "cy": "Cymraeg", "pl": "Polski", "ar": "العربية"}
LOCALES = {"en": "en_GB", "cy": "cy", "pl": "pl", "ar": "ar"}  # dates are written as in Britain
REPORTED = ("en", "cy")  # what the funder's page is written in
LANGUAGE, SIZE = "language-", "size-"  # how the buttons that change them begin
LOOKS = (LANGUAGE, SIZE)


def offered() -> dict[str, str]:
    """The languages this copy offers, in the order of its settings, each with its own name for itself."""
    found: dict[str, str] = current_app.extensions["languages"]
    return found


def current() -> str:
    """The visitor's choice, kept in their session; English until they choose."""
    chosen = g.get("language") or session.get("language", "en")
    return chosen if chosen in offered() else "en"


def large() -> bool:
    """Whether the visitor asked for larger text."""
    return bool(g.get("large", session.get("large", False)))


def choose(language: str, *, keep: bool) -> None:
    """Speak a language from here on in this request and, when `keep`, in this visitor's session. Unknown ones are ignored."""
    if language not in offered():
        return
    g.language = language
    if keep:
        session["language"] = language
    refresh()


def enlarge(size: str, *, keep: bool) -> None:
    """Write larger ("large") or in the usual size ("usual"), as long as a language would hold. Other words are ignored."""
    if size not in {"large", "usual"}:
        return
    g.large = size == "large"
    if keep:
        session["large"] = g.large


def press(button: str) -> None:
    """Do what a button for a language or a size says, and keep it in this visitor's session."""
    choose(button.removeprefix(LANGUAGE) if button.startswith(LANGUAGE) else "", keep=True)
    enlarge(button.removeprefix(SIZE) if button.startswith(SIZE) else "", keep=True)


def from_address() -> None:
    """What an address asks for holds for that page alone: a GET keeps nothing."""
    choose(request.args.get("language", ""), keep=False)
    enlarge(request.args.get("text", ""), keep=False)


def look() -> dict[str, Any]:
    """What of a session outlives a visit: how its pages look."""
    return {"language": current(), "large": large()}


def address(path: str = "", *, language: str = "", size: str = "") -> str:
    """A link to a page for somebody without a visit: in another language or size, and otherwise as this page is."""
    wanted = language or current()
    written = size or ("large" if large() else "usual")
    asked = {"language": wanted} if language or wanted != "en" or size else {}
    asked |= {"text": written} if size or written == "large" else {}
    return f"{path}?{urlencode(asked)}" if asked else path


def marked(language: str) -> dict[str, str]:
    """The attributes of a text in another language than the page's; its direction too where that is another."""
    if language == current():
        return {}
    direction = str(Locale.parse(LOCALES.get(language, language)).text_direction)
    return {"lang": language} | ({"dir": direction} if direction != get_locale().text_direction else {})


def init_app(app: Flask, codes: tuple[str, ...]) -> None:
    """Offer English and these; NotConfigured names one that is not known."""
    for code in codes:
        if code not in LANGUAGES:
            raise NotConfigured(
                f"EVALAPP_LANGUAGES names {code!r}, which is not known; use some of {', '.join(LANGUAGES)}"
            )
    app.extensions["languages"] = {code: LANGUAGES[code] for code in dict.fromkeys(("en", *codes))}
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = "translations"
    app.config["BABEL_DEFAULT_TIMEZONE"] = "Europe/London"
    Babel(app, locale_selector=lambda: LOCALES[current()])
    app.jinja_env.globals.update(
        current_language=current, languages=offered, large=large, look_at=address, marked=marked, get_locale=get_locale
    )
