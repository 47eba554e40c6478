"""Outcomes that are ordered categories: win probability, proportional odds, cumulative-link mixed models."""
