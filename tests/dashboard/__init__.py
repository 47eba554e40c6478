"""The dashboards: what is shown to whom, and what never is."""
