"""Population-averaged effects: estimating equations, standardised risks, and whom each estimate weighs how."""
