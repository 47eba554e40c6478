# Scales, factors, agreement and change, and R's answers: psych, lavaan, and closed forms written out.
# Run from this folder: Rscript measures.R. Writes measures_*.csv and measures.json.
suppressMessages({library(psych); library(lavaan); library(jsonlite); library(GPArotation)})
set.seed(20250612)
answers <- list()

# Likert items of one or two factors; `cuts` are in SDs of the latent answer.
likert <- function(n, loadings, cuts, correlation = 0.4, groups = NULL, shift = 0) {
  loadings <- as.matrix(loadings)
  m <- ncol(loadings)
  phi <- matrix(correlation, m, m); diag(phi) <- 1
  f <- matrix(rnorm(n * m), n) %*% chol(phi)
  latent <- f %*% t(loadings)
  unique <- sqrt(pmax(1 - diag(loadings %*% phi %*% t(loadings)), 0.05))
  latent <- latent + matrix(rnorm(n * nrow(loadings)), n) %*% diag(unique)
  items <- sapply(seq_len(nrow(loadings)), function(j) 1 + rowSums(outer(latent[, j], cuts[[(j - 1) %% length(cuts) + 1]], ">")))
  colnames(items) <- paste0("i", seq_len(nrow(loadings)))
  as.data.frame(items)
}

# --- alpha, omega, item-rest --------------------------------------------------------------------------------------
five <- list(c(-1.5, -0.5, 0.4, 1.3), c(-1.8, -1, -0.2, 0.9))
top <- list(c(-2.2, -1.6, -1, -0.2))
scales <- list(
  forty_people_four_items = likert(40, c(0.8, 0.7, 0.6, 0.7), five),
  ceiling_six_items = likert(150, c(0.8, 0.7, 0.6, 0.7, 0.5, 0.8), top),
  missing_three_items = likert(90, c(0.8, 0.6, 0.7), five),
  seven_answers_eight_items = likert(60, rep(c(0.5, 0.75), 4), list(c(-2, -1.2, -0.5, 0, 0.7, 1.5))))
hole <- scales$missing_three_items
hole[sample(90, 9), 2] <- NA
hole[sample(90, 7), 3] <- NA
scales$missing_three_items <- hole
for (name in names(scales)) {
  d <- scales[[name]]
  write.csv(d, paste0("measures_", name, ".csv"), row.names = FALSE, quote = FALSE)
  x <- na.omit(d)
  k <- ncol(x); n <- nrow(x)
  a <- suppressWarnings(psych::alpha(x, check.keys = FALSE, warnings = FALSE))
  al <- k / (k - 1) * (1 - sum(diag(cov(x))) / sum(cov(x)))
  stopifnot(abs(al - a$total$raw_alpha) < 1e-12)
  fit <- cfa(paste("f =~", paste(names(x), collapse = " + ")), x, std.lv = TRUE)
  e <- lavInspect(fit, "est")
  answers$scales[[name]] <- list(
    n = n, alpha = al,
    ci = 1 - (1 - al) * qf(c(0.975, 0.025), n - 1, (n - 1) * (k - 1)),
    omega = sum(e$lambda)^2 / (sum(e$lambda)^2 + sum(diag(e$theta))),
    loadings = unname(drop(e$lambda)) * sqrt(n / (n - 1)),
    item_rest = as.list(setNames(a$item.stats$r.drop, names(x))),
    alpha_if_dropped = as.list(setNames(a$alpha.drop$raw_alpha, names(x))))
}

