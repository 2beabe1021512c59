-- Where an event came from: the country of its sender's network, and whether a server told it later.

ALTER TABLE events
    ADD COLUMN IF NOT EXISTS country LowCardinality(String) COMMENT 'ISO 3166-1 alpha-2, of the network it was sent from' AFTER os,
    ADD COLUMN IF NOT EXISTS imported Bool COMMENT 'Told by a server with a time of its own' AFTER bot_reasons;
