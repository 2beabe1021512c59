-- Visits, campaigns and pages by minute, and one row a batch. The collector computes them from the
-- batch it inserts; here they are computed once from the rows that are there already. TRUNCATE makes
-- that exact when it is run again after an interruption: nothing else writes before it is done.

CREATE TABLE sessions
(
    site LowCardinality(String),
    visitor UUID,
    session UInt64,
    device Enum8('other' = 0, 'desktop' = 1, 'tablet' = 2, 'phone' = 3),
    began SimpleAggregateFunction(min, DateTime64(3, 'UTC')) COMMENT 'Time of its first event',
    ended SimpleAggregateFunction(max, DateTime64(3, 'UTC')) COMMENT 'Time of its last event',
    entry SimpleAggregateFunction(min, Tuple(UInt64, String)) COMMENT 'ord and path of its first event',
    exit SimpleAggregateFunction(max, Tuple(UInt64, String)) COMMENT 'ord and path of its last event',
    campaign SimpleAggregateFunction(min, Tuple(UInt64, String, String, String)) COMMENT 'ord, source, medium and campaign of its first event',
    events SimpleAggregateFunction(sum, UInt64),
    page_views SimpleAggregateFunction(sum, UInt64),
    presses SimpleAggregateFunction(sum, UInt64),
    conversions SimpleAggregateFunction(sum, UInt64),
    received_on Date,
    lane UInt16,
    batch SimpleAggregateFunction(max, UInt64) COMMENT 'Newest batch counted in'
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMMDD(received_on)
ORDER BY (site, visitor, session, device, lane)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

CREATE TABLE campaign_minutes
(
    site LowCardinality(String),
    minute DateTime('UTC') COMMENT 'Of the event',
    utm_source LowCardinality(String),
    utm_medium LowCardinality(String),
    utm_campaign LowCardinality(String),
    currency LowCardinality(String),
    events SimpleAggregateFunction(sum, UInt64),
    page_views SimpleAggregateFunction(sum, UInt64),
    presses SimpleAggregateFunction(sum, UInt64),
    conversions SimpleAggregateFunction(sum, UInt64),
    value SimpleAggregateFunction(sum, Decimal(38, 6)),
    received_on Date,
    lane UInt16,
    batch SimpleAggregateFunction(max, UInt64) COMMENT 'Newest batch counted in'
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMMDD(received_on)
ORDER BY (site, minute, utm_source, utm_medium, utm_campaign, currency, lane)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

CREATE TABLE page_minutes
(
    site LowCardinality(String),
    path String,
    minute DateTime('UTC') COMMENT 'Of the event',
    device Enum8('other' = 0, 'desktop' = 1, 'tablet' = 2, 'phone' = 3),
    events SimpleAggregateFunction(sum, UInt64),
    page_views SimpleAggregateFunction(sum, UInt64),
    presses SimpleAggregateFunction(sum, UInt64),
    conversions SimpleAggregateFunction(sum, UInt64),
    rages SimpleAggregateFunction(sum, UInt64),
    dead_presses SimpleAggregateFunction(sum, UInt64),
    faults SimpleAggregateFunction(sum, UInt64),
    visible_ms SimpleAggregateFunction(sum, UInt64),
    active_ms SimpleAggregateFunction(sum, UInt64),
    received_on Date,
    lane UInt16,
    batch SimpleAggregateFunction(max, UInt64) COMMENT 'Newest batch counted in'
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMMDD(received_on)
ORDER BY (site, path, minute, device, lane)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

TRUNCATE TABLE sessions;

INSERT INTO sessions
SELECT
    site, visitor, session, device, min(time), max(time), min((ord, path)), max((ord, path)),
    min((ord, toString(utm_source), toString(utm_medium), toString(utm_campaign))),
    count(), countIf(kind = 'page_view'), countIf(kind = 'press'), countIf(kind = 'conversion'),
    toDate(received_at, 'UTC') AS day, lane, max(batch)
FROM events
GROUP BY site, visitor, session, device, day, lane
SETTINGS max_partitions_per_insert_block = 0;

TRUNCATE TABLE campaign_minutes;

INSERT INTO campaign_minutes
SELECT
    site, toStartOfMinute(time) AS begun, utm_source, utm_medium, utm_campaign, currency,
    count(), countIf(kind = 'page_view'), countIf(kind = 'press'), countIf(kind = 'conversion'),
    sum(value), toDate(received_at, 'UTC') AS day, lane, max(batch)
FROM events
GROUP BY site, begun, utm_source, utm_medium, utm_campaign, currency, day, lane
SETTINGS max_partitions_per_insert_block = 0;

TRUNCATE TABLE page_minutes;

INSERT INTO page_minutes
SELECT
    site, path, toStartOfMinute(time) AS begun, device,
    count(), countIf(kind = 'page_view'), countIf(kind = 'press'), countIf(kind = 'conversion'),
    countIf(kind = 'rage'), countIf(kind = 'dead'), countIf(kind = 'fault'),
    sum(visible_ms), sum(active_ms), toDate(received_at, 'UTC') AS day, lane, max(batch)
FROM events
GROUP BY site, path, begun, device, day, lane
SETTINGS max_partitions_per_insert_block = 0;
