-- The events of one day of receipt, visit by visit, from nothing but the visits' numbers: the same
-- numbers give the same rows. Parameters: first_visit and visits (a stretch of visits), day (its begin,
-- Unix seconds), visitors (of all sites), batch.
--
-- A visitor belongs to one site, has one device and comes twice or three times in all; a visit has one to
-- ten pages, a page five to eleven events. One visit in seven puts something into the cart, one in fourteen
-- goes to the checkout, one in 28 orders.
INSERT INTO events
(
    site, received_at, time, ord, kind, stream, seq, visitor, session, view, host, path, device,
    viewport_w, viewport_h, document_w, document_h, width_bucket, pixel_ratio_percent, browser, os, country,
    utm_source, utm_medium, utm_campaign, variants, element, element_x, element_y, cell,
    client_x, client_y, page_x, page_y, pointer, layer, button, dx, dy, direction, duration_ms, navigation,
    title, referrer, language, name, value, currency, order_id, props, release, pressed,
    way_ms, way_x, way_y, visible_ms, active_ms, first_band, bands,
    look_background, look_width, look_height, look_x, look_y, look_radius, form_step, field, fields, after_ms,
    fault, message, source, source_line, visible, bot_score, bot_reasons, lane, batch, idx
)
WITH
    (text, v) -> cityHash64(text, v) / 18446744073709551616. AS share,
    (text, v, n) -> cityHash64(text, v) % n AS pick
SELECT
    site,
    fromUnixTimestamp64Milli(toInt64(ms + 200 + if(e % 100 = 0, pick('late', e, 1200000), pick('lag', e, 5000))), 'UTC'),
    fromUnixTimestamp64Milli(toInt64(ms), 'UTC'),
    bitShiftLeft(toUInt64(ms), 20) + bitShiftLeft(bitAnd(bitXor(stream_fold, bitShiftRight(stream_fold, 32)), 1023), 10),
    kind,
    stream,
    toUInt64(page * 12 + slot),
    visitor,
    session,
    cityHash64('view', v, page),
    concat(site, '.example'),
    path,
    device,
    viewport_w, viewport_h, viewport_w, document_h,
    toUInt16(intDiv(least(viewport_w, 2560), 160) * 160),
    if(device = 'phone', 300, 100),
    browser, os, country,
    utm_source, utm_medium, utm_campaign,
    variants,
    if(has_place OR kind IN ('impression', 'form'), cityHash64(site, page_kind, thing), 0),
    if(has_place, toFloat32(pick('x', e, 1024) / 1023), 0),
    if(has_place, toFloat32(pick('y', e, 1024) / 1023), 0),
    if(has_place, toUInt8(intDiv(pick('y', e, 1024), 64) * 16 + intDiv(pick('x', e, 1024), 64)), 0),
    if(has_place, at_x, 0), if(has_place, at_y, 0),
    if(has_place OR kind = 'path', at_x, 0), if(has_place OR kind IN ('path', 'scroll'), at_y + pick('scrolled', e, 1500), 0),
    if(has_place, if(device IN ('phone', 'tablet'), 'touch', 'mouse'), 'none'),
    if(has_place, if(thing % 9 = 0, 'fixed', 'flow'), 'none'),
    if(kind = 'press', 'primary', 'none'),
    if(kind = 'swipe', -180, 0),
    if(kind = 'scroll', toInt32(pick('dy', e, 1600)) - 400, 0),
    multiIf(kind = 'swipe', 'left', kind != 'scroll', 'none', pick('dy', e, 1600) < 400, 'up', 'down'),
    if(kind IN ('scroll', 'swipe', 'hesitation', 'path'), toUInt32(200 + pick('long', e, 2500)), 0),
    if(kind = 'page_view', if(page = 1, 'load', 'route'), 'none'),
    if(kind = 'page_view', concat(upper(site), ' | ', page_kind, ' ', toString(cityHash64(path) % 1000)), ''),
    if(kind = 'page_view' AND page = 1, ['', 'search.example/', 'social.example/feed', 'news.example/daily'][1 + pick('referrer', v, 4)], ''),
    if(kind = 'page_view', ['en-GB', 'de-DE', 'fr-FR', 'nl-NL'][1 + pick('language', who, 4)], ''),
    multiIf(kind = 'custom', 'add_to_cart', kind = 'conversion', 'order', kind = 'exposure', 'order-button', ''),
    if(kind = 'conversion', toDecimal64(round(15 + 120 * share('value', v), 2), 6), toDecimal64(0, 6)),
    if(kind = 'conversion', 'EUR', ''),
    if(kind = 'conversion', concat('O-', toString(v)), ''),
    multiIf(
        kind = 'custom', map('product', path, 'price', toString(5 + cityHash64(path) % 90)),
        kind = 'conversion', map('items', toString(1 + pick('items', v, 4))),
        kind = 'exposure', map('variant', variant),
        map()),
    concat('2026.', toString(intDiv({day:UInt32}, 259200) % 10)),
    kind = 'hesitation' AND pick('pressed', e, 3) = 0,
    if(kind = 'path', arrayMap(k -> toUInt32(k * 70), range(steps)), []),
    if(kind = 'path', arrayMap(k -> toInt32((at_x + k * (7 + e % 29)) % viewport_w), range(steps)), []),
    if(kind = 'path', arrayMap(k -> toInt32((at_y + k * (3 + e % 23)) % viewport_h), range(steps)), []),
    if(kind = 'attention', toUInt32(2000 + pick('visible', e, 40000)), 0),
    if(kind = 'attention', toUInt32(1000 + pick('visible', e, 40000) / 2), 0),
    if(kind = 'attention', pick('band', e, 14), 0),
    if(kind = 'attention', arrayMap(k -> toUInt32(cityHash64(e, k) % 9000), range(3 + e % 4)), []),
    if(kind = 'impression', [3046706, 12986408, 16777215, 2236962][1 + thing % 4], 0),
    if(kind = 'impression', 120 + 20 * (thing % 12), 0),
    if(kind = 'impression', 36 + 4 * (thing % 6), 0),
    if(kind = 'impression', 20 + 30 * (thing % 9), 0),
    if(kind = 'impression', 90 * thing, 0),
    if(kind = 'impression', 4 * (thing % 4), 0),
    if(kind = 'form', ['start', 'submit', 'abandon'][1 + pick('form', e, 3)], 'none'),
    if(kind = 'form', cityHash64(site, 'field', pick('field', e, 5)), 0),
    if(kind = 'form', 1 + pick('field', e, 5), 0),
    if(kind IN ('dead', 'visibility'), 3000, 0),
    if(kind = 'fault', 'error', 'none'),
    if(kind = 'fault', concat('x', toString(pick('message', e, 20)), ' is not a function'), ''),
    if(kind = 'fault', concat('https://', site, '.example/app.js'), ''),
    if(kind = 'fault', 1 + pick('message', e, 900), 0),
    kind = 'visibility' AND e % 2 = 0,
    if(who % 40 = 0, 90, 0),
    if(who % 40 = 0, ['robot'], []),
    0,
    {batch:UInt64},
    toUInt32(rowNumberInAllBlocks())
