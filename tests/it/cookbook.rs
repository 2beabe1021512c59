//! `docs/sql-cookbook.md`: every query in it is run over visits that can be counted by hand, and
//! must give the answer printed under it.

use anyhow::{Context, Result, ensure};
use clickhouse::Client;
use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};
use upriver_tests::cookbook::{Recipe, cells, recipes};
use upriver_tests::{Collector, Thing, Visit, document, mmdb};
use upriver_wire::batch::{Device, FormStep, Look, Size};

const HOUR_MS: u64 = 3_600_000;
/// The document tells of this hour; the visits are sent as of an hour of yesterday or today.
const TOLD_S: u64 = 1_772_438_400; // 2026-03-02 08:00:00 UTC
/// How long ago the first visit began: far enough for a second day, near enough to be taken.
const AGO_HOURS: u64 = 30;
const HOURS: u64 = 48;

const MENU: Thing = Thing {
    selector: "#menu",
    label: "Menu",
    role: "link",
    background: 0xff_ffff,
};
const BUY: Thing = Thing {
    selector: "#buy",
    label: "Buy now",
    role: "button",
    background: 0x2e_7d32,
};
const COUPON: Thing = Thing {
    selector: "#coupon",
    label: "Use coupon",
    role: "button",
    background: 0xc6_2828,
};
const GALLERY: Thing = Thing {
    selector: "#gallery",
    label: "",
    role: "list",
    background: 0xf5_f5f5,
};

/// What the document tells under "Who was there".
fn visits(start_ms: u64) -> Vec<Visit> {
    let at = |minutes: u64| start_ms + minutes * 60_000;
    let spring = |visit: Visit| visit.campaign("news", "email", "spring");
    let summer = |visit: Visit| visit.campaign("search", "cpc", "summer");
    let (kettle, lamp) = (("product", "kettle"), ("product", "lamp"));
    let button = "buy-button";
    vec![
        spring(Visit::new(1, 101, at(0), Device::Desktop))
            .view(0, "/")
            .press(10, MENU, 0.5)
            .view(11, "/product/kettle")
            .exposure(12, button, "green")
            .press(60, BUY, 0.5)
            .custom(61, "add_to_cart", kettle)
            .view(120, "/cart")
            .order(180, 40, "A-1"),
        spring(Visit::new(2, 201, at(30), Device::Phone))
            .view(0, "/")
            .scroll(5, None, 0, 800)
            .view(20, "/product/kettle")
            .exposure(21, button, "red")
            .swipe(30, GALLERY, (320, 300), -200)
            .swipe(40, GALLERY, (300, 320), -180)
            .press(60, BUY, 0.5)
            .custom(61, "add_to_cart", kettle),
        Visit::new(3, 301, at(60), Device::Desktop).view(0, "/"),
        spring(Visit::new(4, 401, at(70), Device::Phone))
            .view(0, "/product/kettle")
            .exposure(1, button, "green")
            .scroll(10, None, 0, 1_200)
            .scroll(20, None, 0, -400),
        summer(Visit::new(5, 501, at(120), Device::Desktop))
            .view(0, "/product/lamp")
            .press(20, COUPON, 0.1)
            .press(21, COUPON, 0.1)
            .press(22, COUPON, 0.2)
            .custom(30, "add_to_cart", lamp)
            .view(40, "/cart")
            .order(300, 60, "A-2"),
        summer(Visit::new(6, 601, at(140), Device::Tablet))
            .view(0, "/product/kettle")
            .exposure(1, button, "red")
            .swipe(15, GALLERY, (60, 500), 150)
            .press(30, BUY, 0.25)
            .custom(31, "add_to_cart", kettle),
        Visit::new(7, 701, at(180), Device::Desktop)
            .view(0, "/")
            .view(10, "/product/lamp")
            .scroll(15, Some(GALLERY), 300, 0)
            .press(30, COUPON, 0.9),
        spring(Visit::new(8, 801, at(210), Device::Phone))
            .view(0, "/")
            .scroll(4, None, 0, 300),
        Visit::new(2, 202, at(24 * 60 + 90), Device::Phone)
            .campaign("ads", "cpc", "retarget")
            .shown_before(button, "red")
            .view(0, "/product/kettle")
            .press(60, BUY, 0.5)
            .custom(61, "add_to_cart", kettle)
            .view(120, "/cart")
            .order(150, 25, "A-3"),
        Visit::new(7, 702, at(27 * 60), Device::Desktop).view(0, "/"),
    ]
}

