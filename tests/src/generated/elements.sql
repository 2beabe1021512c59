-- What each element is that an event names. Parameter: none; asks the events that are there.
INSERT INTO elements
(
    site, element, received_at, path, selector, label, role, background, width, height, x, y, radius, lane, batch, idx
)
SELECT
    site, element, max(received_at), min(path),
    concat('main > ', lower(hex(element))), concat('Label ', toString(element % 1000)),
    ['button', 'link', 'input'][1 + element % 3], [3046706, 12986408, 16777215, 2236962][1 + element % 4],
    200, 48, 20, 90, 4, 0, max(batch), toUInt32(rowNumberInAllBlocks())
FROM events
WHERE element != 0
GROUP BY site, element
