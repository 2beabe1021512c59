-- The roll-up of presses, from the rows that are there. Parameter: none.
INSERT INTO heatmap
SELECT
    site, path, toStartOfHour(time) AS begun, element, device, width_bucket, utm_campaign, variants, cell,
    count(), toDate(received_at, 'UTC') AS day, lane, max(batch)
FROM events
WHERE kind = 'press'
GROUP BY site, path, begun, element, device, width_bucket, utm_campaign, variants, cell, day, lane
SETTINGS max_partitions_per_insert_block = 0
