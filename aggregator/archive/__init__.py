"""The room that copies the log into the archive: a consumer group of its own, apart from the live path."""