const ORDER: Thing = Thing {
    selector: "#order",
    label: "Order tea",
    role: "button",
    background: 0x2e_7d32,
};
const FILTER: Thing = Thing {
    selector: "#filter",
    label: "Filter",
    role: "button",
    background: 0xff_ffff,
};
const TEAPOT: Thing = Thing {
    selector: "#teapot",
    label: "Teapot",
    role: "img",
    background: 0xff_ffff,
};
const ADDRESS: Thing = Thing {
    selector: "#address",
    label: "Address",
    role: "form",
    background: 0xff_ffff,
};
const NAME: Thing = Thing {
    selector: "#name",
    label: "Name",
    role: "input",
    background: 0xff_ffff,
};
const STREET: Thing = Thing {
    selector: "#street",
    label: "Street",
    role: "input",
    background: 0xff_ffff,
};

/// The look of a button on the first screen of a wide window, or below that of a narrow one.
fn look(background: u32, wide: bool) -> Look {
    let (w, h, y) = if wide {
        (200, 48, 600)
    } else {
        (320, 56, 1_500)
    };
    Look {
        background,
        size: Size { w, h },
        x: 20,
        y,
        radius: 6,
    }
}

/// What the document tells under "The tea shop".
fn tea_visits(start_ms: u64) -> Vec<Visit> {
    let at = |minutes: u64| start_ms + minutes * 60_000;
    let (button, green, red) = ("order-button", 0x2e_7d32, 0xc6_2828);
    let (script, error) = ("https://tea.example/cart.js", "cart is not defined");
    let visit = |visitor: u128, minutes, device, release| {
        let session = visitor as u64 * 100 + 1;
        let visit = Visit::new(visitor, session, at(minutes), device);
        visit.release(release).view(0, "/tea")
    };
    vec![
        visit(11, 0, Device::Desktop, "r1")
            .exposure(1, button, "green")
            .impression(2, ORDER, look(green, true))
            .hesitation(20, ORDER, 2_000, false)
            .path(28, &[(0, 100, 100), (100, 100, 0), (100, 100, 100)])
            .press(30, ORDER, 0.5)
            .hesitation(31, ORDER, 1_500, true)
            .attention(40, (40, 25), 0, &[20, 25, 5])
            .view(41, "/checkout")
            .identify(42, "anna")
            .form(50, ADDRESS, FormStep::Start, (NAME, 1), 0)
            .form(80, ADDRESS, FormStep::Submit, (STREET, 2), 30)
            .order(90, 30, "T-1")
            .attention(100, (60, 50), 0, &[50]),
        visit(12, 20, Device::Phone, "r1")
            .exposure(1, button, "red")
            .impression(3, ORDER, look(red, false))
            .hesitation(10, ORDER, 3_000, false)
            .hesitation(20, ORDER, 2_500, false)
            .attention(40, (40, 15), 1, &[15, 4]),
        visit(13, 60, Device::Desktop, "r1")
            .exposure(1, button, "green")
            .impression(2, ORDER, look(green, true))
            .path(9, &[(0, 100, 110), (50, 90, 0)])
            .press(10, FILTER, 0.5)
            .custom(11, "filter_used", ("by", "green tea"))
            .view(30, "/checkout")
            .form(40, ADDRESS, FormStep::Start, (NAME, 1), 0)
            .form(70, ADDRESS, FormStep::Abandon, (STREET, 2), 30)
            .attention(72, (42, 30), 0, &[30, 2]),
        visit(14, 130, Device::Desktop, "r2")
            .exposure(1, button, "red")
            .impression(2, ORDER, look(red, true))
            .press(10, ORDER, 0.5)
            .press(11, ORDER, 0.5)
            .press(12, ORDER, 0.5)
            .rage(12, ORDER)
            .dead(13, ORDER, 3_000)
            .press(20, ORDER, 0.5)
            .error_press(20, ORDER, 40)
            .fault(20, error, script, 12),
        visit(15, 150, Device::Phone, "r2")
            .exposure(1, button, "green")
            .impression(2, ORDER, look(green, false))
            .press(8, ORDER, 0.5)
            .hesitation(9, ORDER, 900, true)
            .press(10, TEAPOT, 0.5)
            .dead(13, TEAPOT, 3_000)
            .view(20, "/checkout")
            .form(25, ADDRESS, FormStep::Start, (NAME, 1), 0)
            .fault(30, error, script, 12)
            .form(60, ADDRESS, FormStep::Abandon, (STREET, 2), 35),
        visit(16, 180, Device::Desktop, "r2")
            .exposure(1, button, "green")
            .impression(2, ORDER, look(green, true))
            .custom(10, "filter_used", ("by", "black tea"))
            .press(20, ORDER, 0.5)
            .view(30, "/checkout")
            .form(35, ADDRESS, FormStep::Start, (NAME, 1), 0)
            .form(50, ADDRESS, FormStep::Abandon, (NAME, 1), 15),
        visit(17, 210, Device::Phone, "r2")
            .identify(2, "anna")
            .press(10, TEAPOT, 0.5)
            .press(11, TEAPOT, 0.5)
            .press(12, TEAPOT, 0.5)
            .rage(12, TEAPOT),
    ]
}

