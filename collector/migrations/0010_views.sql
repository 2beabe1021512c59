-- Questions with parameters, for whoever asks by hand: SELECT … FROM heat_map(site = 'shop', …). They
-- hold nothing: what they say is what the tables say. `from` is included, `to` is not.

CREATE VIEW IF NOT EXISTS heat_map AS
SELECT d.label AS label, d.selector AS selector, h.element AS element, h.cell AS cell, h.presses AS presses
FROM
(
    SELECT element, cell, sum(presses) AS presses
    FROM heatmap
    WHERE site = {site:String} AND path = {page:String}
        AND hour >= {from:DateTime('UTC')} AND hour < {to:DateTime('UTC')}
    GROUP BY element, cell
) AS h
LEFT JOIN
(
    SELECT element, label, selector
    FROM elements FINAL
    WHERE site = {site:String}
) AS d ON d.element = h.element;

CREATE VIEW IF NOT EXISTS campaign_results AS
SELECT
    utm_source AS source,
    utm_medium AS medium,
    utm_campaign AS campaign,
    uniqExact(visitor) AS visitors,
    uniqExactIf(visitor, kind = 'conversion') AS converted,
    converted / visitors AS rate,
    countIf(kind = 'conversion') AS conversions,
    sumMapIf(map(currency, toDecimal128(value, 6)), kind = 'conversion' AND currency != '') AS worth
FROM events
WHERE site = {site:String} AND time >= {from:DateTime('UTC')} AND time < {to:DateTime('UTC')}
GROUP BY source, medium, campaign;

CREATE VIEW IF NOT EXISTS sessions_of AS
SELECT
    visitor, session, of_device AS device, first_at AS began, last_at AS ended, first_page AS entry_page,
    last_page AS exit_page, brought.2 AS source, brought.3 AS medium, brought.4 AS campaign, all_events AS events,
    views AS page_views, pressed AS presses, converted AS conversions
FROM
(
    SELECT
        visitor,
        session,
        argMin(device, entry) AS of_device,
        min(began) AS first_at,
        max(ended) AS last_at,
        min(entry).2 AS first_page,
        max(exit).2 AS last_page,
        min(campaign) AS brought,
        sum(events) AS all_events,
        sum(page_views) AS views,
        sum(presses) AS pressed,
        sum(conversions) AS converted
    FROM sessions
    WHERE site = {site:String}
    GROUP BY visitor, session
)
WHERE began >= {from:DateTime('UTC')} AND began < {to:DateTime('UTC')};
