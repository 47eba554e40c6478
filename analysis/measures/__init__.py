"""Quantities that describe a result: effect sizes and intraclass correlations."""
