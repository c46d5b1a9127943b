"""What becomes of alerts that processes send themselves."""

from swapstats.metrics.catalogue import counter

ALERTS = counter(
    "all", "alerts_total", "Alerts by what became of them: sent, repeated, limited, failed, dropped", "fate"
)
LOG_SUPPRESSED = counter(
    "all", "log_lines_suppressed_total", "Log lines left out because the same came in floods", "level"
)
