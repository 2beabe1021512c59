-- One row a batch, written after the batch is in every other table.

CREATE TABLE ingest_log
(
    lane UInt16,
    batch UInt64,
    received_from DateTime64(3, 'UTC') COMMENT 'Receipt of its first row',
    received_to DateTime64(3, 'UTC') COMMENT 'Receipt of its last row',
    events UInt64 COMMENT 'Rows in events',
    elements UInt64 COMMENT 'Rows in elements',
    dead_letters UInt64 COMMENT 'Rows in dead_letters',
    kinds Map(LowCardinality(String), UInt64) COMMENT 'Events by kind',
    bytes UInt64 COMMENT 'Of the log that it was made from'
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(received_from)
ORDER BY (lane, batch)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
