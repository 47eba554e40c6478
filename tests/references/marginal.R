# Answers of geepack, and small-sample variances by whole matrices: Rscript tests/references/marginal.R
# Writes marginal.json beside this file. The people are cases of robust.csv.
suppressMessages({
  library(geepack)
  library(jsonlite)
})
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
people <- read.csv(file.path(here, "robust.csv"))
control <- geese.control(epsilon = 1e-14, maxit = 1000)

# The principal square root and its inverse, by the iteration of Denman and Beavers.
inverse_root <- function(a) {
  y <- a
  z <- diag(nrow(a))
  for (k in 1:60) {
    next_y <- (y + solve(z)) / 2
    z <- (z + solve(y)) / 2
    if (max(abs(next_y - y)) < 1e-15) break
    y <- next_y
  }
  z
}
# The four variances at given coefficients, scale and correlation, with n x n matrices as the papers write them.
variances <- function(x, y, site, family, beta, phi, rho) {
  eta <- drop(x %*% beta)
  mu <- family$linkinv(eta)
  p <- ncol(x)
  parts <- lapply(split(seq_along(y), site), function(i) {
    d <- x[i, , drop = FALSE] * family$mu.eta(eta[i])
    n <- length(i)
    r <- matrix(rho, n, n)
    diag(r) <- 1
    a <- diag(sqrt(family$variance(mu[i])), n)
    list(d = d, vi = solve(phi * a %*% r %*% a), r = y[i] - mu[i])
  })
  bread <- solve(Reduce(`+`, lapply(parts, function(k) t(k$d) %*% k$vi %*% k$d)))
  meat <- function(adjusted) {
    Reduce(`+`, lapply(parts, function(k) {
      u <- adjusted(k, diag(length(k$r)) - k$d %*% bread %*% t(k$d) %*% k$vi)
      u %*% t(u)
    }))
  }
  of <- function(adjusted) sqrt(diag(bread %*% meat(adjusted) %*% bread))
  list(
    liang_zeger = of(function(k, h) t(k$d) %*% k$vi %*% k$r),
    mancl_derouen = of(function(k, h) t(k$d) %*% k$vi %*% solve(h, k$r)),
    kauermann_carroll = of(function(k, h) t(k$d) %*% k$vi %*% inverse_root(h) %*% k$r),
    fay_graubard = of(function(k, h) {
      q <- diag(t(k$d) %*% k$vi %*% k$d %*% bread)
      diag(1 / sqrt(1 - pmin(0.75, q))) %*% t(k$d) %*% k$vi %*% k$r
    })
  )
}
cases <- list(
  list("six_uneven", "outcome", gaussian(), c("baseline", "arm")),
  list("eight_even", "outcome", gaussian(), c("baseline", "arm")),
  list("ten_three_treated", "outcome", gaussian(), c("baseline", "arm")),
  list("thirty_likert", "outcome", gaussian(), c("baseline", "arm")),
  list("sixty_small", "outcome", gaussian(), c("baseline", "manager", "parent", "arm")),
  list("ten_three_treated", "yes", binomial(), "arm"),
  list("twelve_roles", "yes", binomial(), c("baseline", "manager", "parent", "arm")),
  list("twenty_roles", "yes", binomial(), c("baseline", "arm")),
  list("sixty_small", "yes", binomial(), c("baseline", "arm")),
  list("twelve_weighted_people", "yes", binomial("log"), "arm"),
  list("twenty_four_weighted_likert", "yes", binomial("identity"), "arm"),
  list("eight_even", "count", poisson(), c("baseline", "arm")),
  list("thirty_likert", "count", poisson(), c("baseline", "manager", "arm")),
  list("twenty_roles", "yes", poisson(), c("baseline", "arm"))
)
# The three trials that have files of their own.
for (name in c("tvsfp", "eight_sites_zero_variance", "twenty_sites_uneven")) {
  cases[[length(cases) + 1]] <- list(name, "outcome", gaussian(), c("baseline", "arm"))
}
of_case <- function(name) {
  file <- file.path(here, paste0(name, ".csv"))
  if (!file.exists(file)) return(people[people$case == name, ])
  d <- read.csv(file)
  d$site <- as.integer(factor(d$site))
  d[order(d$site), ]
}
answers <- list()
for (case in cases) {
  d <- of_case(case[[1]])
  family <- case[[3]]
  formula <- reformulate(case[[4]], case[[2]])
  x <- model.matrix(formula, d)
  for (correlation in c("independence", "exchangeable")) {
    fit <- geeglm(formula, family = family, data = d, id = site, corstr = correlation, control = control)
    rho <- if (correlation == "independence") 0 else fit$geese$alpha[[1]]
    phi <- fit$geese$gamma[[1]]
    answers[[length(answers) + 1]] <- list(
      case = case[[1]], outcome = case[[2]], variance = family$family, link = family$link, columns = I(case[[4]]),
      correlation = correlation, rho = rho, phi = phi, beta = unname(coef(fit)),
      robust = unname(sqrt(diag(fit$geese$vbeta))), naive_converged = fit$geese$error == 0,
      by_hand = lapply(variances(x, d[[case[[2]]]], d$site, family, coef(fit), phi, rho), unname)
    )
  }
}

