# Power by simulation with lme4 and pbkrtest: Rscript design.R TRIALS, one line of JSON with milliseconds a trial.
# 20 sites, 3 reviews, 12 people, as in design.py; the time holds drawing, fitting and Kenward-Roger.
suppressMessages({
  library(lme4)
  library(pbkrtest)
})
trials <- as.integer(commandArgs(trailingOnly = TRUE)[1])
site <- rep(1:20, each = 36)
review <- rep(1:60, each = 12)
drawn <- function() rnorm(20, 0, sqrt(0.05))[site] + rnorm(60, 0, sqrt(0.03))[review] + rnorm(720, 0, sqrt(0.92))
rejects <- function() {
  arm <- sample(rep(0:1, 10))[site]
  baseline <- drawn()
  people <- data.frame(
    outcome = 0.5 * baseline + sqrt(0.75) * drawn() + 0.3 * arm, baseline, arm, site = factor(site), review = factor(review)
  )
  model <- suppressMessages(lmer(outcome ~ baseline + arm + (1 | site / review), people))
  variance <- vcovAdj(model)
  2 * pt(-abs(fixef(model)[[3]] / sqrt(variance[3, 3])), Lb_ddf(c(0, 0, 1), vcov(model), variance)) < 0.05
}
invisible(rejects())
start <- Sys.time()
rejected <- mean(replicate(trials, rejects()))
cat(sprintf('{"ms": %.6f, "rejected": %.4f}\n', 1000 * as.numeric(difftime(Sys.time(), start, units = "secs")) / trials, rejected))
