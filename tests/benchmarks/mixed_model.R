# Times lme4 + pbkrtest and clubSandwich on a CSV: Rscript mixed_model.R DATA.csv REPEATS, one line of JSON.
suppressMessages({
  library(lme4)
  library(pbkrtest)
  library(clubSandwich)
})
arguments <- commandArgs(trailingOnly = TRUE)
people <- read.csv(arguments[1])
repeats <- as.integer(arguments[2])
people$site <- factor(people$site)
people$review <- factor(people$review)
contrast <- c(0, 0, 1)

kenward_roger <- function() {
  model <- lmer(outcome ~ baseline + arm + (1 | site / review), people)
  adjusted <- vcovAdj(model)
  c(fixef(model)[[3]], sqrt(adjusted[3, 3]), Lb_ddf(contrast, vcov(model), adjusted))
}
cr2 <- function() {
  model <- lm(outcome ~ baseline + arm, people)
  found <- coef_test(model, vcov = "CR2", cluster = people$site, test = "Satterthwaite", coefs = "arm")
  c(found$beta, found$SE, found$df_Satt)
}
# Processor time comes in ticks of 10 ms, so a short task is run many times between two looks at it.
timed <- function(task, runs) {
  task()
  sapply(seq_len(repeats), function(k) {
    start <- proc.time()
    for (run in seq_len(runs)) task()
    1000 * sum((proc.time() - start)[1:2]) / runs
  })
}
shown <- function(x) paste0("[", paste(format(x, digits = 15), collapse = ", "), "]")
cat(sprintf(
  '{"kenward_roger": {"answer": %s, "ms": %s}, "cr2": {"answer": %s, "ms": %s}}\n',
  shown(kenward_roger()), shown(timed(kenward_roger, 5)), shown(cr2()), shown(timed(cr2, 20))
))
