# Times clubSandwich and geepack on a CSV: Rscript robust.R DATA.csv REPEATS, one line of JSON.
suppressMessages({
  library(clubSandwich)
  library(geepack)
})
arguments <- commandArgs(trailingOnly = TRUE)
people <- read.csv(arguments[1])
repeats <- as.integer(arguments[2])

weighted_cr2 <- function() {
  model <- lm(outcome ~ baseline + arm, people, weights = weight)
  found <- coef_test(model, vcov = "CR2", cluster = people$site, test = "Satterthwaite", coefs = "arm")
  c(found$beta, found$SE, found$df_Satt)
}
several <- function() {
  model <- lm(outcome ~ baseline + arm, people)
  v <- vcovCR(model, cluster = people$site, type = "CR2")
  found <- Wald_test(model, constraints = constrain_zero(2:3), vcov = v, test = "HTZ")
  c(found$Fstat, found$df_denom, found$p_val)
}
gee <- function() {
  model <- geeglm(outcome ~ baseline + arm, data = people, id = site, corstr = "exchangeable")
  c(coef(model)[[3]], sqrt(model$geese$vbeta[3, 3]))
}
# Processor time comes in ticks of 10 ms, so a short task is run many times between two looks at it.
timed <- function(task, runs = 10) {
  task()
  sapply(seq_len(repeats), function(k) {
    start <- proc.time()
    for (run in seq_len(runs)) task()
    1000 * sum((proc.time() - start)[1:2]) / runs
  })
}
shown <- function(x) paste0("[", paste(format(x, digits = 15), collapse = ", "), "]")
cat(sprintf(
  '{"weighted_cr2": {"answer": %s, "ms": %s}, "several": {"answer": %s, "ms": %s}, "gee": {"answer": %s, "ms": %s}}\n',
  shown(weighted_cr2()), shown(timed(weighted_cr2)), shown(several()), shown(timed(several)), shown(gee()),
  shown(timed(gee))
))