# --- exploratory factors ------------------------------------------------------------------------------------------
two <- likert(300, rbind(cbind(c(0.8, 0.7, 0.6, 0.75), 0), cbind(0.1, c(0.7, 0.6, 0.8, 0.65))), five)
write.csv(two, "measures_two_factors.csv", row.names = FALSE, quote = FALSE)
r <- cor(two)
minres <- function(m) {
  # psych stops early; its own criterion, run to the end.
  f <- function(p) {
    e <- eigen(r - diag(p), symmetric = TRUE)
    sum(e$values[-seq_len(m)]^2) / 2
  }
  p <- 1 / diag(solve(r))
  for (i in 1:20) p <- nlminb(p, f, lower = 0.005, upper = 1, control = list(rel.tol = 1e-15, x.tol = 1e-12, eval.max = 5000, iter.max = 5000))$par
  e <- eigen(r - diag(p), symmetric = TRUE)
  e$vectors[, seq_len(m), drop = FALSE] %*% diag(sqrt(e$values[seq_len(m)]), m)
}
ours <- minres(2)
rotated <- oblimin(ours, eps = 1e-7, maxit = 10000)
quiet <- fa(two, 2, fm = "minres", rotate = "oblimin")
answers$two_factors <- list(
  psych_loadings = unclass(quiet$loadings), psych_phi = quiet$Phi, psych_communality = unname(quiet$communality),
  unrotated = ours, loadings = unclass(rotated$loadings), phi = rotated$Phi,
  one = unname(drop(unclass(fa(two, 1, fm = "minres")$loadings))), one_exact = drop(minres(1)),
  eigenvalues = eigen(r)$values,
  random = unname(apply(replicate(4000, eigen(cor(matrix(rnorm(300 * 8), 300)))$values), 1, quantile, 0.95)))

# --- agreement of two raters --------------------------------------------------------------------------------------
truth <- sample(0:2, 45, TRUE, c(0.2, 0.35, 0.45))
slip <- function(x) pmin(2, pmax(0, x + sample(c(-1, 0, 1), length(x), TRUE, c(0.15, 0.75, 0.1))))
raters <- data.frame(facilitator = slip(truth), observer = slip(truth))
scores <- data.frame(one = round(60 + 15 * rnorm(30)), two = NA)
scores$two <- round(scores$one + 4 + 8 * rnorm(30))
write.csv(raters, "measures_raters.csv", row.names = FALSE, quote = FALSE)
write.csv(scores, "measures_scores.csv", row.names = FALSE, quote = FALSE)
k <- cohen.kappa(raters)
# Weighted: psych's interval differs from the delta method in the second digit, so that is taken, by numerical
# derivatives.
P <- table(factor(raters$facilitator, 0:2), factor(raters$observer, 0:2)) / nrow(raters)
weighted <- function(w) {
  value <- function(p) (sum(w * p) - sum(w * outer(rowSums(p), colSums(p)))) / (1 - sum(w * outer(rowSums(p), colSums(p))))
  g <- sapply(1:9, function(j) {
    e <- replace(matrix(0, 3, 3), j, 1e-5)
    (value(P + e) - value(P - e)) / 2e-5
  })
  p <- as.numeric(P)
  se <- sqrt((sum(p * g^2) - sum(p * g)^2) / nrow(raters))
  list(value(P), value(P) + c(-1, 1) * qnorm(0.975) * se)
}
none <- weighted(diag(3))
quadratic <- weighted(1 - outer(0:2, 0:2, "-")^2 / 4)
linear <- weighted(1 - abs(outer(0:2, 0:2, "-")) / 2)
stopifnot(abs(none[[2]] - k$confid[1, c(1, 3)]) < 1e-8, abs(quadratic[[1]] - k$weighted.kappa) < 1e-12)
i <- ICC(scores, lmer = FALSE)$results["Single_random_raters", ]
answers$kappa <- list(
  none = k$kappa, none_ci = k$confid[1, c(1, 3)], quadratic = k$weighted.kappa, quadratic_ci = quadratic[[2]],
  linear = linear[[1]], linear_ci = linear[[2]])
answers$icc_agreement <- list(value = i$ICC, ci = c(i[["lower bound"]], i[["upper bound"]]))

