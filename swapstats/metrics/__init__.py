"""What operators see: every metric is declared once, with its type, its labels and its meaning.

`docs/metrics.md` is made from these declarations, and the dashboards and alert rules in `docker/` are checked
against them. Names of CONTRACT §6 are exact.
"""
