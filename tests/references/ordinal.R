# Ordered outcomes of cluster trials, and R's answers: MASS::polr with a sandwich written out by hand, ordinal::clmm
# (Laplace) and clmm2 (quadrature), and lme4 with pbkrtest on win fractions.
# Run from this folder: Rscript ordinal.R. Writes ordinal.csv and ordinal.json.
suppressMessages({library(MASS); library(ordinal); library(lme4); library(pbkrtest); library(jsonlite)})
set.seed(20250611)

simulate <- function(case, sites, reviews, people, cuts, sd_site, sd_review, effect) {
  arm <- sample(rep(0:1, length.out = sites))
  rows <- list()
  for (s in seq_len(sites)) {
    u <- rnorm(1, 0, sd_site)
    for (r in seq_len(sample(max(1, reviews - 1):(reviews + 1), 1))) {
      v <- rnorm(1, 0, sd_review)
      n <- sample(2:(2 * people - 2), 1)
      before <- round(rnorm(n), 1)
      eta <- effect * arm[s] + 0.8 * before + u + v
      rows[[length(rows) + 1]] <- data.frame(
        case = case, site = s, review = r, arm = arm[s], baseline = before,
        outcome = 1 + rowSums(outer(eta + rlogis(n), cuts, ">")))
    }
  }
  do.call(rbind, rows)
}

cases <- list(
  simulate("six_sites", 6, 3, 6, c(-2, -0.7, 0.6, 2), 0.4, 0.3, 0.5),
  simulate("eight_sites_ceiling", 8, 3, 6, c(-4, -3, -1.8, -0.3), 0.5, 0.4, 0.6),
  simulate("twelve_sites_three_categories", 12, 2, 6, c(-1, 1), 0.3, 0.5, 0),
  simulate("twenty_sites_seven_categories", 20, 2, 6, c(-2.5, -1.5, -0.7, 0.2, 1.1, 2.2), 0.6, 0.3, 0.4),
  simulate("forty_sites_four_categories", 40, 2, 4, c(-1.5, 0, 1.5), 0.3, 0.3, -0.4),
  simulate("sixty_sites_no_variance", 60, 2, 4, c(-2, -0.5, 0.5, 2), 0, 0, 0.3))
data <- do.call(rbind, cases)
write.csv(data, "ordinal.csv", row.names = FALSE, quote = FALSE)

tvsfp <- read.csv("tvsfp.csv")[, c("site", "review", "arm", "baseline", "outcome")]
tvsfp$case <- "tvsfp"
everything <- c(cases, list(tvsfp))

# Scores of a person in (thresholds, slopes) of logit P(Y <= c) = tau_c - x'b, by hand.
scores <- function(tau, b, y, x) {
  count <- length(tau)
  bounds <- c(-Inf, tau, Inf)
  eta <- drop(x %*% b)
  high <- bounds[y + 1] - eta
  low <- bounds[y] - eta
  p <- plogis(high) - plogis(low)
  du <- dlogis(high) / p
  dl <- -dlogis(low) / p
  g <- matrix(0, length(y), count + length(b))
  for (c in seq_len(count)) g[, c] <- du * (y == c) + dl * (y == c + 1)
  g[, count + seq_along(b)] <- -(du + dl) * x
  g
}

robust <- function(d) {
  d$y <- ordered(d$outcome)
  fit <- polr(y ~ arm + baseline, d, Hess = TRUE, control = list(reltol = 1e-15, maxit = 1000))
  x <- cbind(d$arm, d$baseline)
  y <- as.integer(d$y)
  tau <- fit$zeta
  b <- coef(fit)
  # Polish by Newton's method, whose information is the numerical derivative of the scores by hand.
  theta <- c(tau, b)
  total <- function(t) colSums(scores(t[seq_along(tau)], t[-seq_along(tau)], y, x))
  information <- function(t) -sapply(seq_along(t), function(j) {
    e <- replace(numeric(length(t)), j, 1e-5)
    (total(t + e) - total(t - e)) / 2e-5
  })
  for (k in 1:5) theta <- theta + solve(information(theta), total(theta))
  stopifnot(max(abs(theta - c(tau, b))) < 1e-4)
  place <- length(tau) + 1
  u <- rowsum(scores(theta[seq_along(tau)], theta[-seq_along(tau)], y, x), d$site)
  S <- nrow(u)
  bread <- solve(information(theta))
  cr0 <- (bread %*% crossprod(u) %*% bread)[place, place]
  without <- sapply(unique(d$site), function(s) {
    e <- d[d$site != s, ]
    e$y <- ordered(e$outcome)
    coef(polr(y ~ arm + baseline, e, control = list(reltol = 1e-15, maxit = 1000)))[["arm"]]
  })
  list(
    polr = as.list(c(coef(fit))), thresholds = unname(tau), loglik = as.numeric(logLik(fit)),
    estimate = unname(theta[place]), cr0 = sqrt(cr0), cr1 = sqrt(cr0 * S / (S - 1)),
    jackknife = sqrt((S - 1) / S * sum((without - mean(without))^2)), df = S - 3)
}

