-- What they held was moved by the migration before.
DROP TABLE IF EXISTS swap_minutes {on_cluster} SYNC SETTINGS max_table_size_to_drop = 0;
DROP TABLE IF EXISTS swap_hours {on_cluster} SYNC SETTINGS max_table_size_to_drop = 0;
DROP TABLE IF EXISTS swap_days {on_cluster} SYNC SETTINGS max_table_size_to_drop = 0;
