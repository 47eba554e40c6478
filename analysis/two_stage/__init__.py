"""Analyses of one summary a site."""
