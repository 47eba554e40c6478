"""What few sites can say where a test can say little: probabilities under priors that are stated."""
