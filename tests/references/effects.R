# ANOVA ICC with its F interval, two one-sided tests, and the WWC's g, written out in base R.
# Rscript effects.R > effects.json   (R 4.2.2, jsonlite)
library(jsonlite)
case <- function(seed, sizes, icc) {
  set.seed(seed)
  cluster <- rep(seq_along(sizes), sizes)
  y <- round(rnorm(length(sizes), 0, sqrt(max(icc, 0)))[cluster] + rnorm(sum(sizes), 0, sqrt(1 - icc)), 3)
  if (icc < 0) for (k in seq_along(sizes)) y[cluster == k] <- round(y[cluster == k] - mean(y[cluster == k]), 3)
  a <- anova(lm(y ~ factor(cluster)))
  msb <- a$`Mean Sq`[1]; msw <- a$`Mean Sq`[2]; k <- length(sizes); n <- sum(sizes)
  n0 <- (n - sum(sizes^2) / n) / (k - 1)
  f <- msb / msw
  low <- f / qf(.975, k - 1, n - k); high <- f / qf(.025, k - 1, n - k)
  list(values = y, cluster = cluster - 1, icc = (msb - msw) / (msb + (n0 - 1) * msw),
       ci = c((low - 1) / (low + n0 - 1), (high - 1) / (high + n0 - 1)))
}
tost <- function(estimate, se, df, margin, alpha) {
  p <- max(pt((estimate - margin) / se, df), pt(-(estimate + margin) / se, df))
  list(estimate = estimate, se = se, df = df, margin = margin, alpha = alpha, p = p,
       ci = estimate + c(-1, 1) * qt(1 - alpha, df) * se, noninferiority_p = pt(-(estimate + margin) / se, df))
}
cat(toJSON(list(
  anova_icc = list(case(1, rep(6, 8), .2), case(2, c(3, 9, 4, 12, 5, 2), .1), case(3, rep(5, 20), .02),
                   case(4, c(4, 4, 5, 6, 3), -.1), case(5, c(30, 2, 2, 2), .3)),
  equivalence = list(tost(1, 2, 20, 8, .05), tost(-3.5, 2.2, 6, 8, .05), tost(8.9, 2.0, 14.6, 8, .05), tost(.1, 1.4, 3.63, 4, .025))
), digits = NA, auto_unbox = TRUE))
