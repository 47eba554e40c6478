"""The staff's pages: signing in, accounts, sites, reviews, people and their cards."""

from evalapp.trial import account_routes, paper_routes
from evalapp.trial.routes import pages

__all__ = ["account_routes", "pages", "paper_routes"]