FROM
(
    -- One row an event.
    SELECT
        *,
        cityHash64('event', v, page, slot) AS e,
        toUInt64(begun_ms + ((page - 1) * 12 + slot) * 2500 + pick('moment', e, 2500)) AS ms,
        pick('kind', e, 1000) AS of_kind,
        CAST(multiIf(
            slot = 0, 'page_view',
            slot = 1 AND path = '/thanks', 'conversion',
            slot = 1 AND way > 0 AND page = 2, 'custom',
            slot = 1 AND page = 1 AND length(variants) > 0, 'exposure',
            of_kind < 170, 'press', of_kind < 410, 'scroll', of_kind < 610, 'impression', of_kind < 700, 'hesitation',
            of_kind < 790, 'attention', of_kind < 930, if(device IN ('phone', 'tablet'), 'swipe', 'path'),
            of_kind < 950, 'visibility', of_kind < 970, 'form', of_kind < 985, 'dead', of_kind < 992, 'rage', 'fault'), 'String') AS kind,
        kind IN ('press', 'swipe', 'hesitation', 'dead', 'rage') AS has_place,
        toUInt32(things * pow(share('thing', e), 2)) AS thing,
        toUInt32(pick('at x', e, toUInt32(viewport_w))) AS at_x,
        toUInt32(pick('at y', e, toUInt32(viewport_h))) AS at_y,
        4 + pick('steps', e, 18) AS steps
    FROM
    (
        -- One row a page of a visit.
        SELECT
            *,
            share('page', (v, page)) AS of_page,
            multiIf(
                way > 0 AND page = 2, 'product', way > 1 AND page = 3, 'cart', way > 1 AND page = 4, 'checkout',
                way > 2 AND page = 5, 'thanks', page = 1 AND of_page < 0.4, 'home', of_page < 0.45, 'product',
                of_page < 0.5, 'search', of_page < 0.75, 'category', of_page < 0.95, 'product', 'home') AS page_kind,
            toUInt32(800 * pow(share('product', (v, page)), 3)) AS product,
            multiIf(
                page_kind = 'home', '/',
                page_kind = 'product', concat('/product/', ['kettle', 'lamp', 'teapot', 'chair', 'mug', 'scarf', 'notebook', 'rug'][1 + product % 8], '-', toString(product)),
                page_kind = 'category', concat('/category/', toString(toUInt32(30 * pow(of_page, 2)))),
                page_kind = 'search', concat('/search?q=', toString(pick('query', (v, page), 3000))),
                concat('/', page_kind)) AS path,
            multiIf(page_kind = 'home', 24, page_kind = 'category', 30, page_kind = 'product', 18, 10) AS things,
            toUInt32(1500 + cityHash64(path) % 4000) AS document_h,
            arrayJoin(range(toUInt32(5 + pick('events', (v, page), 7)))) AS slot
        FROM
        (
            -- One row a visit.
            SELECT
                *,
                arrayJoin(range(toUInt32(1), toUInt32(pages) + 1)) AS page
            FROM
            (
                SELECT
                    number AS v,
                    pick('who', v, {visitors:UInt64}) AS who,
                    pick('site', who, 100) AS of_site,
                    multiIf(of_site < 40, 'shop', of_site < 65, 'tea', of_site < 83, 'books', of_site < 95, 'garden', 'news') AS site,
                    pick('device', who, 100) AS of_device,
                    multiIf(of_device < 55, 'phone', of_device < 90, 'desktop', of_device < 98, 'tablet', 'other') AS device,
                    multiIf(
                        device = 'phone', [360, 375, 390, 393, 412, 414][1 + who % 6],
                        device = 'tablet', [768, 820, 1024][1 + who % 3],
                        [1280, 1366, 1440, 1536, 1920, 2560][1 + who % 6]) AS viewport_w,
                    multiIf(device = 'phone', 780, device = 'tablet', 1100, 820) AS viewport_h,
                    multiIf(device = 'phone', ['Chrome', 'Safari', 'Samsung Internet'][1 + who % 3], ['Chrome', 'Safari', 'Firefox', 'Edge'][1 + who % 4]) AS browser,
                    multiIf(device = 'phone', ['Android', 'iOS', 'Android'][1 + who % 3], ['Windows', 'macOS', 'Linux', 'Windows'][1 + who % 4]) AS os,
                    ['DE', 'GB', 'FR', 'NL', 'AT', 'CH', 'US', 'ES', 'IT', 'PL'][1 + toUInt32(10 * pow(share('country', who), 2))] AS country,
                    toUInt32(40 * pow(share('campaign', v), 2)) AS of_campaign,
                    pick('came by', v, 100) >= 45 AS by_campaign,
                    if(by_campaign, ['news', 'search', 'social', 'partner'][1 + of_campaign % 4], '') AS utm_source,
                    if(by_campaign, ['email', 'cpc', 'social'][1 + of_campaign % 3], '') AS utm_medium,
                    if(by_campaign, concat('campaign-', toString(of_campaign)), '') AS utm_campaign,
                    if(who % 2 = 0, 'green', 'red') AS variant,
                    if(pick('shown', who, 2) = 0, map('order-button', variant), map()) AS variants,
                    reinterpretAsUUID(bitShiftLeft(toUInt128(cityHash64('visitor', who)), 64) + cityHash64('visitor 2', who)) AS visitor,
                    cityHash64('session', v) AS session,
                    reinterpretAsUUID(bitShiftLeft(toUInt128(cityHash64('stream', v)), 64) + cityHash64('stream 2', v)) AS stream,
                    bitXor(cityHash64('stream', v), cityHash64('stream 2', v)) AS stream_fold,
                    -- Most in the afternoon, none so late that an event would be received the next day.
                    1000 * toUInt64({day:UInt32} + 83000 * (share('from', v) + share('till', v)) / 2) AS begun_ms,
                    pick('way', v, 1000) AS of_way,
                    multiIf(of_way < 36, 3, of_way < 72, 2, of_way < 144, 1, 0) AS way,
                    greatest(1 + least(9, toUInt32(-1.9 * log(share('pages', v) + 0.0001))), [0, 2, 4, 5][1 + way]) AS pages
                FROM numbers({first_visit:UInt64}, {visits:UInt64})
            )
        )
    )
)
