# Sensitivity analyses and R's answers: Rscript sensitivity.R, in this folder. Writes sensitivity.csv and .json.
#
# twenty_four, ten : simulated trials whose sites chose their arm by x1 (and x2); `outcome_gap` and `baseline_gap` lack values.
# overlap          : stats::glm propensity, weighted difference of mean changes, clubSandwich CR2 with Satterthwaite df
# entropy          : Hainmueller's dual by stats::optim (BFGS) from its formula, the same weighted difference
# firth            : Jeffreys-penalised logistic regression by Fisher scoring, from Firth's formula
# balance          : standardised differences in the unweighted pooled SD; Kish's effective numbers
# e_value          : from the formula of VanderWeele & Ding
# imputed          : jomo (joint normal model, random intercepts of sites, each arm apart), lmer and mitml::testEstimates
# pooled           : mitml::testEstimates of given estimates, with and without the complete-data df
# mediation        : lmer and pbkrtest (vcovAdj, Lb_ddf) for a and for b between and within sites
# bayes            : the posterior by a fine grid over both variance ratios with dense matrices
# wwc              : the cluster formulas of the supplement to the What Works Clearinghouse handbook 4.1
# ten              : ratio estimator of a share, its linearised variance, and the interval of Korn & Graubard (1998)
suppressMessages({
  library(clubSandwich)
  library(jomo)
  library(jsonlite)
  library(lme4)
  library(mitml)
  library(pbkrtest)
})
set.seed(20240611)
out <- list()

simulate <- function(sites, reviews, people, effect) {
  x1 <- round(rnorm(sites), 2)
  x2 <- round(runif(sites, 1, 9), 1)
  arm <- as.numeric(rank(0.4 * x1 + 0.05 * x2 + rnorm(sites)) > sites / 2)
  rows <- list()
  for (k in seq_len(sites)) {
    u <- rnorm(1, 0, 0.4)
    um <- rnorm(1, 0, 0.4)
    for (r in seq_len(sample(reviews, 1))) {
      v <- rnorm(1, 0, 0.3)
      n <- sample(people, 1)
      baseline <- round(rnorm(n, 5 + 0.4 * x1[k] + 0.5 * u), 2)
      mediator <- round(2 + 0.6 * arm[k] + um + 0.3 * v + rnorm(n), 2)
      outcome <- round(1 + 0.5 * baseline + 0.5 * mediator + effect * arm[k] + u + v + rnorm(n), 2)
      rows[[length(rows) + 1]] <- data.frame(site = k, review = r, arm = arm[k], x1 = x1[k], x2 = x2[k], baseline, mediator, outcome)
    }
  }
  frame <- do.call(rbind, rows)
  frame$outcome_gap <- ifelse(runif(nrow(frame)) < plogis(-1.6 + 0.3 * (frame$baseline - 5) + 0.4 * frame$arm), NA, frame$outcome)
  frame$baseline_gap <- ifelse(runif(nrow(frame)) < 0.1, NA, frame$baseline)
  frame
}
trials <- list(twenty_four = simulate(24, 2:3, 4:9, 0.4), ten = simulate(10, 1:3, 4:8, 0.3))
write.csv(
  do.call(rbind, Map(function(name, frame) cbind(case = name, frame), names(trials), trials)),
  "sensitivity.csv", row.names = FALSE, na = ""
)

