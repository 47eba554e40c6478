# Moderation in nested trials and R's answers: Rscript moderation.R, in this folder. Writes moderation.csv and .json.
#
# by_role     : outcome ~ baseline + role + arm + arm:role + (1 | site / review)
# varying     : the same with (1 | site:role), where a role's people share what is the site's own
# by_baseline : outcome ~ baseline + arm + arm:(baseline - mean) + (1 | site / review)
# REML; effect in each role, each role's effect less the first's, the effect's change per point of baseline and the
# effect at given baselines with Kenward–Roger (vcovAdj, Lb_ddf); all differences together by KRmodcomp.
suppressMessages({
  library(lme4)
  library(pbkrtest)
  library(jsonlite)
})

simulate <- function(seed, sites, roles, shares, reviews, people, site, review, tilt) {
  set.seed(seed)
  arm_of <- sample(rep(c(1, 0), c(sites %/% 2, sites - sites %/% 2)))
  rows <- list()
  for (k in seq_len(sites)) {
    u <- rnorm(1, 0, site)
    for (r in seq_len(sample(reviews, 1))) {
      v <- rnorm(1, 0, review)
      for (person in seq_len(sample(people, 1))) {
        role <- sample(roles, 1, prob = shares)
        baseline <- round(rnorm(1, 3), 2)
        place <- match(role, roles) - 1
        y <- 0.5 * baseline - 0.2 * place + arm_of[k] * (0.3 + tilt * place - 0.1 * (baseline - 3)) + u + v + rnorm(1)
        rows[[length(rows) + 1]] <- data.frame(site = k, review = r, arm = arm_of[k], role, baseline, outcome = round(y, 2))
      }
    }
  }
  do.call(rbind, rows)
}

fitted <- function(frame, columns, review, varying = FALSE) {
  random <- c("(1 | S)", if (review) "(1 | R)", if (varying) "(1 | SR)")
  formula <- as.formula(paste("outcome ~", paste(c(columns, random), collapse = " + ")))
  control <- lmerControl(
    optimizer = "bobyqa", optCtrl = list(rhobeg = 0.1, rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE,
    check.conv.singular = "ignore"
  )
  fits <- lapply(c(0.05, 0.3, 1), function(s) lmer(formula, frame, start = rep(s, length(random)), control = control))
  fits[[which.max(sapply(fits, logLik))]]
}

reader <- function(model) {
  adjusted <- vcovAdj(model)
  names <- names(fixef(model))
  function(...) {
    weights <- c(...)
    l <- sapply(names, function(n) if (n %in% names(weights)) weights[[n]] else 0)
    list(
      estimate = sum(l * fixef(model)), se = sqrt(as.numeric(t(l) %*% adjusted %*% l)),
      df = Lb_ddf(l, vcov(model), adjusted)
    )
  }
}

by_role <- function(model, roles) {
  contrast <- reader(model)
  others <- roles[-1]
  columns <- paste0("arm_", others)
  test <- KRmodcomp(model, t(sapply(columns, function(n) as.numeric(names(fixef(model)) == n))))$test
  list(
    effects = c(
      setNames(list(contrast(arm = 1)), roles[1]),
      sapply(others, function(role) contrast(arm = 1, setNames(1, paste0("arm_", role))), simplify = FALSE)
    ),
    differences = sapply(others, function(role) contrast(setNames(1, paste0("arm_", role))), simplify = FALSE),
    together = list(
      F = test$stat[1], ndf = test$ndf[1], df = test$ddf[1], scaling = test$F.scaling[1], p = test$p.value[1]
    )
  )
}

answers <- function(frame) {
  frame$S <- factor(frame$site)
  frame$SR <- interaction(frame$site, frame$role, drop = TRUE)
  frame$R <- interaction(frame$site, frame$review, drop = TRUE)
  review <- nlevels(frame$R) > nlevels(frame$S)
  roles <- sort(unique(as.character(frame$role)))
  found <- list(rows = nrow(frame))
  if (length(roles) > 1) {
    others <- roles[-1]
    for (role in others) {
      frame[[paste0("role_", role)]] <- as.numeric(frame$role == role)
      frame[[paste0("arm_", role)]] <- frame$arm * (frame$role == role)
    }
    columns <- c("baseline", paste0("role_", others), "arm", paste0("arm_", others))
    found$by_role <- by_role(fitted(frame, columns, review), roles)
    found$varying <- by_role(fitted(frame, columns, review, varying = TRUE), roles)
  }
  frame$arm_baseline <- frame$arm * (frame$baseline - mean(frame$baseline))
  contrast <- reader(fitted(frame, c("baseline", "arm", "arm_baseline"), review))
  found$per_point <- contrast(arm_baseline = 1)
  found$at <- lapply(c(low = -1, mean = 0, high = 1), function(k) contrast(arm = 1, arm_baseline = k * sd(frame$baseline)))
  found
}

made <- list(
  three_roles = simulate(1, 12, c("leader", "manager", "practitioner"), c(0.2, 0.3, 0.5), 2:3, 5:9, 0.3, 0.2, 0.4),
  four_roles_few_sites = simulate(
    2, 8, c("leader", "manager", "parent", "practitioner"), c(0.15, 0.25, 0.2, 0.4), 1:3, 5:10, 0.4, 0, 0
  ),
  one_review_a_site = simulate(3, 14, c("manager", "practitioner"), c(0.4, 0.6), c(1, 1), 8:16, 0.3, 0, -0.3),
  no_site_variance = simulate(4, 10, c("leader", "manager", "practitioner"), c(0.3, 0.3, 0.4), 2:3, 5:9, 0, 0.3, 0.2)
)
tables <- lapply(seq_along(made), function(k) cbind(case = k, made[[k]]))
write.csv(do.call(rbind, tables), "moderation.csv", row.names = FALSE, quote = FALSE)
# The answers are to the numbers as written; two more cases are tables beside this one.
written <- read.csv("moderation.csv")
found <- lapply(setNames(seq_along(made), names(made)), function(k) answers(written[written$case == k, ]))
for (name in c("twenty_sites_uneven", "eight_sites_zero_variance")) {
  found[[name]] <- answers(read.csv(paste0(name, ".csv")))
}
write_json(found, "moderation.json", digits = NA, auto_unbox = TRUE, pretty = 1)
