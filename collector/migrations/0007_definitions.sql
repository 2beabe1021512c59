-- What somebody defined through the API: every version of each. Told again after an answer that was
-- lost, a version is the same row, so those with one key are one.

CREATE TABLE definitions
(
    site LowCardinality(String),
    kind LowCardinality(String) COMMENT 'funnel, release, annotation, page',
    id String COMMENT 'Its name among those of its kind',
    version UInt64 COMMENT 'Counts from 1',
    at DateTime64(3, 'UTC') COMMENT 'From when on',
    removed Bool COMMENT 'Whether it was removed by this version',
    body String COMMENT 'What it says, as JSON; empty when removed'
)
ENGINE = ReplacingMergeTree
ORDER BY (site, kind, id, version)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
