# Times lme4 + pbkrtest on long data: Rscript longitudinal.R DATA.csv REPEATS, one line of JSON.
suppressMessages({
  library(lme4)
  library(pbkrtest)
})
arguments <- commandArgs(trailingOnly = TRUE)
rows <- read.csv(arguments[1])
repeats <- as.integer(arguments[2])
rows$arm_later <- rows$arm * rows$wave
for (name in c("site", "review", "participant")) rows[[name]] <- factor(rows[[name]])
rows$site_wave <- interaction(rows$site, rows$wave)

clda <- function() {
  model <- lmer(
    outcome ~ wave + arm_later + (1 | site) + (1 | site_wave) + (1 | review) + (1 | participant), rows
  )
  adjusted <- vcovAdj(model)
  c(fixef(model)[[3]], sqrt(adjusted[3, 3]), Lb_ddf(c(0, 0, 1), vcov(model), adjusted))
}
answer <- suppressMessages(clda())
ms <- sapply(seq_len(repeats), function(k) {
  start <- proc.time()
  suppressMessages(clda())
  1000 * sum((proc.time() - start)[1:2])
})
shown <- function(x) paste0("[", paste(format(x, digits = 15), collapse = ", "), "]")
cat(sprintf('{"clda": {"answer": %s, "ms": %s}}\n', shown(answer), shown(ms)))
