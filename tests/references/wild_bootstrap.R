# The restricted wild cluster bootstrap in plain loops, every draw a refit: Rscript tests/references/wild_bootstrap.R
# Writes wild_bootstrap.json beside this file. The people are cases of robust.csv.
suppressMessages(library(jsonlite))
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
people <- read.csv(file.path(here, "robust.csv"))
webb <- c(-sqrt(1.5), -1, -sqrt(0.5), sqrt(0.5), 1, sqrt(1.5))

# t statistic of the last column against delta, with CR1S standard error.
t_of <- function(x, y, site, delta) {
  fit <- lm.fit(x, y)
  bread <- solve(crossprod(x))
  score <- rowsum(x * fit$residuals, site)
  s <- nrow(score)
  n <- nrow(x)
  p <- ncol(x)
  variance <- s / (s - 1) * (n - 1) / (n - p) * bread %*% crossprod(score) %*% bread
  c((fit$coefficients[[p]] - delta) / sqrt(variance[p, p]), fit$coefficients[[p]], sqrt(variance[p, p]))
}
# p of one effect: weights is draws x sites; enumerated weights hold the observed trial, random ones do not.
p_of <- function(x, y, site, delta, weights, enumerated) {
  p <- ncol(x)
  restricted <- lm.fit(x[, -p, drop = FALSE], y - delta * x[, p])
  fitted <- y - restricted$residuals
  observed <- abs(t_of(x, y, site, delta)[1])
  extreme <- 0
  for (b in seq_len(nrow(weights))) {
    drawn <- fitted + restricted$residuals * weights[b, site]
    if (abs(t_of(x, drawn, site, delta)[1]) >= observed * (1 - 1e-9)) extreme <- extreme + 1
  }
  if (enumerated) extreme / nrow(weights) else (1 + extreme) / (1 + nrow(weights))
}
bisect <- function(inside, outside, p, alpha = 0.05) {
  while (abs(outside - inside) > 1e-7 * abs(outside)) {
    middle <- (inside + outside) / 2
    if (p(middle) > alpha) inside <- middle else outside <- middle
  }
  inside
}

answers <- list()
for (name in c("six_uneven", "eight_even", "eight_no_covariate", "ten_three_treated", "fifteen_one_person_sites",
               "twenty_roles", "eight_sites_zero_variance")) {
  d <- people[people$case == name, ]
  if (name == "eight_sites_zero_variance") d <- read.csv(file.path(here, paste0(name, ".csv")))
  d$site <- as.integer(factor(d$site))
  columns <- if (name == "eight_no_covariate") "arm" else if (name == "twenty_roles") c("manager", "parent", "arm")
             else c("baseline", "arm")
  x <- cbind(1, as.matrix(d[columns]))
  sites <- max(d$site)
  observed <- t_of(x, d$outcome, d$site, 0)
  enumerated <- sites <= 10
  set.seed(sites)
  codes <- if (enumerated) NULL else matrix(sample(6, 60 * sites, TRUE), 60)
  weights <- if (enumerated) as.matrix(expand.grid(rep(list(c(1, -1)), sites))) else matrix(webb[codes], nrow(codes))
  deltas <- round(observed[2] + observed[3] * c(-3.1, -1.2, -0.3, 0.7, 1.9, 4.3), 3)
  p <- function(delta) p_of(x, d$outcome, d$site, delta, weights, enumerated)
  answers[[name]] <- list(
    columns = I(columns), statistic = observed[1], estimate = observed[2], se = observed[3],
    codes = if (enumerated) NULL else codes - 1, p = p(0), deltas = deltas, p_of_deltas = sapply(deltas, p)
  )
  if (sites == 8) {
    answers[[name]]$ci <- c(bisect(observed[2], observed[2] - 12 * observed[3], p),
                            bisect(observed[2], observed[2] + 12 * observed[3], p))
  }
}
write_json(answers, file.path(here, "wild_bootstrap.json"), auto_unbox = TRUE, digits = NA, null = "null")
