"""Arms whose sites were not allocated by chance: weights that balance them, and what unmeasured causes it would take."""