mixed <- function(d) {
  d$y <- ordered(d$outcome)
  d$s <- factor(d$site)
  d$r <- factor(paste(d$site, d$review))
  fit <- suppressWarnings(clmm(y ~ arm + baseline + (1 | s) + (1 | r), d, control = clmm.control(
    grtol = 1e-8, maxIter = 200, gradTol = 1e-8, innerCtrl = "noWarn")))
  one <- suppressWarnings(clmm2(y ~ arm + baseline, random = s, data = d, nAGQ = 7, Hess = TRUE,
    control = clmm2.control(grtol = 1e-8, gradTol = 1e-8, maxIter = 200, innerCtrl = "noWarn")))
  laplace <- suppressWarnings(clmm2(y ~ arm + baseline, random = s, data = d, nAGQ = 1, Hess = TRUE,
    control = clmm2.control(grtol = 1e-8, gradTol = 1e-8, maxIter = 200, innerCtrl = "noWarn")))
  say <- function(m) list(
    loglik = as.numeric(logLik(m)), arm = m$beta[["arm"]], sd_site = abs(unname(m$stDev)),
    se = suppressWarnings(sqrt(diag(vcov(m))))[length(m$Theta) + 1])
  list(
    clmm = list(
      loglik = as.numeric(logLik(fit)), arm = coef(fit)[["arm"]], baseline = coef(fit)[["baseline"]],
      thresholds = unname(fit$alpha), sd_site = unname(attr(VarCorr(fit)$s, "stddev")),
      sd_review = unname(attr(VarCorr(fit)$r, "stddev")),
      se = tryCatch(unname(sqrt(vcov(fit)["arm", "arm"])), error = function(e) NA)),
    quadrature = say(one), laplace = say(laplace))
}

wins <- function(d) {
  fraction <- function(v) {
    f <- numeric(nrow(d))
    for (i in seq_len(nrow(d))) {
      other <- v[d$arm != d$arm[i]]
      f[i] <- mean((v[i] > other) + 0.5 * (v[i] == other))
    }
    f
  }
  d$w <- fraction(d$outcome)
  d$b <- fraction(d$baseline)
  fit <- suppressMessages(lmer(w ~ b + arm + (1 | site / review), d, control = lmerControl(
    optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10), calc.derivs = FALSE)))
  adjusted <- vcovAdj(fit)
  l <- c(0, 0, 1)
  # The variance of the coefficient 2 theta - 1 in a model that takes arms as independent is the variance of theta.
  list(
    plain = mean(d$w[d$arm == 1]), estimate = 0.5 + fixef(fit)[["arm"]] / 2, se = sqrt(adjusted[3, 3]),
    df = Lb_ddf(l, vcov(fit), adjusted))
}

answers <- list()
for (d in everything) {
  name <- d$case[1]
  answers[[name]] <- list(n = nrow(d), ceiling = mean(d$outcome == max(d$outcome)),
    proportional_odds = robust(d), mixed = mixed(d), win_probability = wins(d))
  cat(name, "\n")
}
answers$versions <- list(R = R.version$version.string, MASS = as.character(packageVersion("MASS")),
  ordinal = as.character(packageVersion("ordinal")), pbkrtest = as.character(packageVersion("pbkrtest")))
write_json(answers, "ordinal.json", auto_unbox = TRUE, digits = 13, pretty = TRUE, na = "null")
