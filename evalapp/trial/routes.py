"""The staff's pages: signing in and out, and the start page."""

from flask import Blueprint

from evalapp.trial.menu import menu, signed_in

pages = Blueprint("trial", __name__, template_folder="templates")


@pages.app_context_processor
def frame() -> dict[str, object]:
    """What staff.html asks for, on whichever audience's page."""
    return {"menu": menu, "signed_in": signed_in}