/// The hours of the test by the hours of the document: `2026-03-02 08:` and so on.
async fn hours(client: &Client, start_ms: u64) -> Result<HashMap<String, String>> {
    let sql = "SELECT formatDateTime(fromUnixTimestamp(toUInt32(? + number * 3600)), '%F %H:', 'UTC'), \
               formatDateTime(fromUnixTimestamp(toUInt32(? + number * 3600)), '%F %H:', 'UTC') \
               FROM numbers(?)";
    let query = client.query(sql).bind(start_ms / 1000).bind(TOLD_S);
    let pairs: Vec<(String, String)> = query.bind(HOURS + 1).fetch_all().await?;
    Ok(pairs.into_iter().collect())
}

/// A cell as the document would tell it.
fn told(cell: String, hours: &HashMap<String, String>) -> String {
    let hour = cell.get(..14).and_then(|hour| hours.get(hour));
    match hour {
        Some(hour) => format!("{hour}{}", &cell[14..]),
        None => cell,
    }
}

/// Runs a query as an analyst would, with the parameters the document names.
async fn run(client: &Client, recipe: &Recipe, start_ms: u64) -> Result<String> {
    let start_s = start_ms / 1000;
    let query = client
        .query_raw(&recipe.sql)
        .param("site", recipe.site)
        .param("from", start_s)
        .param("to", start_s + HOURS * 3_600)
        .param("release", start_s + 2 * 3_600)
        .param("user", "anna")
        .param("visitor", "00000000-0000-0000-0000-000000000005");
    let bytes = query.fetch_bytes("TabSeparatedWithNames")?.collect().await;
    let bytes = bytes.with_context(|| recipe.question.clone())?;
    Ok(String::from_utf8(bytes.to_vec())?)
}

/// The sites of the document.
const SITES: &str = r#"
[[site]]
id = "shop"
write_key = "wk_test_0001"

[[site]]
id = "tea"
write_key = "wk_tea_0001"
"#;

/// Where visitors are, as the document says.
fn address(visitor: u128) -> &'static str {
    match visitor {
        11 | 12 => "203.0.113.9",
        13 => "198.51.100.9",
        _ => "192.0.2.9",
    }
}

async fn send(collector: &Collector, path: &str, visit: &Visit) -> Result<()> {
    let url = format!("{}{path}", collector.url);
    let request = collector.http.post(url).body(visit.bytes());
    let request = request.header("x-forwarded-for", address(visit.visitor()));
    let status = request.send().await?.status();
    ensure!(status == 200, "{status}");
    Ok(())
}

