"""The staff's pages: signing in, accounts, sites, reviews, people, their cards, papers and messages, tablets, words to read."""

from evalapp.trial import account_routes, aside_routes, contact_routes, paper_routes, tablet_routes, words_routes
from evalapp.trial.routes import pages

__all__ = [
    "account_routes", "aside_routes", "contact_routes", "pages", "paper_routes", "tablet_routes", "words_routes",
]  # fmt: skip
