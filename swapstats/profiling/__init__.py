"""What a running process is busy with, asked for over HTTP on `metrics.pprof`; while nobody asks, it costs nothing.

Only the standard library is used, so that it also answers where everything else is stuck.
"""
