"""The staff's pages: signing in, accounts, sites, reviews, people and their cards."""

from evalapp.trial import account_routes, aside_routes, tablet_routes, words_routes
from evalapp.trial.routes import pages

__all__ = ["account_routes", "aside_routes", "pages", "tablet_routes", "words_routes"]
