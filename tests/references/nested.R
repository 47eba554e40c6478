# Nested trials and R's answers: Rscript nested.R, in this folder. Writes nested.csv and nested.json.
#
# outcome ~ [baseline] + [covariates] + arm + (1 | site / review), REML, with Kenward–Roger (pbkrtest).
suppressMessages({
  library(lme4)
  library(pbkrtest)
  library(jsonlite)
})

simulate <- function(seed, sites, reviews, people, site = 0.25, review = 0.2, residual = 1, slope = 0.5, effect = 0.3,
                     treated = sites %/% 2, kind = "number", known = 0) {
  set.seed(seed)
  arm_of <- sample(rep(c(1, 0), c(treated, sites - treated)))
  rows <- list()
  for (k in seq_len(sites)) {
    u <- rnorm(1, 0, site)
    for (r in seq_len(reviews(k))) {
      v <- rnorm(1, 0, review)
      for (person in seq_len(people(k))) {
        baseline <- round(rnorm(1), 2)
        age <- round(rnorm(1, 40, 10))
        role <- sample(0:2, 1)
        y <- slope * baseline + effect * arm_of[k] + known * (age / 20 + role) + u + v + rnorm(1, 0, residual)
        y <- switch(kind, number = round(y, 2), likert = min(5, max(1, round(3.5 + y))), yes = as.numeric(y > 0.5))
        rows[[length(rows) + 1]] <- c(k, r, arm_of[k], baseline, age, role, y)
      }
    }
  }
  frame <- as.data.frame(do.call(rbind, rows))
  names(frame) <- c("site", "review", "arm", "baseline", "age", "role", "outcome")
  frame
}

answers <- function(frame, review = TRUE, covariates = "baseline") {
  frame$S <- factor(frame$site)
  frame$R <- interaction(frame$site, frame$review, drop = TRUE)
  random <- if (review) c("(1 | S)", "(1 | R)") else "(1 | S)"
  formula <- as.formula(paste("outcome ~", paste(c(covariates, "arm", random), collapse = " + ")))
  fit <- function(start) {
    control <- lmerControl(
      optimizer = "bobyqa", optCtrl = list(rhobeg = 0.1, rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE,
      check.conv.singular = "ignore"
    )
    lmer(formula, frame, REML = TRUE, start = rep(start, length(random)), control = control)
  }
  fits <- lapply(c(0.05, 0.3, 1, 5), fit)
  model <- fits[[which.max(sapply(fits, logLik))]]
  adjusted <- vcovAdj(model)
  arm <- as.numeric(names(fixef(model)) == "arm")
  df <- Lb_ddf(arm, vcov(model), adjusted)
  se <- sqrt(as.numeric(t(arm) %*% adjusted %*% arm))
  estimate <- fixef(model)[["arm"]]
  variances <- as.data.frame(VarCorr(model))
  value <- function(group) if (group %in% variances$grp) variances$vcov[variances$grp == group] else NULL
  list(
    review = review, covariates = I(as.character(covariates)), rows = nrow(frame), sites = length(unique(frame$site)),
    reml_loglik = as.numeric(logLik(model)),
    variance = Filter(Negate(is.null), list(residual = value("Residual"), review = value("R"), site = value("S"))),
    estimate = estimate, se = se, df = df, p = 2 * pt(-abs(estimate / se), df)
  )
}

between <- function(low, high) function(site) sample(low:high, 1)
same <- function(n) function(site) n
cases <- list(
  six_sites = list(simulate(1, 6, between(2, 4), between(4, 12))),
  eight_sites = list(simulate(2, 8, between(1, 5), between(3, 9), site = 0.5)),
  twelve_balanced = list(simulate(3, 12, same(3), same(6), site = 0.4, review = 0.3)),
  sixty_sites = list(simulate(4, 60, between(1, 2), between(2, 5), site = 0.4)),
  uneven = list(simulate(5, 14, between(1, 6), between(1, 14), treated = 4, site = 0.4)),
  zero_site = list(simulate(26, 10, between(3, 4), between(4, 9), site = 0, review = 0.5)),
  zero_review = list(simulate(7, 12, between(2, 4), between(4, 9), site = 0.5, review = 0)),
  zero_both = list(simulate(23, 10, between(2, 4), between(4, 9), site = 0, review = 0)),
  one_review_a_site = list(simulate(9, 16, same(1), between(5, 25), site = 0.4), review = FALSE),
  strong_baseline = list(simulate(10, 10, between(2, 3), between(5, 10), slope = 3)),
  reviews_of_one = list(simulate(11, 12, between(4, 8), function(site) sample(c(1, 1, 1, 2, 6), 1), site = 0.4)),
  huge_icc = list(simulate(8, 10, between(2, 3), between(5, 9), site = 20, review = 3)),
  covariates = list(
    simulate(13, 12, between(2, 3), between(5, 9), known = 1, site = 0.4), covariates = c("baseline", "age", "role")
  ),
  no_baseline = list(simulate(14, 10, between(2, 3), between(5, 9), site = 0.5), covariates = c()),
  five_points = list(simulate(15, 12, between(2, 3), between(5, 9), site = 0.4, kind = "likert")),
  yes_or_no = list(simulate(16, 14, between(2, 3), between(5, 9), site = 0.4, kind = "yes")),
  four_sites = list(simulate(17, 4, between(3, 5), between(5, 12), site = 0.5))
)
# Cases are numbered in the table, in the order of nested.json.
tables <- lapply(seq_along(cases), function(k) cbind(case = k, cases[[k]][[1]]))
write.csv(do.call(rbind, tables), "nested.csv", row.names = FALSE, quote = FALSE)
# The answers are to the numbers as written.
written <- read.csv("nested.csv")
found <- lapply(setNames(seq_along(cases), names(cases)), function(k) {
  do.call(answers, c(list(written[written$case == k, ]), cases[[k]][-1]))
})
write_json(found, "nested.json", digits = NA, auto_unbox = TRUE, pretty = 1)
