"""The operators' room in Django's admin: partitions and their snapshots, the consumer group, dead letters.

None of it is in a table: what is shown is read from Redis and Kafka when it is asked for, and mended there. The models
in `api/models.py` only give it a place in the admin, Django's permissions (view: look, change: mend) and its audit
trail.
"""
