//! Who may do what: every URL there is, asked by nobody, by a token with the right scope, by one with every
//! other scope, and by the tokens of one purpose. A URL that looks at nothing, or at something else than it
//! is said to need, is caught here.

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use upriver_collector::api::{Entry, Needs, routes};
use upriver_collector::config::Scope;
use upriver_tests::{Collector, Page, SITE, WRITE_KEY, document, eventually};

/// The secret of the token that has just one scope.
fn only(scope: Scope) -> String {
    format!("only-{}-0123456789", scope.name())
}

/// The secret of the token that has every other scope.
fn all_but(scope: Scope) -> String {
    format!("all-but-{}-0123456789", scope.name())
}

/// A site with a token of each kind, and another one where none of them is good.
fn sites() -> String {
    let mut sites = format!(
        r#"
        [[site]]
        id = "blog"
        write_key = "wk_blog_0001"

        [[token]]
        name = "everywhere"
        sites = ["*"]
        scopes = ["audit:read", "live:read"]
        secret = "everywhere-0123456789"

        [[site]]
        id = "{SITE}"
        write_key = "{WRITE_KEY}"
        read_token = "rt_test_0001"
        signal_token = "st_test_0001"
        import_token = "it_test_0001"
        admin_token = "at_test_0001"
        origins = ["https://shop.example"]

        [[site.funnel]]
        id = "checkout"
        name = "Checkout"
        window = "30m"
        step = [{{ name = "See", kind = "page_view" }}, {{ name = "Press", kind = "press" }}]

        [[site.webhook]]
        id = "chat"
        url = "http://127.0.0.1:9/"
        secret = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        "#
    );
    let mut token = |name: String, secret: &str, scopes: Vec<Scope>| {
        let scopes: Vec<_> = scopes.iter().map(|scope| scope.name()).collect();
        // Of half of them only a hash is known.
        let said = match sites.len() % 2 {
            0 => format!("secret = {secret:?}"),
            _ => format!("secret_sha256 = {:?}", sha256(secret)),
        };
        sites += &format!("[[site.token]]\nname = {name:?}\nscopes = {scopes:?}\n{said}\n");
    };
    for scope in Scope::ALL {
        let name = scope.name().replace(':', "-");
        token(format!("only-{name}"), &only(scope), vec![scope]);
        let others = Scope::ALL.into_iter().filter(|other| *other != scope);
        token(format!("all-but-{name}"), &all_but(scope), others.collect());
    }
    sites
}

