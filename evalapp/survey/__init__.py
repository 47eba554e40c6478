"""The participant's pages: a code, what it is about, the questions, a check, a receipt."""

import time

from flask import Blueprint
from flask.blueprints import BlueprintSetupState

from evalapp.survey import mind, routes
from evalapp.survey.journey import find_participant
from evalapp.survey.problems import problem_page

__all__ = ["find_participant", "mind", "pages", "problem_page"]

pages: Blueprint = routes.pages


def _open_the_door(state: BlueprintSetupState) -> None:
    # The code form alone has no session to bind a token to: the guard checks where it comes from.
    state.app.extensions["csrf"].exempt(routes.enter)
    state.app.extensions.setdefault("wait", time.sleep)


pages.record(_open_the_door)
