"""Standard errors that allow for clustering without modelling it."""
