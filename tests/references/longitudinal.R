# Longitudinal trials and R's answers: Rscript longitudinal.R, in this folder. Writes longitudinal.csv, longitudinal.json.
#
# outcome ~ waves + arm at each later wave + (1 | site) + (1 | site:wave) + (1 | review) [+ (1 | review:wave)]
# + (1 | participant), REML, with Kenward–Roger standard errors and degrees of freedom (pbkrtest).
suppressMessages({
  library(lme4)
  library(pbkrtest)
  library(jsonlite)
})

simulate <- function(seed, sites, waves, reviews, people, sd, lost = 0, treated = sites %/% 2, effect = 0.4,
                     known = 1, likert = FALSE) {
  set.seed(seed)
  arm_of <- sample(rep(c(1, 0), c(treated, sites - treated)))
  rows <- list()
  participant <- 0
  for (site in seq_len(sites)) {
    u_site <- rnorm(1, 0, sd$site)
    u_site_wave <- rnorm(waves, 0, sd$site_wave)
    for (review in seq_len(reviews(site))) {
      u_review <- rnorm(1, 0, sd$review)
      u_review_wave <- rnorm(waves, 0, sd$review_wave)
      for (person in seq_len(people(site))) {
        participant <- participant + 1
        age <- round(rnorm(1), 1)
        manager <- rbinom(1, 1, 0.3)
        u <- rnorm(1, 0, sd$participant)
        here <- which(runif(waves) >= lost)
        if (length(here) == 0) here <- sample(waves, 1)
        for (wave in here) {
          mean <- 3 + 0.1 * wave + effect * arm_of[site] * (wave > 1) + known * (0.3 * age - 0.2 * manager)
          y <- mean + u_site + u_site_wave[wave] + u_review + u_review_wave[wave] + u + rnorm(1, 0, sd$residual)
          y <- if (likert) min(5, max(1, round(y))) else round(y, 2)
          rows[[length(rows) + 1]] <- c(site, review, participant, arm_of[site], wave, y, age, manager)
        }
      }
    }
  }
  frame <- as.data.frame(do.call(rbind, rows))
  names(frame) <- c("site", "review", "participant", "arm", "wave", "outcome", "age", "manager")
  frame
}

