-- The first schema. Every table that receives events is partitioned by the day of receipt and
-- fsyncs what it is given, so a row that was inserted survives a power cut. `(lane, batch, idx)`
-- names a row's place: a batch is inserted whole, once, into one partition.

CREATE TABLE events
(
    site LowCardinality(String),
    received_at DateTime64(3, 'UTC') COMMENT 'When the collector had it',
    time DateTime64(3, 'UTC') COMMENT 'When it happened: the clock of the page, corrected by skew_ms',
    ord UInt64 COMMENT 'Order among the events of a visitor: time in ms << 20 | tie',
    skew_ms Int64 COMMENT 'Added to the clock of the page',
    clamped Bool COMMENT 'Its time lay too far in the future and was pulled back',
    kind Enum8('page_view' = 1, 'press' = 2, 'scroll' = 3, 'swipe' = 4, 'custom' = 5, 'conversion' = 6, 'exposure' = 7),
    stream UUID COMMENT 'One run of the recorder in one tab',
    seq UInt64 COMMENT 'Number in the stream; (site, stream, seq) is the identity of the event',
    visitor UUID,
    session UInt64,
    view UInt64 COMMENT 'One showing of one page',
    host LowCardinality(String),
    path String,
    device Enum8('other' = 0, 'desktop' = 1, 'tablet' = 2, 'phone' = 3),
    viewport_w UInt32,
    viewport_h UInt32,
    document_w UInt32,
    document_h UInt32,
    width_bucket UInt16 COMMENT 'viewport_w rounded down to a step of 160 px, at most 2560',
    pixel_ratio_percent UInt16,
    utm_source LowCardinality(String),
    utm_medium LowCardinality(String),
    utm_campaign LowCardinality(String),
    utm_term LowCardinality(String),
    utm_content LowCardinality(String),
    variants Map(LowCardinality(String), LowCardinality(String)) COMMENT 'Experiment to variant, as shown by then',
    element UInt64 COMMENT '0 for none; see the table elements',
    element_x Float32 COMMENT 'Fraction of the width of the box of the element',
    element_y Float32 COMMENT 'Fraction of the height of the box of the element',
    cell UInt8 COMMENT 'Cell of a 16 x 16 grid over the box of the element, row by row',
    client_x UInt32 COMMENT 'In the window, CSS pixels',
    client_y UInt32,
    page_x UInt32 COMMENT 'In the document, CSS pixels',
    page_y UInt32,
    pointer Enum8('none' = 0, 'mouse' = 1, 'touch' = 2, 'pen' = 3, 'keyboard' = 4),
    layer Enum8('none' = 0, 'flow' = 1, 'fixed' = 2, 'stuck' = 3, 'top' = 4),
    button Enum8('none' = 0, 'primary' = 1, 'middle' = 2, 'secondary' = 3, 'other' = 4),
    dx Int32 COMMENT 'Movement of a scroll or swipe, CSS pixels',
    dy Int32,
    direction Enum8('none' = 0, 'up' = 1, 'down' = 2, 'left' = 3, 'right' = 4),
    detour UInt32 COMMENT 'Distance of a scroll beyond |dx| + |dy|',
    reversals UInt16,
    duration_ms UInt32,
    release_px_s UInt32 COMMENT 'Speed of a swipe when it was let go',
    navigation Enum8('none' = 0, 'load' = 1, 'route' = 2, 'restore' = 3),
    title String,
    referrer String,
    language LowCardinality(String),
    name LowCardinality(String) COMMENT 'Of a custom event, a conversion or a shown experiment',
    value Decimal(18, 6),
    currency LowCardinality(String),
    order_id String,
    props Map(LowCardinality(String), String),
    lane UInt16,
    batch UInt64,
    idx UInt32
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(received_at)
ORDER BY (site, kind, time, visitor)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

CREATE TABLE elements
(
    site LowCardinality(String),
    element UInt64,
    received_at DateTime64(3, 'UTC'),
    path String COMMENT 'A page it was seen on',
    selector String,
    label String COMMENT 'Masked',
    role LowCardinality(String),
    background UInt32 COMMENT '0xRRGGBB',
    width UInt32,
    height UInt32,
    x UInt32,
    y UInt32,
    radius UInt16,
    lane UInt16,
    batch UInt64,
    idx UInt32
)
ENGINE = ReplacingMergeTree(received_at)
ORDER BY (site, element)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

CREATE TABLE heatmap
(
    site LowCardinality(String),
    path String,
    hour DateTime('UTC') COMMENT 'Of the event',
    element UInt64,
    device Enum8('other' = 0, 'desktop' = 1, 'tablet' = 2, 'phone' = 3),
    width_bucket UInt16,
    utm_campaign LowCardinality(String),
    variants Map(LowCardinality(String), LowCardinality(String)),
    cell UInt8,
    presses SimpleAggregateFunction(sum, UInt64),
    received_on Date,
    lane UInt16,
    batch SimpleAggregateFunction(max, UInt64) COMMENT 'Newest batch counted in'
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMMDD(received_on)
ORDER BY (site, path, hour, element, device, width_bucket, utm_campaign, variants, cell, lane)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

CREATE TABLE dead_letters
(
    site LowCardinality(String),
    received_at DateTime64(3, 'UTC'),
    source LowCardinality(String) COMMENT 'batch or stream',
    code LowCardinality(String),
    reason String,
    body_bytes UInt64 COMMENT 'How long the whole body was',
    body String COMMENT 'Its first 2048 bytes, as they came',
    lane UInt16,
    batch UInt64,
    idx UInt32
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(received_at)
ORDER BY (site, received_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