# Standardised risks from glm, and the jackknife by refitting without each site; everyone alike, or every site alike.
risks <- function(d, columns, weights) {
  d$w <- weights
  fit <- suppressWarnings(glm(reformulate(columns, "yes"), binomial, d, weights = w,
                              control = glm.control(epsilon = 1e-14, maxit = 100)))
  sapply(c(1, 0), function(a) weighted.mean(predict(fit, transform(d, arm = a), type = "response"), d$w))
}
jackknife <- function(without) {
  s <- length(without)
  sqrt((s - 1) / s * sum((without - mean(without))^2))
}
standardised <- list()
for (case in list(list("ten_three_treated", "arm"), list("eight_even", c("baseline", "arm")),
                  list("twelve_roles", c("baseline", "manager", "parent", "arm")),
                  list("sixty_small", c("baseline", "arm")))) {
  d <- people[people$case == case[[1]], ]
  size <- as.vector(table(d$site))
  for (weight in c("people", "sites")) {
    weights <- if (weight == "people") rep(1, nrow(d)) else (1 / size)[d$site]
    whole <- risks(d, case[[2]], weights)
    without <- sapply(sort(unique(d$site)), function(s) risks(d[d$site != s, ], case[[2]], weights[d$site != s]))
    standardised[[length(standardised) + 1]] <- list(
      case = case[[1]], columns = I(case[[2]]), weight = weight, risks = whole,
      difference = list(estimate = whole[1] - whole[2], se = jackknife(without[1, ] - without[2, ])),
      log_ratio = list(estimate = log(whole[1] / whole[2]), se = jackknife(log(without[1, ] / without[2, ])))
    )
  }
}
# Averages over people and over sites, and the jackknife of their difference.
suppressMessages(library(clubSandwich))
averages <- list()
for (case in list(list("six_uneven", c("baseline", "arm")), list("ten_three_treated", "arm"),
                  list("twelve_roles", c("baseline", "manager", "parent", "arm")),
                  list("thirty_likert", c("baseline", "arm")))) {
  d <- people[people$case == case[[1]], ]
  size <- as.vector(table(d$site))
  d$w <- (1 / size)[d$site]
  formula <- reformulate(case[[2]], "outcome")
  both <- function(d) c(coef(lm(formula, d))[["arm"]], coef(lm(formula, d, weights = w))[["arm"]])
  tested <- function(model, ...) {
    v <- vcovCR(model, cluster = d$site, type = "CR2", ...)
    one <- coef_test(model, v, test = "Satterthwaite", coefs = "arm")
    list(estimate = one$beta, se = one$SE, df = one$df_Satt)
  }
  whole <- both(d)
  without <- sapply(sort(unique(d$site)), function(s) both(d[d$site != s, ]))
  averages[[case[[1]]]] <- list(
    columns = I(case[[2]]), person = tested(lm(formula, d)),
    site = tested(lm(formula, d, weights = w), target = 1 / d$w, inverse_var = FALSE),
    informative = list(estimate = whole[1] - whole[2], se = jackknife(without[1, ] - without[2, ]))
  )
}
answers <- list(gee = answers, standardised = standardised, estimands = averages)
write_json(answers, file.path(here, "marginal.json"), auto_unbox = TRUE, digits = NA)
