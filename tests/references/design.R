# Answers for planning and for several outcomes: Rscript design.R > design.json (R 4.2.2, Hmisc 4.8-0, lme4, pbkrtest).
suppressMessages({
  library(jsonlite)
  library(lme4)
  library(pbkrtest)
})

# Holm and Hochberg: ties, ones, zeros, a gap, a family larger than its p-values.
set.seed(20261124)
families <- list(
  c(0.01, 0.04, 0.03), c(0.05, 0.05, 0.05), c(0, 0.2, 1, 1), c(0.012), round(runif(12), 3), c(0.001, 0.02, 0.02, 0.6, 0.04),
  runif(40)^3
)
adjusted <- lapply(families, function(p) list(
  p = p, holm = p.adjust(p, "holm"), hochberg = p.adjust(p, "hochberg"),
  family = length(p) + 3,
  holm_of_more = p.adjust(p, "holm", n = length(p) + 3), hochberg_of_more = p.adjust(p, "hochberg", n = length(p) + 3)
))
gap <- c(0.02, NA, 0.01, 0.04)
with_gap <- list(p = gap, holm = p.adjust(gap, "holm"), hochberg = p.adjust(gap, "hochberg"))

# The noncentral t, past the noncentrality of 12 at which SciPy gives NaN.
grid <- expand.grid(t = c(-2, 0.5, 2.1, 4, 14, 30), df = c(1, 2, 4, 18, 100), ncp = c(0, 0.5, 2.8, 8, 11.9, 12.1, 20, 36))
grid <- subset(grid, t > 0 | ncp < 3)
grid$p <- suppressWarnings(with(grid, pt(t, df, ncp)))

# t test of cluster means, equal arms: power, the difference detected, and the number of clusters.
cases <- expand.grid(k = c(3, 4, 6, 8, 10, 15, 20), delta = c(0.2, 0.4, 0.8))
v <- 0.02 + 0.05 / 4 + 0.93 / 24 # site ICC .02, review share .05, 4 reviews of 6
cases$power <- mapply(function(k, d) power.t.test(n = k, delta = d, sd = sqrt(v), strict = TRUE)$power, cases$k, cases$delta)
detected <- data.frame(k = c(3, 4, 6, 8, 10, 15, 20, 60))
detected$mdes <- sapply(detected$k, function(k) {
  power.t.test(n = k, power = 0.8, sd = sqrt(v), strict = TRUE, tol = 1e-12)$delta
})
required <- data.frame(delta = c(0.25, 0.3, 0.4, 0.6))
required$per_arm <- sapply(required$delta, function(d) {
  ceiling(power.t.test(delta = d, power = 0.8, sd = sqrt(v), strict = TRUE, tol = 1e-12)$n)
})

# Ordered categories with many people one by one, where t is normal: Whitehead 1993 in Hmisc.
control <- c(0.2, 0.3, 0.3, 0.2)
ordinal <- lapply(c(1.3, 1.6, 2), function(ratio) {
  odds <- Hmisc::pomodm(p = control, odds.ratio = ratio)
  list(ratio = ratio, treated = odds, n = 2000,
       power = Hmisc::popower((control + odds) / 2, ratio, n1 = 1000, n2 = 1000)$power)
})

# Power of lmer with Kenward-Roger in simulated trials: 20 sites, 3 reviews, 8 people.
simulated_trials <- 1000
site <- rep(1:20, each = 24)
review <- rep(1:60, each = 8)
rejected <- 0
set.seed(1)
for (trial in seq_len(simulated_trials)) {
  arm <- sample(rep(0:1, 10))[site]
  baseline <- rnorm(20, 0, sqrt(0.05))[site] + rnorm(60, 0, sqrt(0.05))[review] + rnorm(480, 0, sqrt(0.9))
  r <- 0.5
  fresh <- rnorm(20, 0, sqrt(0.05))[site] + rnorm(60, 0, sqrt(0.05))[review] + rnorm(480, 0, sqrt(0.9))
  outcome <- r * baseline + sqrt(1 - r^2) * fresh + 0.35 * arm
  model <- suppressMessages(lmer(outcome ~ baseline + arm + (1 | site) + (1 | review)))
  variance <- vcovAdj(model)
  df <- Lb_ddf(c(0, 0, 1), vcov(model), variance)
  rejected <- rejected + (2 * pt(-abs(fixef(model)[[3]] / sqrt(variance[3, 3])), df) < 0.05)
}

cat(toJSON(list(
  adjusted = adjusted, with_gap = with_gap, noncentral_t = grid, cluster_means = cases, detected = detected,
  required = required, ordinal = ordinal,
  simulated = list(trials = simulated_trials, rejected = rejected, effect = 0.35)
), digits = 15, auto_unbox = TRUE, na = "null", dataframe = "columns", null = "null"), "\n")
