"""Alerts that a process sends to people by itself. They never block it, and never end it."""