# --- groups, change, correlations ---------------------------------------------------------------------------------
sizes <- c(4, 9, 6, 12, 5, 7, 3, 8, 10, 6)
site <- rep(seq_along(sizes), sizes)
n <- length(site)
u <- rnorm(length(sizes), 0, 0.5)[site]
x <- likert(n, c(0.8, 0.7, 0.6), five)
y <- likert(n, c(0.7, 0.7, 0.6, 0.7), five)
y[, 1] <- pmin(5, pmax(1, round((y[, 1] + x[, 1]) / 2 + u)))
y[, 2] <- pmin(5, pmax(1, round((y[, 2] + x[, 2]) / 2)))
names(y) <- paste0("j", 1:4)
before <- round(50 + 15 * rnorm(n) + 5 * u)
then <- round(before - 6 + 6 * rnorm(n))
after <- round(before + 8 + 10 * rnorm(n))
arm <- as.integer(site %% 2 == 0)
groups <- cbind(site, arm, x, y, before, then, after)
write.csv(groups, "measures_groups.csv", row.names = FALSE, quote = FALSE)
v <- anova(lm(before ~ factor(site)))
msb <- v[1, 3]; msw <- v[2, 3]; J <- length(sizes)
n0 <- (n - sum(sizes^2) / n) / (J - 1)
F <- msb / msw
bounds <- F / qf(c(0.975, 0.025), J - 1, n - J)
answers$groups <- list(icc1 = (msb - msw) / (msb + (n0 - 1) * msw), icc1_ci = (bounds - 1) / (bounds + n0 - 1),
  icc2 = (msb - msw) / msb, icc2_ci = 1 - 1 / bounds, n0 = n0)
one <- x[site == 2, ]
w <- mean(apply(one, 2, var)) / ((5^2 - 1) / 12)
answers$rwg <- 3 * (1 - w) / (3 * (1 - w) + w)
mean_test <- function(d) {
  t <- t.test(tapply(d, site, mean))
  list(estimate = unname(t$estimate), df = unname(t$parameter), p = t$p.value, ci = as.numeric(t$conf.int))
}
m <- tapply(then - before, site, mean)
g <- tapply(arm, site, mean)
fit <- lm(m ~ g)
cr2 <- suppressMessages(clubSandwich::coef_test)(fit, vcov = "CR2", cluster = seq_along(m), test = "Satterthwaite")["g", ]
answers$then_test <- list(shift = mean_test(then - before), adjusted = mean_test(after - then),
  observed = mean_test(after - before), by_arm = list(estimate = cr2$beta, se = cr2$SE, df = cr2$df_Satt))
rci <- (after - before) / (sd(before) * sqrt(2) * sqrt(1 - 0.85))
answers$reliable_change <- list(index = rci, smallest = qnorm(0.975) * sd(before) * sqrt(2) * sqrt(1 - 0.85),
  improved = mean(rci > qnorm(0.975)), worsened = mean(rci < -qnorm(0.975)))
cronbach <- function(d) ncol(d) / (ncol(d) - 1) * (1 - sum(diag(cov(d))) / sum(cov(d)))
both <- function(k) {
  r <- cor(rowSums(x[k, ]), rowSums(y[k, ]))
  c(r, r / sqrt(cronbach(x[k, ]) * cronbach(y[k, ])))
}
whole <- both(rep(TRUE, n))
parts <- sapply(unique(site), function(s) both(site != s))
jack <- function(v) sqrt((J - 1) / J * sum((v - mean(v))^2))
t <- qt(0.975, J - 1)
answers$convergence <- list(observed = whole[1], observed_ci = tanh(atanh(whole[1]) + c(-t, t) * jack(atanh(parts[1, ]))),
  corrected = whole[2], corrected_ci = whole[2] + c(-t, t) * jack(parts[2, ]))
# --- one factor of ordered answers, in one group and in several ------------------------------------------------------
latent <- function(n, loadings, mean, sd, cuts) {
  f <- mean + sd * rnorm(n)
  y <- outer(f, loadings) + matrix(rnorm(n * length(loadings)), n) %*% diag(sqrt(1 - loadings^2))
  items <- sapply(seq_along(loadings), function(j) 1 + rowSums(outer(y[, j], cuts[[j]], ">")))
  colnames(items) <- paste0("i", seq_along(loadings))
  as.data.frame(items)
}
many <- list(c(-1.2, -0.3, 0.8), c(-1, 0, 1), c(-1.4, -0.5, 0.3, 1.2), c(-0.8, 0.2, 1.1), c(-1.5, -0.7, 0.6))
moved <- many
moved[[2]] <- c(-0.4, 0.6, 1.3)
few <- rep(list(c(-0.8, 0.5)), 4)
two_arms <- rbind(cbind(arm = "control", latent(350, c(0.8, 0.7, 0.6, 0.75, 0.65), 0, 1, many)),
  cbind(arm = "appreciative", latent(300, c(0.8, 0.7, 0.6, 0.75, 0.65), 0.4, 1.2, moved)))
