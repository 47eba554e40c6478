"""Planning a trial: power, simulated trials, and the allocation as a ceremony that anyone can check."""
