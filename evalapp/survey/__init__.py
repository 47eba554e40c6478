"""The participant's pages: a code, what it is about, the questions, a check, a receipt."""

import time

from flask import Blueprint
from flask.blueprints import BlueprintSetupState

from evalapp.survey import call_routes, mind, pin_routes, routes
from evalapp.survey.journey import find_participant
from evalapp.survey.problems import problem_page

__all__ = ["call_routes", "find_participant", "mind", "pages", "pin_routes", "problem_page"]

pages: Blueprint = routes.pages


def _open_the_door(state: BlueprintSetupState) -> None:
    # The code form alone has no session to bind a token to: the guard checks where it comes from.
    # So does the form that ends messages: mail programs send it for their reader, without any session (RFC 8058).
    for view in (routes.enter, routes.messages_stopped):
        state.app.extensions["csrf"].exempt(view)
    state.app.extensions.setdefault("wait", time.sleep)


pages.record(_open_the_door)