answers <- function(frame, review = TRUE, review_wave = FALSE, covariates = c()) {
  waves <- sort(unique(frame$wave))
  frame$S <- factor(frame$site)
  frame$R <- interaction(frame$site, frame$review, drop = TRUE)
  frame$P <- factor(frame$participant)
  frame$SW <- interaction(frame$site, frame$wave, drop = TRUE)
  frame$RW <- interaction(frame$R, frame$wave, drop = TRUE)
  fixed <- covariates
  for (w in waves[-1]) {
    frame[[paste0("wave", w)]] <- as.numeric(frame$wave == w)
    frame[[paste0("arm", w)]] <- frame$arm * (frame$wave == w)
  }
  fixed <- c(fixed, paste0("wave", waves[-1]), paste0("arm", waves[-1]))
  random <- c("(1 | S)", "(1 | SW)", if (review) "(1 | R)", if (review_wave) "(1 | RW)", "(1 | P)")
  formula <- as.formula(paste("outcome ~", paste(c(fixed, random), collapse = " + ")))
  fit <- function(start) {
    control <- lmerControl(
      optimizer = "bobyqa", optCtrl = list(rhobeg = 0.1, rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE,
      check.conv.singular = "ignore"
    )
    lmer(formula, frame, REML = TRUE, start = rep(start, length(random)), control = control)
  }
  fits <- lapply(c(0.1, 0.5, 1), fit)
  model <- fits[[which.max(sapply(fits, logLik))]]
  adjusted <- vcovAdj(model)
  names <- names(fixef(model))
  contrast <- function(weights) {
    df <- Lb_ddf(weights, vcov(model), adjusted)
    list(
      estimate = sum(weights * fixef(model)), se = sqrt(as.numeric(t(weights) %*% adjusted %*% weights)), df = df
    )
  }
  unit <- function(...) as.numeric(names %in% c(...))
  variances <- as.data.frame(VarCorr(model))
  value <- function(group) if (group %in% variances$grp) variances$vcov[variances$grp == group] else NULL
  found <- list(
    review = review, review_wave = review_wave, covariates = I(as.character(covariates)),
    rows = nrow(frame), reml_loglik = as.numeric(logLik(model)),
    variance = list(
      residual = value("Residual"), participant = value("P"), review = value("R"), review_wave = value("RW"),
      site = value("S"), site_wave = value("SW")
    )
  )
  found$variance <- Filter(Negate(is.null), found$variance)
  found$contrasts <- lapply(setNames(waves[-1], waves[-1]), function(w) contrast(unit(paste0("arm", w))))
  together <- KRmodcomp(model, t(sapply(waves[-1], function(w) unit(paste0("arm", w)))))$test
  found$together <- list(F = together$stat[1], ndf = together$ndf[1], df = together$ddf[1],
                         scaling = together$F.scaling[1], p = together$p.value[1])
  if (length(covariates) == 0) {
    last <- max(waves)
    found$levels <- list(
      first = contrast(unit("(Intercept)")),
      control = contrast(unit("(Intercept)", paste0("wave", last))),
      treatment = contrast(unit("(Intercept)", paste0("wave", last), paste0("arm", last)))
    )
  }
  found
}

all <- list(site = 0.25, site_wave = 0.2, review = 0.3, review_wave = 0, participant = 0.6, residual = 0.6)
between <- function(low, high) function(site) sample(low:high, 1)
cases <- list(
  three_waves = list(simulate(1, 12, 3, between(1, 3), between(3, 7), all)),
  missing_waves = list(simulate(2, 14, 3, between(1, 3), between(3, 8), all, lost = 0.3)),
  zero_site_wave = list(simulate(3, 10, 2, between(2, 3), between(5, 9), modifyList(all, list(site_wave = 0)))),
  zero_participant = list(
    simulate(23, 10, 3, between(1, 3), between(3, 6), modifyList(all, list(participant = 0)), known = 0)
  ),
  zero_site_and_review = list(
    simulate(8, 12, 3, between(2, 3), between(3, 4), modifyList(all, list(site = 0, review = 0)), lost = 0.1)
  ),
  one_review_a_site = list(simulate(5, 16, 2, function(site) 1, between(6, 16), all, lost = 0.1), review = FALSE),
  six_sites = list(simulate(6, 6, 3, between(2, 3), between(5, 8), all, lost = 0.1)),
  uneven = list(simulate(7, 20, 2, between(1, 4), between(1, 8), all, lost = 0.15, treated = 7)),
  covariates = list(
    simulate(10, 12, 2, between(2, 3), between(4, 8), all, lost = 0.1), covariates = c("age", "manager")
  ),
  review_wave = list(
    simulate(9, 12, 4, between(2, 3), between(2, 4), modifyList(all, list(review_wave = 0.35)), lost = 0.1),
    review_wave = TRUE
  ),
  steady_people = list(
    simulate(11, 10, 3, between(1, 3), between(3, 6), modifyList(all, list(participant = 2, residual = 0.15, site = 1)))
  ),
  likert = list(simulate(12, 16, 3, between(1, 2), between(3, 7), all, lost = 0.2, likert = TRUE))
)
# Cases are numbered in the table, in the order of longitudinal.json.
tables <- lapply(seq_along(cases), function(k) cbind(case = k, cases[[k]][[1]]))
write.csv(do.call(rbind, tables), "longitudinal.csv", row.names = FALSE, quote = FALSE)
# The answers are to the numbers as written.
written <- read.csv("longitudinal.csv")
found <- lapply(setNames(seq_along(cases), names(cases)), function(k) {
  do.call(answers, c(list(written[written$case == k, ]), cases[[k]][-1]))
})
write_json(found, "longitudinal.json", digits = NA, auto_unbox = TRUE, pretty = 1)