sites_of <- function(frame) {
  frame$change <- frame$outcome - frame$baseline
  aggregate(cbind(arm, x1, x2, change) ~ site, frame, mean)
}
weighted <- function(sites, w) {
  fit <- lm(change ~ arm, sites, weights = w)
  row <- coef_test(fit, vcov = "CR2", cluster = sites$site, test = "Satterthwaite")["arm", ]
  list(estimate = row$beta, se = row$SE, df = row$df_Satt)
}
entropy <- function(x, arm) {
  control <- arm == 0
  d <- sweep(x[control, , drop = FALSE], 2, colMeans(x[!control, , drop = FALSE]))
  dual <- function(l) log(sum(exp(d %*% l)))
  slope <- function(l) {
    w <- exp(d %*% l)
    colSums(d * as.vector(w)) / sum(w)
  }
  found <- optim(rep(0, ncol(x)), dual, slope, method = "BFGS", control = list(reltol = 1e-16, maxit = 1000))
  w <- rep(1, length(arm))
  w[control] <- exp(d %*% found$par)
  w
}
standardised <- function(x, arm, w) {
  unit <- sqrt((var(x[arm == 1]) + var(x[arm == 0])) / 2)
  (weighted.mean(x[arm == 1], w[arm == 1]) - weighted.mean(x[arm == 0], w[arm == 0])) / unit
}
kish <- function(w) sum(w)^2 / sum(w^2)
for (name in names(trials)) {
  sites <- sites_of(trials[[name]])
  use <- if (name == "twenty_four") c("x1", "x2") else "x1"
  x <- as.matrix(sites[use])
  e <- fitted(glm(reformulate(use, "arm"), binomial, sites, control = glm.control(epsilon = 1e-14, maxit = 100)))
  w <- ifelse(sites$arm == 1, 1 - e, e)
  out$overlap[[name]] <- c(list(
    covariates = use, propensity = unname(e),
    before = apply(x, 2, standardised, sites$arm, rep(1, nrow(x))), after = apply(x, 2, standardised, sites$arm, w),
    effective = c(kish(w[sites$arm == 1]), kish(w[sites$arm == 0]))
  ), weighted(sites, w))
  # Balance on one covariate in both: two means of so few sites may lie beyond every weighting.
  w <- entropy(as.matrix(sites["x2"]), sites$arm)
  out$entropy[[name]] <- c(list(
    covariates = "x2", weights = w / ave(w, sites$arm, FUN = sum),
    after = standardised(sites$x2, sites$arm, w), effective = c(kish(w[sites$arm == 1]), kish(w[sites$arm == 0]))
  ), weighted(sites, w))
}

firth <- function(x, y) {
  X <- cbind(1, x)
  b <- rep(0, ncol(X))
  for (i in 1:500) {
    e <- as.vector(plogis(X %*% b))
    I <- t(X) %*% (X * (e * (1 - e)))
    h <- rowSums((X %*% solve(I)) * X) * e * (1 - e)
    step <- solve(I, t(X) %*% (y - e + h * (0.5 - e)))
    b <- b + step * min(1, 2 / max(abs(step)))
    if (max(abs(step)) < 1e-13) break
  }
  as.vector(plogis(X %*% b))
}
x <- c(1.2, 2.5, 3.1, 4.4, 4.9, 5.0, 6.3, 7.7, 8.1, 9.2, 9.9, 11)
y <- as.numeric(x > 5.5)
out$firth <- list(x = x, arm = y, propensity = firth((x - mean(x)) / sd(x), y))

out$e_value <- lapply(c(-0.8, -0.1, 0.05, 0.5, 1.2), function(d) {
  rr <- exp(0.91 * abs(d))
  list(d = d, e = rr + sqrt(rr * (rr - 1)))
})

# Imputation, each arm apart; 200 data sets so that what is left of chance is a few percent of the standard error.
holed <- trials$twenty_four
sets <- 200
made <- lapply(split(holed, holed$arm), function(part) {
  set.seed(7)
  Y <- part[c("outcome_gap", "baseline_gap")]
  X <- data.frame(cons = 1, mediator = part$mediator)
  invisible(capture.output(found <- jomo(Y = Y, X = X, clus = part["site"], nburn = 1000, nbetween = 100, nimp = sets)))
  lapply(seq_len(sets), function(m) cbind(part[c("site", "arm")], found[found$Imputation == m, c("outcome_gap", "baseline_gap")]))
})
fits <- lapply(seq_len(sets), function(m) {
  lmer(outcome_gap ~ baseline_gap + arm + (1 | site), rbind(made[[1]][[m]], made[[2]][[m]]))
})
est <- sapply(fits, function(f) fixef(f)["arm"])
var <- sapply(fits, function(f) vcovAdj(f)["arm", "arm"])
df <- mean(sapply(fits, function(f) Lb_ddf(c(0, 0, 1), vcov(f), vcovAdj(f))))
pool <- function(est, var, df.com) {
  t <- testEstimates(qhat = matrix(est, 1), uhat = array(var, c(1, 1, length(var))), df.com = df.com)$estimates
  list(estimate = t[1, "Estimate"], se = t[1, "Std.Error"], df = t[1, "df"], riv = t[1, "RIV"], fmi = t[1, "FMI"])
}
out$imputed <- c(pool(est, var, df), list(sets = sets, complete_df = df, spread = sd(est)))
e <- c(1.21, 0.93, 1.52, 1.11, 1.37)
v <- c(0.21, 0.18, 0.24, 0.2, 0.22)
out$pooled <- list(estimates = e, variances = v, few = c(pool(e, v, 9.5), list(complete_df = 9.5)), many = pool(e, v, NULL))