async fn collector_with(shop: &[Visit], tea: &[Visit]) -> Result<Collector> {
    let folder = tempfile::tempdir()?;
    let countries = folder.path().join("countries.mmdb");
    let (german, french) = ([203, 0, 113, 0].into(), [198, 51, 100, 0].into());
    std::fs::write(&countries, mmdb(&[(german, 24, "DE"), (french, 24, "FR")]))?;
    let countries = countries.display().to_string();
    let flags = ["--geoip", &countries, "--trusted-proxy", "127.0.0.1/32"];
    let collector = Collector::start_with_sites(SITES, &flags).await?;
    for (key, visits) in [("wk_test_0001", shop), ("wk_tea_0001", tea)] {
        let path = format!("/v1/batch?key={key}");
        for visit in visits {
            send(&collector, &path, visit).await?;
            // A page that did not see its answer sends again.
            send(&collector, &path, visit).await?;
        }
    }
    for body in ["{\"not\":", "{\"a\": 1"] {
        ensure!(collector.send(body.into()).await?.status == 400);
    }
    let events: u64 = shop.iter().chain(tea).map(Visit::events).sum();
    collector
        .sql_becomes("SELECT count() FROM events", events)
        .await?;
    collector
        .sql_becomes("SELECT sum(presses) FROM heatmap", 9 + 12)
        .await?;
    let told = "SELECT sum(events) + sum(dead_letters) FROM ingest_log";
    collector.sql_becomes(told, events + 2).await?;
    Ok(collector)
}

#[tokio::test]
async fn every_query_gives_the_answer_printed_under_it() -> Result<()> {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
    let start_ms = (now_ms / HOUR_MS - AGO_HOURS) * HOUR_MS;
    let collector = collector_with(&visits(start_ms), &tea_visits(start_ms)).await?;
    let recipes = recipes(&document("sql-cookbook.md")?)?;
    ensure!(recipes.len() >= 20, "only {} queries", recipes.len());

    let password = collector.data().join("clickhouse").join("analyst-password");
    let password = std::fs::read_to_string(password)?;
    let analyst = collector.clickhouse().await?;
    let analyst = analyst.with_user("analyst").with_password(password.trim());
    let hours = hours(&analyst, start_ms).await?;
    let mut wrong = Vec::new();
    for recipe in &recipes {
        let output = match run(&analyst, recipe, start_ms).await {
            Ok(output) => output,
            Err(error) => {
                wrong.push(format!("{error:#}"));
                continue;
            }
        };
        let found: Vec<Vec<String>> = output
            .lines()
            .map(|line| {
                cells(line, '\t')
                    .into_iter()
                    .map(|cell| told(cell, &hours))
                    .collect()
            })
            .collect();
        if found != recipe.answer {
            let found: Vec<String> = found.iter().map(|row| row.join(" | ")).collect();
            wrong.push(format!("{}\n{}", recipe.question, found.join("\n")));
        }
    }
    ensure!(
        wrong.is_empty(),
        "the answers differ:\n\n{}",
        wrong.join("\n\n")
    );
    views_take_where_they_begin(&analyst, start_ms / 1_000).await
}

/// The views include `from` and leave out `to`: what happened at that very moment is in the one range of
/// two that touch there. All of it is the first visit's.
async fn views_take_where_they_begin(client: &Client, start_s: u64) -> Result<()> {
    for (measure, view, moment_s, around_s) in [
        ("sum(presses)", "heat_map(page = '/', ", start_s, 3_600),
        ("sum(conversions)", "campaign_results(", start_s + 180, 60),
        ("count()", "sessions_of(", start_s, 60),
    ] {
        let within = async |from: u64, to: u64| {
            let sql = format!(
                "SELECT toUInt64({measure}) FROM {view}site = 'shop', from = toDateTime({from}, 'UTC'), \
                 to = toDateTime({to}, 'UTC'))"
            );
            client.query(&sql).fetch_one::<u64>().await
        };
        let before = within(moment_s - around_s, moment_s).await?;
        let after = within(moment_s, moment_s + around_s).await?;
        ensure!(
            (before, after) == (0, 1),
            "{view}…): {before} before {moment_s}, {after} from then on"
        );
    }
    Ok(())
}
