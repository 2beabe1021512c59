-- What whoever sent an event says it is, and how much it looks like a program.

ALTER TABLE events
    ADD COLUMN IF NOT EXISTS browser LowCardinality(String) COMMENT 'Family, from the User-Agent' AFTER pixel_ratio_percent,
    ADD COLUMN IF NOT EXISTS os LowCardinality(String) COMMENT 'Family, from the User-Agent' AFTER browser,
    ADD COLUMN IF NOT EXISTS bot_score UInt8 COMMENT '0 to 100: how much the batch it came in looks like a program; nothing is dropped for it' AFTER user_hashed,
    ADD COLUMN IF NOT EXISTS bot_reasons Array(LowCardinality(String)) COMMENT 'Why' AFTER bot_score;