three_waves <- rbind(cbind(wave = "before", latent(250, c(0.7, 0.6, 0.8, 0.7), 0, 1, few)),
  cbind(wave = "after", latent(220, c(0.7, 0.6, 0.8, 0.7), 0.3, 0.9, few)),
  cbind(wave = "month3", latent(200, c(0.7, 0.3, 0.8, 0.7), 0.2, 1.1, few)))
write.csv(two_arms, "measures_two_arms.csv", row.names = FALSE, quote = FALSE)
write.csv(three_waves, "measures_three_waves.csv", row.names = FALSE, quote = FALSE)

indices <- c("chisq.scaled", "df.scaled", "pvalue.scaled", "baseline.chisq.scaled", "cfi.scaled", "rmsea.scaled", "srmr")
for (d in list(list("ceiling_six_items", scales$ceiling_six_items), list("two_factors", two),
    list("seven_answers_eight_items", scales$seven_answers_eight_items),
    list("agreeableness", na.omit(read.csv("scale_agreeableness.csv"))[1:1000, ]))) {
  x <- d[[2]]
  fit <- cfa(paste("f =~", paste(names(x), collapse = " + ")), x, ordered = TRUE, std.lv = TRUE, estimator = "WLSMV")
  e <- lavInspect(fit, "est")
  r <- lavInspect(fit, "sampstat")
  answers$ordinal_factor[[d[[1]]]] <- list(loadings = as.list(setNames(drop(e$lambda), names(x))),
    se = as.list(setNames(drop(lavInspect(fit, "se")$lambda), names(x))), thresholds = unname(drop(e$tau)),
    correlations = unname(r$cov[lower.tri(r$cov)]), indices = as.list(fitMeasures(fit, indices)[indices]))
}

step <- function(d, group, name) {
  g <- length(unique(d[[group]]))
  items <- setdiff(names(d), group)
  rank <- match(name, c("configural", "thresholds", "loadings", "intercepts"))
  vec <- function(x) paste0("c(", paste(x, collapse = ","), ")")
  later <- function(first, rest) vec(c(first, rep(rest, g - 1)))
  label <- function(stem, shared) vec(if (shared) rep(stem, g) else paste0(stem, "_", seq_len(g)))
  lines <- c()
  for (i in items) {
    lines <- c(lines, paste0("f =~ ", vec(rep(NA, g)), "*", i, " + ", label(paste0("l", i), rank >= 3), "*", i))
    for (t in seq_len(length(unique(d[[i]])) - 1))
      lines <- c(lines, paste0(i, " | ", label(paste0("t", i, t), rank >= 2), "*t", t))
    lines <- c(lines, paste0(i, " ~*~ ", later(1, if (rank >= 2) NA else 1), "*", i),
      paste0(i, " ~ ", later(0, if (rank %in% 2:3) NA else 0), "*1"))
  }
  lines <- c(lines, paste0("f ~~ ", later(1, if (rank >= 3) NA else 1), "*f"),
    paste0("f ~ ", later(0, if (rank >= 4) NA else 0), "*1"))
  lavaan(paste(lines, collapse = "\n"), d, group = group, ordered = items, estimator = "WLSMV", parameterization = "delta")
}
for (d in list(list("two_arms", two_arms, "arm"), list("three_waves", three_waves, "wave"))) {
  fits <- lapply(c("configural", "thresholds", "loadings", "intercepts"), function(s) step(d[[2]], d[[3]], s))
  tests <- lapply(2:4, function(k) {
    t <- lavTestLRT(fits[[k - 1]], fits[[k]])
    list(statistic = t[["Chisq diff"]][2], df = t[["Df diff"]][2], p = t[["Pr(>Chisq)"]][2])
  })
  last <- parameterEstimates(fits[[4]])
  m <- last[last$lhs == "f" & last$op == "~1", ]
  answers$invariance[[d[[1]]]] <- list(
    steps = lapply(fits, function(f) as.list(fitMeasures(f, indices)[indices])), differences = tests,
    factor_means = m$est[-1], factor_means_se = m$se[-1])
}

write_json(answers, "measures.json", auto_unbox = TRUE, digits = 13, pretty = TRUE, na = "null")