kr <- function(fit, name) {
  l <- as.numeric(names(fixef(fit)) == name)
  list(estimate = sum(l * fixef(fit)), se = sqrt(sum(l * (vcovAdj(fit) %*% l))), df = Lb_ddf(l, vcov(fit), vcovAdj(fit)))
}
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 0.1, rhoend = 1e-10, maxfun = 1e5), calc.derivs = FALSE, check.conv.singular = "ignore")
for (name in names(trials)) {
  frame <- trials[[name]]
  frame$between <- ave(frame$mediator, frame$site)
  frame$within <- frame$mediator - frame$between
  a <- lmer(mediator ~ baseline + arm + (1 | site / review), frame, control = control)
  b <- lmer(outcome ~ baseline + arm + within + between + (1 | site / review), frame, control = control)
  out$mediation[[name]] <- list(a = kr(a, "arm"), between = kr(b, "between"), within = kr(b, "within"), direct = kr(b, "arm"))
}

posterior <- function(frame, size, scale, steps) {
  X <- cbind(1, frame$baseline, frame$arm)
  y <- frame$outcome
  Zs <- model.matrix(~ 0 + factor(site), frame)
  Zr <- model.matrix(~ 0 + interaction(site, review, drop = TRUE), frame)
  Gs <- tcrossprod(Zs)
  Gr <- tcrossprod(Zr)
  n <- nrow(X)
  nodes <- (seq_len(steps) - 0.5) / steps * 4 * scale
  rows <- list()
  for (s in nodes) for (r in nodes) {
    R <- chol(diag(n) + s^2 * Gs + r^2 * Gr)
    W <- backsolve(R, cbind(X, y), transpose = TRUE)
    C <- crossprod(W)
    d <- 1 / (size^2 * (1 + s^2 + r^2))
    A <- C[1:3, 1:3] + diag(c(0, 0, d))
    beta <- solve(A, C[1:3, 4])
    rss <- C[4, 4] - sum(beta * C[1:3, 4])
    nu <- n - 2
    like <- -sum(log(diag(R))) - 0.5 * determinant(A)$modulus + 0.5 * log(d) - nu / 2 * log(rss)
    rows[[length(rows) + 1]] <- c(like - (s^2 + r^2) / (2 * scale^2), beta[3], sqrt(solve(A)[3, 3] * rss / nu), s, r)
  }
  m <- do.call(rbind, rows)
  w <- exp(m[, 1] - max(m[, 1]))
  w <- w / sum(w)
  below <- function(q) sum(w * pt((q - m[, 2]) / m[, 3], n - 2))
  at <- function(p) uniroot(function(q) below(q) - p, c(-20, 20), tol = 1e-12)$root
  list(
    size = size, scale = scale, mean = sum(w * m[, 2]), above_zero = 1 - below(0), above_half = 1 - below(0.5),
    low = at(0.025), high = at(0.975), site_ratio = sum(w * m[, 4]), review_ratio = sum(w * m[, 5])
  )
}
out$bayes <- list(usual = posterior(trials$ten, 1, 0.5, 100), doubting = posterior(trials$ten, 0.25, 0.5, 100))

frame <- trials$ten
N <- nrow(frame)
n <- N / 10
S <- sqrt(((sum(frame$arm) - 1) * var(frame$outcome[frame$arm == 1]) + (sum(1 - frame$arm) - 1) * var(frame$outcome[frame$arm == 0])) / (N - 2))
out$wwc <- lapply(c(0, 0.05, 0.2), function(rho) {
  h <- ((N - 2) - 2 * (n - 1) * rho)^2 / ((N - 2) * (1 - rho)^2 + n * (N - 2 * n) * rho^2 + 2 * (N - 2 * n) * rho * (1 - rho))
  gamma <- 1 - 2 * (n - 1) * rho / (N - 2)
  g <- (1 - 3 / (4 * h - 1)) * 0.5 / S * sqrt(gamma)
  list(icc = rho, g = g, h = h)
})

share <- function(frame, cut) {
  above <- tapply(frame$outcome >= cut, frame$site, sum)
  size <- tapply(frame$outcome, frame$site, length)
  S <- length(size)
  n <- sum(size)
  p <- sum(above) / n
  v <- S / (S - 1) * sum((above - p * size)^2) / n^2
  worth <- min(n, p * (1 - p) / v * (qt(0.975, n - 1) / qt(0.975, S - 1))^2)
  list(cut = cut, people = n, sites = S, share = p, se = sqrt(v), low = qbeta(0.025, p * worth, worth - p * worth + 1), high = qbeta(0.975, p * worth + 1, worth - p * worth))
}
out$ten <- lapply(split(trials$twenty_four, trials$twenty_four$arm), share, cut = 5)

writeLines(toJSON(out, digits = 12, auto_unbox = TRUE, pretty = TRUE), "sensitivity.json")
