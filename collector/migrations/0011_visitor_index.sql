-- What one visitor did lies all over a site's rows: the key has the time before the visitor. This says
-- of each granule who is surely not in it, for a byte or two a row, so that the history of one visitor,
-- an export and an erasure do not read everybody's. Parts that are there already get it as they merge.

ALTER TABLE events ADD INDEX IF NOT EXISTS visitor_in visitor TYPE bloom_filter(0.01) GRANULARITY 1;
