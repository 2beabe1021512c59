-- The places of rows that were erased with their visitor: what the audit finds missing, and must. They
-- name nobody. Rows that were erased, replaced or merged leave the disk after a minute, not eight:
-- what replaces them is synced before.

CREATE TABLE erased
(
    erasure UUID COMMENT 'The order by which they were erased',
    erased_at DateTime64(3, 'UTC'),
    source LowCardinality(String) COMMENT 'The table: events, elements or dead_letters; or quarantine',
    received_on Date,
    lane UInt16,
    batch UInt64,
    idx UInt32
)
ENGINE = ReplacingMergeTree
ORDER BY (source, lane, batch, idx)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

ALTER TABLE events MODIFY SETTING old_parts_lifetime = 60;

ALTER TABLE elements MODIFY SETTING old_parts_lifetime = 60;

ALTER TABLE heatmap MODIFY SETTING old_parts_lifetime = 60;

ALTER TABLE sessions MODIFY SETTING old_parts_lifetime = 60;

ALTER TABLE campaign_minutes MODIFY SETTING old_parts_lifetime = 60;

ALTER TABLE page_minutes MODIFY SETTING old_parts_lifetime = 60;

ALTER TABLE dead_letters MODIFY SETTING old_parts_lifetime = 60;
