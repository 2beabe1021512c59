-- Every kind of event a page can tell, with the columns they need. Rows written before keep their
-- values and have the empty value in each new column. Each statement may run again: the first start
-- after an upgrade may be interrupted anywhere.

ALTER TABLE events MODIFY COLUMN kind Enum8('page_view' = 1, 'press' = 2, 'scroll' = 3, 'swipe' = 4, 'custom' = 5, 'conversion' = 6, 'exposure' = 7, 'long_press' = 8, 'pinch' = 9, 'hesitation' = 10, 'path' = 11, 'attention' = 12, 'impression' = 13, 'form' = 14, 'rage' = 15, 'dead' = 16, 'error_press' = 17, 'thrash' = 18, 'fault' = 19, 'visibility' = 20, 'consent' = 21, 'identify' = 22);

-- A page written from right to left is scrolled to the left of its origin.
ALTER TABLE events
    MODIFY COLUMN page_x Int32 COMMENT 'In the document, CSS pixels; negative left of where a right-to-left page begins',
    MODIFY COLUMN page_y Int32;

ALTER TABLE events
    ADD COLUMN IF NOT EXISTS release LowCardinality(String) COMMENT 'Version of the site' AFTER props,
    ADD COLUMN IF NOT EXISTS pressed Bool COMMENT 'The element was pressed before the hesitation ended' AFTER release,
    ADD COLUMN IF NOT EXISTS scale_percent UInt32 COMMENT 'Of a pinch: distance of the fingers at the end, percent of that at the start' AFTER pressed,
    ADD COLUMN IF NOT EXISTS distance UInt32 COMMENT 'Of a thrash: way of the pointer, CSS pixels' AFTER scale_percent,
    ADD COLUMN IF NOT EXISTS way_ms Array(UInt32) COMMENT 'Of a path: time of each step since the first' AFTER distance,
    ADD COLUMN IF NOT EXISTS way_x Array(Int32) COMMENT 'Of a path: each step in the window, CSS pixels' AFTER way_ms,
    ADD COLUMN IF NOT EXISTS way_y Array(Int32) AFTER way_x,
    ADD COLUMN IF NOT EXISTS visible_ms UInt32 COMMENT 'Of attention: how long the page was visible' AFTER way_y,
    ADD COLUMN IF NOT EXISTS active_ms UInt32 COMMENT 'Of attention: how long it was visible and used' AFTER visible_ms,
    ADD COLUMN IF NOT EXISTS first_band UInt8 COMMENT 'Of attention: band of bands[1], 0 to 19 from the top' AFTER active_ms,
    ADD COLUMN IF NOT EXISTS bands Array(UInt32) COMMENT 'Of attention: active ms of each band of a 20th of the document' AFTER first_band,
    ADD COLUMN IF NOT EXISTS look_background UInt32 COMMENT 'Of an impression: 0xRRGGBB' AFTER bands,
    ADD COLUMN IF NOT EXISTS look_width UInt32 COMMENT 'Of an impression: size of the box, CSS pixels' AFTER look_background,
    ADD COLUMN IF NOT EXISTS look_height UInt32 AFTER look_width,
    ADD COLUMN IF NOT EXISTS look_x Int32 COMMENT 'Of an impression: place of the box in the document, CSS pixels' AFTER look_height,
    ADD COLUMN IF NOT EXISTS look_y Int32 AFTER look_x,
    ADD COLUMN IF NOT EXISTS look_radius UInt16 COMMENT 'Of an impression: corner radius, CSS pixels' AFTER look_y,
    ADD COLUMN IF NOT EXISTS form_step Enum8('none' = 0, 'start' = 1, 'submit' = 2, 'abandon' = 3) AFTER look_radius,
    ADD COLUMN IF NOT EXISTS field UInt64 COMMENT 'Of a form: the field used last; see the table elements' AFTER form_step,
    ADD COLUMN IF NOT EXISTS fields UInt16 COMMENT 'Of a form: different fields used so far' AFTER field,
    ADD COLUMN IF NOT EXISTS after_ms UInt32 COMMENT 'Time since the press, or since the last change of visibility' AFTER fields,
    ADD COLUMN IF NOT EXISTS fault Enum8('none' = 0, 'error' = 1, 'rejection' = 2) AFTER after_ms,
    ADD COLUMN IF NOT EXISTS message String COMMENT 'Of a fault, masked' AFTER fault,
    ADD COLUMN IF NOT EXISTS source String COMMENT 'Of a fault: address of the script' AFTER message,
    ADD COLUMN IF NOT EXISTS source_line UInt32 AFTER source,
    ADD COLUMN IF NOT EXISTS source_column UInt32 AFTER source_line,
    ADD COLUMN IF NOT EXISTS visible Bool COMMENT 'Of visibility: from here on' AFTER source_column,
    ADD COLUMN IF NOT EXISTS consent Enum8('none' = 0, 'granted' = 1, 'cookieless' = 2) AFTER visible,
    ADD COLUMN IF NOT EXISTS user String COMMENT 'Of identify: who, as the site says' AFTER consent,
    ADD COLUMN IF NOT EXISTS user_hashed Bool COMMENT 'user is SHA-256 in hexadecimal' AFTER user;
