"""The staff's pages: signing in, accounts, sites, reviews, people and their cards."""

from evalapp.trial.routes import pages

__all__ = ["pages"]
