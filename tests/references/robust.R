# Cluster-robust answers of clubSandwich for simulated trials: Rscript tests/references/robust.R
# Writes robust.csv (the people of every case) and robust.json (R's answers) beside this file.
suppressMessages({
  library(clubSandwich)
  library(jsonlite)
})
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
set.seed(20261124)

# sizes: people at each site; treated: sites in the treatment arm; weights: how people are weighted, if they are.
make <- function(name, sizes, treated, weights = "none", likert = FALSE) {
  sites <- length(sizes)
  arm <- sample(rep(1:0, c(treated, sites - treated)))
  site <- rep(seq_len(sites), sizes)
  n <- length(site)
  effect <- rnorm(sites, 0, 0.35)
  role <- sample(0:2, n, TRUE)
  baseline <- rnorm(n) + effect[site] / 2
  outcome <- 0.4 * arm[site] + effect[site] + 0.5 * baseline + 0.3 * (role == 1) + rnorm(n)
  if (likert) outcome <- pmin(5, pmax(1, round(3.4 + outcome)))
  weight <- switch(weights,
    none = rep(1, n),
    people = runif(n, 0.3, 3),
    sites = (1 / sizes)[site],
    roles = c(1, 2.5, 0.6)[role + 1]
  )
  chance <- plogis(-0.2 + 0.6 * arm[site] + effect[site] + 0.5 * baseline)
  data.frame(
    case = name, site = site, arm = arm[site], baseline = round(baseline, 3), manager = as.integer(role == 1),
    parent = as.integer(role == 2), weight = round(weight, 4), outcome = round(outcome, 3),
    yes = as.integer(runif(n) < chance), count = rpois(n, exp(0.2 + 0.3 * arm[site] + effect[site]))
  )
}
uneven <- function(sites, most) sample(2:most, sites, TRUE)
cases <- list(
  list("six_uneven", uneven(6, 16), 3, "none", FALSE, c("baseline", "arm")),
  list("eight_even", rep(9, 8), 4, "none", FALSE, c("baseline", "arm")),
  list("eight_no_covariate", uneven(8, 12), 4, "none", FALSE, "arm"),
  list("ten_three_treated", uneven(10, 14), 3, "none", FALSE, c("baseline", "arm")),
  list("twelve_roles", uneven(12, 16), 6, "none", FALSE, c("baseline", "manager", "parent", "arm")),
  list("fifteen_one_person_sites", c(1, 1, 2, uneven(12, 9)), 7, "none", FALSE, c("baseline", "arm")),
  list("twenty_roles", uneven(20, 12), 10, "none", FALSE, c("manager", "parent", "arm")),
  list("thirty_likert", uneven(30, 8), 15, "none", TRUE, c("baseline", "arm")),
  list("forty_two_each", rep(2, 40), 20, "none", FALSE, c("baseline", "arm")),
  list("sixty_small", uneven(60, 5), 30, "none", FALSE, c("baseline", "manager", "parent", "arm")),
  list("ten_weighted_sites", uneven(10, 14), 5, "sites", FALSE, c("baseline", "arm")),
  list("twelve_weighted_people", uneven(12, 12), 6, "people", FALSE, c("baseline", "arm")),
  list("eighteen_weighted_roles", uneven(18, 10), 9, "roles", FALSE, c("manager", "parent", "arm")),
  list("twenty_four_weighted_likert", uneven(24, 8), 12, "people", TRUE, c("baseline", "manager", "parent", "arm"))
)

answers <- list()
people <- NULL
for (case in cases) {
  name <- case[[1]]
  columns <- case[[6]]
  d <- make(name, case[[2]], case[[3]], case[[4]], case[[5]])
  people <- rbind(people, d)
  weighted <- case[[4]] != "none"
  formula <- reformulate(columns, "outcome")
  model <- if (weighted) lm(formula, d, weights = weight) else lm(formula, d)
  asked <- function(type, ...) {
    v <- vcovCR(model, cluster = d$site, type = type, ...)
    one <- coef_test(model, vcov = v, test = "Satterthwaite", coefs = "arm")
    list(se = one$SE, df = one$df_Satt)
  }
  found <- list(columns = I(columns), weighted = weighted, estimate = unname(coef(model)[["arm"]]))
  for (type in c("CR0", "CR1", "CR1S", "CR2", "CR3")) found[[tolower(type)]] <- asked(type)
  # Weights that tell the precision; clubSandwich's root is ours only where they are constant within a site, so where
  # they are not, its answer is that for the rows multiplied by the root of the weight.
  if (weighted) {
    if (case[[4]] == "sites") {
      found$cr2_inverse <- asked("CR2", target = 1 / d$weight, inverse_var = FALSE)
    } else {
      rows <- as.data.frame(model.matrix(model) * sqrt(d$weight))
      names(rows) <- c("one", columns)
      rows$outcome <- d$outcome * sqrt(d$weight)
      rooted <- lm(reformulate(c("0", names(rows)[seq_len(length(columns) + 1)]), "outcome"), rows)
      one <- coef_test(rooted, vcovCR(rooted, cluster = d$site, type = "CR2"), test = "Satterthwaite", coefs = "arm")
      found$cr2_inverse <- list(se = one$SE, df = one$df_Satt)
    }
  }
  v <- vcovCR(model, cluster = d$site, type = "CR2")
  wald <- function(constraints) {
    one <- Wald_test(model, constraints = constraints, vcov = v, test = "HTZ")
    list(statistic = one$Fstat, df = c(one$df_num, one$df_denom), p = one$p_val)
  }
  if (length(columns) > 1) {
    found$all_zero <- wald(constrain_zero(columns, coefs = coef(model)))
    if ("parent" %in% columns) {
      found$roles_zero <- wald(constrain_zero(c("manager", "parent"), coefs = coef(model)))
      found$roles_and_arm_equal <- wald(constrain_equal(c("manager", "parent", "arm"), coefs = coef(model)))
    }
  }
  found$without <- sapply(sort(unique(d$site)), function(s) {
    rest <- d[d$site != s, ]
    unname(coef(if (weighted) lm(formula, rest, weights = weight) else lm(formula, rest))[["arm"]])
  })
  answers[[name]] <- found
}
write.csv(people, file.path(here, "robust.csv"), row.names = FALSE, quote = FALSE)
write_json(answers, file.path(here, "robust.json"), auto_unbox = TRUE, digits = NA, pretty = FALSE)
