"""What becomes of alerts that processes send themselves, and of log lines in floods."""

from swapstats.metrics.catalogue import counter

ALERTS = counter(
    "all",
    "alerts_total",
    "Alerts by what became of them: sent, repeated, limited, failed, dropped",
    "fate",
    known=("sent", "repeated", "limited", "failed", "dropped"),
)
LOG_SUPPRESSED = counter(
    "all",
    "log_lines_suppressed_total",
    "Log lines left out because the same came in floods",
    "level",
    known=("INFO", "WARNING", "ERROR"),
)
