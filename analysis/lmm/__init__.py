"""Linear mixed models with random intercepts for sites and reviews."""