fn sha256(text: &str) -> String {
    use sha2::Digest;
    let hash = sha2::Sha256::digest(text.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An address of a URL on the site.
fn address(entry: &Entry) -> String {
    let mut path = entry.path.replace("{site}", SITE);
    for (part, value) in [
        ("{kind}", "annotation"),
        ("{id}", "note"),
        ("{webhook}", "chat"),
        ("{visitor}", "caf0"),
        ("{path:.*}", "none.js"),
    ] {
        path = path.replace(part, value);
    }
    match path.as_str() {
        "/v1/live/heatmap" | "/v1/live/elements" => path + "?page=/",
        "/v1/live/funnel" => path + "?id=checkout",
        "/v1/live/funnel/visitors" => path + "?id=checkout&step=1",
        _ => path,
    }
}

/// What a URL is sent.
fn body(entry: &Entry) -> Option<Value> {
    match (entry.method.as_str(), &*entry.path) {
        ("POST", "/v1/tickets") => Some(json!({ "site": SITE })),
        ("POST", "/v1/events") => Some(json!({"events": [
            {"id": "1", "time": "2000-01-01T00:00:00Z", "visitor": "1", "body": {"custom": {"name": "a"}}}
        ]})),
        ("POST", "/v1/sites/{site}/signals") => Some(json!({"visitor": "1", "name": "hello"})),
        ("PUT", "/v1/sites/{site}/definitions/{kind}/{id}") => Some(json!({"text": "a note"})),
        _ => None,
    }
}

/// Status, `error` of the answer, and what it challenges to.
async fn ask(
    collector: &Collector,
    (method, address): (&str, &str),
    body: Option<Value>,
    token: Option<&str>,
) -> Result<(u16, Value, String)> {
    let url = format!("{}{address}", collector.url);
    let mut request = collector
        .http
        .request(Method::from_bytes(method.as_bytes())?, url);
    if let Some(body) = body {
        request = request.json(&body);
    }
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await?;
    let status = response.status().as_u16();
    let challenge = response.headers().get("www-authenticate");
    let challenge = challenge
        .map(|value| value.to_str().map(str::to_owned))
        .transpose()?;
    let answer: Value = response.json().await.unwrap_or_default();
    Ok((
        status,
        answer["error"].clone(),
        challenge.unwrap_or_default(),
    ))
}

#[tokio::test]
async fn every_url_needs_what_it_is_said_to_need() -> Result<()> {
    let collector = Collector::start_with_sites(&sites(), &[]).await?;
    let audited = |entry: &Entry| entry.path == "/v1/audit";
    eventually("clickhouse is there", async || {
        let token = Some("everywhere-0123456789");
        let (status, ..) = ask(&collector, ("GET", "/v1/audit"), None, token).await?;
        Ok((status == 200).then_some(()))
    })
    .await?;
    for entry in routes() {
        let address = address(&entry);
        let (method, needs) = (entry.method.as_str(), entry.needs);
        let ask = async |token: Option<&str>| {
            ask(&collector, (method, &address), body(&entry), token).await
        };
        let nobody = ask(None).await?;
        let stranger = ask(Some("nobody-knows-0123456789")).await?;
        let one_of = match needs {
            Needs::Nothing => {
                ensure!(
                    ![401, 403].contains(&nobody.0),
                    "{method} {address}: {nobody:?}"
                );
                continue;
            }
            // A page that is refused hears it on its stream: `stream.rs`.
            Needs::WriteKey if entry.path == "/v1/stream" => continue,
            Needs::WriteKey => {
                ensure!(nobody.0 == 401, "{method} {address}: {nobody:?}");
                continue;
            }
            Needs::Somebody => &Scope::ALL[..],
            Needs::Scope(one_of) => one_of,
        };
        for (status, error, challenge) in [nobody, stranger] {
            ensure!(
                status == 401 && error["code"] == "unauthorized" && challenge == "Bearer",
                "{method} {address}: {status} {error}"
            );
        }
        for scope in Scope::ALL {
            let (status, error, challenge) = ask(Some(&only(scope))).await?;
            if one_of.contains(&scope) && audited(&entry) {
                // It has the scope, but only on one of the sites that the audit covers.
                ensure!(
                    status == 403 && error["code"] == "forbidden",
                    "{status} {error}"
                );
            } else if one_of.contains(&scope) {
                ensure!(
                    status < 300 || entry.method == "GET" && status == 404,
                    "{method} {address} with {}: {status} {error}",
                    scope.name()
                );
            } else {
                let needed = one_of[0].name();
                let says = error["message"].as_str().unwrap_or_default();
                ensure!(
                    status == 403
                        && error["code"] == "insufficient_scope"
                        && error["scope"] == needed
                        && challenge.contains(&format!("scope=\"{needed}\""))
                        && says.contains(&format!("has: {}", scope.name())),
                    "{method} {address} with {}: {status} {error}",
                    scope.name()
                );
            }
        }
        if let [scope] = one_of {
            let (status, error, _) = ask(Some(&all_but(*scope))).await?;
            ensure!(status == 403, "{method} {address}: {status} {error}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_method_that_is_not_taken_is_said_to_be() -> Result<()> {
    let collector = Collector::start_with_sites(&sites(), &[]).await?;
    let mut methods: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in routes() {
        let path = address(&entry);
        methods
            .entry(path)
            .or_default()
            .push(entry.method.to_string());
    }
    for (path, taken) in methods {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            if taken.iter().any(|own| own == method) {
                continue;
            }
            let url = format!("{}{path}", collector.url);
            let request = collector
                .http
                .request(Method::from_bytes(method.as_bytes())?, url);
            let response = request.send().await?;
            assert_eq!(response.status(), 405, "{method} {path}");
            let allow = response.headers().get("allow").context("no Allow")?;
            assert_eq!(allow.to_str()?, taken.join(", "), "{path}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_token_reaches_its_sites_and_the_old_ones_do_what_they_did() -> Result<()> {
    let collector = Collector::start_with_sites(&sites(), &[]).await?;
    let check = async |token: &str, address: &str, expected: u16, says: &str| {
        let (status, error, _) = ask(&collector, ("GET", address), None, Some(token)).await?;
        let message = error["message"].as_str().unwrap_or_default();
        ensure!(
            status == expected && message.contains(says),
            "{token} {address}: {status} {error}"
        );
        anyhow::Ok(())
    };
    let live = only(Scope::LiveRead);
    check(&live, "/v1/live/pages", 200, "").await?;
    check(&live, "/v1/live/pages?site=shop", 200, "").await?;
    let elsewhere = "the token \"only-live-read\" does not reach site blog; it reaches: shop";
    check(&live, "/v1/live/pages?site=blog", 403, elsewhere).await?;
    check("everywhere-0123456789", "/v1/live/pages?site=blog", 200, "").await?;
    check("everywhere-0123456789", "/v1/live/pages", 400, "which site").await?;
    // Those of one purpose.
    for (token, address, expected) in [
        (
            "rt_test_0001",
            "/v1/live/funnel/visitors?id=checkout&step=1",
            200,
        ),
        ("rt_test_0001", "/v1/sites/shop/definitions", 200),
        ("rt_test_0001", "/v1/audit", 403),
        ("at_test_0001", "/v1/sites/shop/definitions", 200),
        ("at_test_0001", "/v1/live/pages", 403),
        ("st_test_0001", "/v1/live/pages", 403),
        ("it_test_0001", "/v1/live/pages", 403),
    ] {
        check(token, address, expected, "").await?;
    }
    // What a token says of itself.
    let request = collector.http.get(format!("{}/v1/me", collector.url));
    let me: Value = request.bearer_auth(&live).send().await?.json().await?;
    assert_eq!(
        (&me["by"], &me["token"]),
        (&json!("token"), &json!("only-live-read"))
    );
    assert_eq!(me["sites"].as_array().map(Vec::len), Some(1));
    assert_eq!(me["sites"][0]["scopes"], json!(["live:read"]));
    assert_eq!(me["sites"][0]["funnels"][0]["id"], "checkout");
    Ok(())
}

#[tokio::test]
async fn who_may_not_see_visitors_is_told_of_none() -> Result<()> {
    let collector = Collector::start_with_sites(&sites(), &[]).await?;
    let mut page = Page::new("/");
    let view = page.view("/");
    ensure!(collector.send(page.bytes(vec![view])).await?.status == 200);
    let visitor = page.visitor().to_string();
    let get = async |address: &str, token: Option<&str>| {
        let mut request = collector.http.get(format!("{}{address}", collector.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await?;
        anyhow::Ok((answer.status().as_u16(), answer.text().await?))
    };
    let live = only(Scope::LiveRead);
    let tickets = collector.http.post(format!("{}/v1/tickets", collector.url));
    let bought = tickets.bearer_auth(&live).json(&json!({ "site": SITE }));
    let bought: Value = bought.send().await?.error_for_status()?.json().await?;
    let ticket = bought["ticket"].as_str().context("no ticket")?;

    // The first digits are what the feed has of a visitor.
    let start = format!("\"visitor\":\"{}\"", &visitor[..8]);
    let (_, named) = get("/v1/live/activity", Some("rt_test_0001")).await?;
    ensure!(named.contains(&start), "{named}");
    let waiting = format!("/v1/live/activity?wait=1&ticket={ticket}");
    for (address, token) in [
        ("/v1/live/activity", Some(live.as_str())),
        ("/v1/live/activity?wait=1", Some(live.as_str())),
        (&waiting, None),
    ] {
        let (status, told) = get(address, token).await?;
        ensure!(
            status == 200 && told.contains("page_view"),
            "{status} {told}"
        );
        ensure!(!told.contains(&start), "{address} tells of {start}: {told}");
    }
    for address in [
        format!("/v1/live/funnel/visitors?id=checkout&ticket={ticket}"),
        format!("/v1/sites/{SITE}/definitions/funnel/checkout/visitors?ticket={ticket}"),
    ] {
        let (status, told) = get(&address, None).await?;
        ensure!(status == 403 || status == 404, "{status} {told}");
    }
    // A ticket buys no other, and writes nothing.
    let again = collector
        .http
        .post(format!("{}/v1/tickets?ticket={ticket}", collector.url));
    let again = again.json(&json!({ "site": SITE })).send().await?;
    assert_eq!(again.status(), 403);
    Ok(())
}

#[test]
fn the_documentation_says_what_each_url_needs() -> Result<()> {
    let text = document("access.md")?;
    let mut said: Vec<(String, String, String)> = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line
            .split('|')
            .map(|cell| cell.trim().replace('`', ""))
            .collect();
        if let [_, request, needs, _] = &cells[..]
            && let Some((method, path)) = request.split_once(' ')
            && path.starts_with('/')
        {
            said.push((method.into(), path.into(), needs.clone()));
        }
    }
    let mut is: Vec<_> = routes()
        .iter()
        .map(|entry| {
            let needs = match entry.needs {
                Needs::Nothing => "nothing".to_owned(),
                Needs::WriteKey => "the write key".into(),
                Needs::Somebody => "any token, ticket or login".into(),
                Needs::Scope(one_of) => {
                    let names: Vec<_> = one_of.iter().map(|scope| scope.name()).collect();
                    names.join(" or ")
                }
            };
            (
                entry.method.to_string(),
                entry.path.replace(":.*", ""),
                needs,
            )
        })
        .collect();
    is.sort();
    said.sort();
    assert_eq!(said, is);
    for scope in Scope::ALL {
        let row = format!("| `{}` |", scope.name());
        ensure!(text.contains(&row), "docs/access.md has no row {row}");
    }
    Ok(())
}
