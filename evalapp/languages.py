"""Which language a page is in, and the translations of what is not in a questionnaire."""

from flask import Flask, g, session
from flask_babel import Babel, get_locale, refresh

LANGUAGES = {"en": "English", "cy": "Cymraeg"}
LOCALES = {"en": "en_GB", "cy": "cy"}  # dates are written as in Britain


def current() -> str:
    """The visitor's choice, kept in their session; English until they choose."""
    chosen = g.get("language") or session.get("language", "en")
    return chosen if chosen in LANGUAGES else "en"


def choose(language: str, *, keep: bool) -> None:
    """Speak a language from here on in this request and, when `keep`, in this visitor's session. Unknown ones are ignored."""
    if language not in LANGUAGES:
        return
    g.language = language
    if keep:
        session["language"] = language
    refresh()


def init_app(app: Flask) -> None:
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = "translations"
    app.config["BABEL_DEFAULT_TIMEZONE"] = "Europe/London"
    Babel(app, locale_selector=lambda: LOCALES[current()])
    app.jinja_env.globals.update(current_language=current, languages=LANGUAGES, get_locale=get_locale)
