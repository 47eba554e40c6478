"""What stands in the header of a staff page: the pages this person may open, and who they are."""

from dataclasses import dataclass

from flask import current_app, request, url_for

from evalapp import access
from evalapp.accounts import Staff

# Label and endpoint, in the order of the work. Who sees a link is decided by the page's own permission.
LINKS = (
    ("Start", "trial.home"),
    ("Sites", "trial.sites"),
    ("Reviews and people", "trial.people"),
    ("Messages", "trial.messages"),
    ("Paper", "trial.papers"),
    ("Board", "dashboard.board"),
    ("Outcomes", "dashboard.outcomes"),
    ("Releases", "dashboard.releases"),
    ("Funder page", "dashboard.funder"),
    ("Words to read", "trial.words"),
    ("Released words", "trial.released_words"),
    ("Pages set aside", "trial.asides"),
    ("Accounts", "trial.accounts_page"),
)


@dataclass(frozen=True)
class Link:
    """One link of the menu; `here` when this is the page it leads to."""

    label: str
    url: str
    here: bool


def signed_in() -> Staff | None:
    """The member of staff this page is for, if any."""
    return access.visitor().staff


def opens(endpoint: str) -> bool:
    """Whether this visitor may open a page: asked of the access table, never guessed."""
    permission = access.permission_of(current_app, endpoint)
    return permission is not None and access.may(access.visitor().role, permission)


def menu() -> list[Link]:
    """The links this member of staff may follow; none before signing in."""
    if signed_in() is None:
        return []
    return [
        Link(label, url_for(endpoint), request.endpoint == endpoint) for label, endpoint in LINKS if opens(endpoint)
    ]
