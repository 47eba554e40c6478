"""What evaluators and funders look at: responses, comparisons, releases, and the funder's one page."""

from evalapp.dashboard import funder, item_routes, routes
from evalapp.dashboard.page import pages

__all__ = ["funder", "item_routes", "pages", "routes"]
