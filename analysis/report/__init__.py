"""From a plan written down beforehand to a report in which every result says whether it was planned."""
