//! The live URLs over a real socket: answer, events, WebSocket, refusals.

use crate::api;
use crate::api::access::Access;
use crate::api::token::Signer;
use crate::config::{Site, Sites};
use crate::live::{Live, Options};
use crate::row::{EventRow, Kind};
use actix_web::{App, HttpServer, web};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use uuid::Uuid;

/// Longest a message may take to come before a test fails.
const PATIENCE: Duration = Duration::from_secs(20);
const TOKEN: &str = "Bearer read-token-of-shop";

pub(super) fn sites() -> Vec<Site> {
    let text = r#"
        [[site]]
        id = "shop"
        write_key = "shop-write-key"
        read_token = "read-token-of-shop"
        origins = ["https://shop.example"]

        [[site.funnel]]
        id = "checkout"
        name = "Checkout"
        window = "20m"
        step = [{ name = "See", kind = "page_view" }, { name = "Press", kind = "press" }]
    "#;
    toml::from_str::<Sites>(text).expect("sites").sites
}

pub(super) fn access() -> Access {
    Access::new(&sites(), Signer::new(b"a secret of these tests"))
}

/// A server on a free port. It ends with the test's runtime.
async fn serve() -> (SocketAddr, Live) {
    let (live, _thread) = Live::start(&sites(), Options::default()).expect("a thread");
    let (shared, listener) = (
        live.clone(),
        TcpListener::bind("127.0.0.1:0").expect("a port"),
    );
    let address = listener.local_addr().expect("bound");
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(access()))
            .app_data(web::Data::new(shared.clone()))
            .configure(api::configure)
    });
    let server = server
        .workers(1)
        .disable_signals()
        .listen(listener)
        .expect("listens")
        .run();
    actix_web::rt::spawn(server);
    live.history_complete().await.expect("runs");
    (address, live)
}

async fn view(live: &Live, visitor: u128) {
    happen(live, visitor, Kind::PageView).await;
}

async fn happen(live: &Live, visitor: u128, kind: Kind) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_millis();
    let row = EventRow {
        site: "shop".into(),
        time: now as i64,
        received_at: now as i64,
        ord: (now as u64) << 20,
        kind,
        visitor: Uuid::from_u128(visitor),
        path: "/".into(),
        ..EventRow::default()
    };
    live.apply(Arc::new(vec![row]), Arc::default())
        .await
        .expect("runs");
}

/// Sends a request and returns the open connection.
async fn ask(address: SocketAddr, path: &str, headers: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.expect("sends");
    BufReader::new(stream)
}

/// Status, headers in lower case, JSON body.
async fn get(address: SocketAddr, path: &str, authorization: &str) -> (u16, String, Value) {
    let headers = format!("Authorization: {authorization}\r\nConnection: close\r\n");
    let mut answer = String::new();
    let mut stream = ask(address, path, &headers).await;
    timeout(PATIENCE, stream.read_to_string(&mut answer))
        .await
        .expect("in time")
        .expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .expect("a status");
    (
        status,
        head.to_lowercase(),
        serde_json::from_str(body).expect(body),
    )
}

#[actix_web::test]
async fn a_plain_request_is_answered_with_a_snapshot() {
    let (address, live) = serve().await;
    view(&live, 1).await;
    let (status, head, body) = get(address, "/v1/live/overview", TOKEN).await;
    assert_eq!(status, 200);
    assert!(head.contains("cache-control: no-cache, private"), "{head}");
    assert_eq!(
        (&body["type"], &body["data"]["page_views"]),
        (&"snapshot".into(), &1.into())
    );
    assert_eq!(body["data"]["basis"]["complete"], true);
    assert!(
        body["data"]["basis"]["sql"]
            .as_str()
            .is_some_and(|sql| sql.contains("'shop'"))
    );

    let (status, _, body) = get(address, "/v1/live", TOKEN).await;
    assert_eq!(
        (status, &body["funnels"][0]["id"]),
        (200, &"checkout".into())
    );
    assert_eq!(body["resources"].as_array().map(Vec::len), Some(15));
}

#[actix_web::test]
async fn a_refusal_says_what_is_allowed() {
    let (address, _live) = serve().await;
    let check = async |path: &str, authorization: &str, expected: u16, says: &str| {
        let (status, _, body) = get(address, path, authorization).await;
        assert_eq!(status, expected, "{path}: {body}");
        assert!(body["error"]["code"].is_string(), "{body}");
        let message = body["error"]["message"].as_str().expect("a message");
        assert!(message.contains(says), "{message}");
    };
    check("/v1/live/funnel?id=nothing", TOKEN, 404, "checkout").await;
    check("/v1/live/weather", TOKEN, 404, "overview, heatmap").await;
    check("/v1/live/heatmap", TOKEN, 400, "page").await;
    check("/v1/live/heatmap?page=/&device=watch", TOKEN, 400, "phone").await;
    check("/v1/live/pages?page=/", TOKEN, 400, "none").await;
    check("/v1/live/overview", "Bearer wrong-token", 401, "token").await;
}

#[actix_web::test]
async fn events_are_a_snapshot_and_then_deltas() {
    let (address, live) = serve().await;
    view(&live, 1).await;
    let headers = format!("Authorization: {TOKEN}\r\nAccept: text/event-stream\r\n");
    let mut lines = ask(address, "/v1/live/overview", &headers).await.lines();
    let mut event = async || {
        let mut found: [String; 3] = Default::default();
        while found.iter().any(String::is_empty) {
            let line = timeout(PATIENCE, lines.next_line()).await.expect("in time");
            let line = line.expect("readable").expect("still open");
            for (at, field) in ["id: ", "event: ", "data: "].iter().enumerate() {
                if let Some(value) = line.strip_prefix(field) {
                    found[at] = value.to_owned();
                }
            }
        }
        let [id, name, data] = found;
        let data: Value = serde_json::from_str(&data).expect("JSON");
        assert_eq!(
            (id.as_str(), name.as_str()),
            (
                data["cursor"].as_str().unwrap_or(""),
                data["type"].as_str().unwrap_or("")
            )
        );
        data
    };
    let first = event().await;
    assert_eq!(
        (&first["type"], &first["data"]["visitors"]),
        (&"snapshot".into(), &1.into())
    );
    view(&live, 2).await;
    let second = event().await;
    assert_eq!(
        (&second["type"], &second["data"]["visitors"]),
        (&"delta".into(), &2.into())
    );
    assert_eq!(
        second["seq"].as_u64(),
        first["seq"].as_u64().map(|seq| seq + 1)
    );
    assert!(second["data"].get("basis").is_none());
}

/// The next message of a WebSocket; null where it is closed.
async fn said(socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>) -> Value {
    loop {
        let frame = timeout(PATIENCE, socket.next()).await.expect("in time");
        let frame = frame.expect("still open").expect("readable");
        if frame.is_text() {
            return serde_json::from_str(frame.to_text().expect("text")).expect("JSON");
        }
        if frame.is_close() {
            return Value::Null;
        }
    }
}

#[actix_web::test]
async fn a_websocket_is_a_snapshot_and_then_deltas_and_ends_with_the_engine() {
    let (address, live) = serve().await;
    let url = format!("ws://{address}/v1/live/funnel?id=checkout");
    let mut request = url.into_client_request().expect("a request");
    request
        .headers_mut()
        .insert("authorization", TOKEN.parse().expect("a header"));
    let (mut socket, _) = tokio_tungstenite::connect_async(request)
        .await
        .expect("upgrades");
    let first = said(&mut socket).await;
    assert_eq!(
        (&first["type"], &first["data"]["steps"][0]["visitors"]),
        (&"snapshot".into(), &0.into())
    );
    view(&live, 1).await;
    let second = said(&mut socket).await;
    assert_eq!(
        (&second["type"], &second["data"]["steps"][0]["visitors"]),
        (&"delta".into(), &1.into())
    );
    live.stop().await;
    assert_eq!(
        said(&mut socket).await,
        Value::Null,
        "closed, not forgotten"
    );
}

#[actix_web::test]
async fn what_is_removed_while_it_is_watched_is_refused_and_harms_no_other() {
    let (address, live) = serve().await;
    let url = format!("ws://{address}/v1/live");
    let mut request = url.into_client_request().expect("a request");
    let headers = request.headers_mut();
    headers.insert("authorization", TOKEN.parse().expect("a header"));
    let opened = tokio_tungstenite::connect_async(request).await;
    let (mut socket, _) = opened.expect("upgrades");
    for (id, url) in [(1, "funnel?id=checkout"), (2, "overview")] {
        let url = format!("/v1/live/{url}");
        let wanted = json!({"subscribe": {"id": id, "url": url}}).to_string();
        let sent = socket.send(Message::text(wanted)).await;
        sent.expect("still open");
        let first = said(&mut socket).await;
        assert_eq!(
            (&first["id"], &first["update"]["type"]),
            (&id.into(), &"snapshot".into())
        );
    }
    let removed = live.define("shop".into(), "checkout", None, 1).await;
    removed.expect("runs");
    let refused = said(&mut socket).await;
    assert_eq!(
        (&refused["id"], &refused["error"]["status"]),
        (&1.into(), &404.into())
    );
    view(&live, 1).await;
    let other = said(&mut socket).await;
    assert_eq!(
        (&other["id"], &other["update"]["data"]["visitors"]),
        (&2.into(), &1.into())
    );
    live.stop().await;
    assert_eq!(
        said(&mut socket).await,
        Value::Null,
        "closed, not forgotten"
    );
}

#[actix_web::test]
async fn a_feed_is_narrowed_alike_in_every_way_it_is_asked_for() {
    let (address, live) = serve().await;
    view(&live, 1).await;
    let presses = "/v1/live/activity?kind=press&page=/";
    let kinds = |update: &Value| -> Vec<String> {
        let items = update["data"]["items"].as_array().expect("items");
        let kinds = items.iter().filter_map(|item| item["kind"].as_str());
        kinds.map(str::to_owned).collect()
    };
    let (_, _, update) = get(address, presses, TOKEN).await;
    assert_eq!(kinds(&update), Vec::<String>::new());
    let events = format!("Authorization: {TOKEN}\r\nAccept: text/event-stream\r\n");
    let (_, mut lines) = head(ask(address, presses, &events).await).await;
    let socket = async |path: &str| {
        let url = format!("ws://{address}{path}");
        let mut request = url.into_client_request().expect("a request");
        let headers = request.headers_mut();
        headers.insert("authorization", TOKEN.parse().expect("a header"));
        tokio_tungstenite::connect_async(request).await
    };
    let (mut frames, _) = socket(presses).await.expect("upgrades");
    view(&live, 2).await;
    happen(&live, 3, Kind::Press).await;
    // A snapshot of nothing, and then the press alone.
    for expected in [&[][..], &["press".to_owned()]] {
        let told = loop {
            let line = timeout(PATIENCE, lines.next_line()).await.expect("in time");
            let line = line.expect("readable").expect("still open");
            if let Some(data) = line.strip_prefix("data: ") {
                break serde_json::from_str::<Value>(data).expect("JSON");
            }
        };
        assert_eq!(kinds(&told), expected, "{told}");
        let told = said(&mut frames).await;
        assert_eq!(kinds(&told), expected, "{told}");
    }
    let unknown = "/v1/live/activity?colour=red";
    let (status, _, refused) = get(address, unknown, TOKEN).await;
    assert_eq!(status, 400);
    let says = refused["error"]["message"].as_str().expect("a message");
    assert!(says.contains("kind, page, element"), "{says}");
    let (refused, _) = head(ask(address, unknown, &events).await).await;
    assert!(refused.starts_with("http/1.1 400"), "{refused}");
    match socket(unknown).await {
        Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => {
            assert_eq!(answer.status(), 400);
        }
        other => panic!("it should be refused: {other:?}"),
    }
}

/// The head of an answer in lower case, and the lines that follow it.
async fn head(stream: BufReader<TcpStream>) -> (String, Lines<BufReader<TcpStream>>) {
    let mut lines = stream.lines();
    let mut head = String::new();
    loop {
        let line = timeout(PATIENCE, lines.next_line()).await.expect("in time");
        match line.expect("readable") {
            Some(line) if !line.is_empty() => head.push_str(&(line.to_lowercase() + "\n")),
            _ => return (head, lines),
        }
    }
}

#[actix_web::test]
async fn a_ticket_opens_resources_to_the_pages_of_its_site_only() {
    let (address, _live) = serve().await;
    let ticket = access().ticket("shop").expect("a ticket");
    let own = "/v1/live?watch=%2Fv1%2Flive%2Foverview&watch=%2Fv1%2Flive%2Fpages%3Fsite%3Dother";
    let opened = async |path: &str, headers: &str| {
        let headers = format!("Accept: text/event-stream\r\n{headers}");
        head(ask(address, path, &headers).await).await
    };
    for path in [
        format!("{own}&ticket={ticket}"),
        format!("/v1/live/overview?ticket={ticket}"),
    ] {
        let (head, _) = opened(&path, "Origin: https://shop.example\r\n").await;
        assert!(head.starts_with("http/1.1 200"), "{head}");
        let allowed = "access-control-allow-origin: https://shop.example";
        assert!(head.contains(allowed), "{head}");
        let (head, _) = opened(&path, "Origin: https://other.example\r\n").await;
        assert!(head.starts_with("http/1.1 403"), "{head}");
        let (head, _) = opened(&path.replace(&ticket, "forged"), "").await;
        assert!(head.starts_with("http/1.1 401"), "{head}");
        // What a token reads is for programs: no page gets to see it.
        let headers = format!("Origin: https://shop.example\r\nAuthorization: {TOKEN}\r\n");
        let (head, _) = opened(&path, &headers).await;
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert!(!head.contains("access-control"), "{head}");
    }
    // It lies in addresses, so it names no visitors; what is secret may.
    let visitors = "/v1/live/funnel/visitors?id=checkout&step=1&state=open";
    let (head, _) = opened(&format!("{visitors}&ticket={ticket}"), "").await;
    assert!(head.starts_with("http/1.1 403"), "{head}");
    let (head, _) = opened(visitors, &format!("Authorization: {TOKEN}\r\n")).await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let present = "/v1/live/presence/visitors";
    let (head, _) = opened(&format!("{present}?ticket={ticket}"), "").await;
    assert!(head.starts_with("http/1.1 403"), "{head}");
    let (head, _) = opened(present, &format!("Authorization: {TOKEN}\r\n")).await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let watched = visitors
        .replace('/', "%2F")
        .replace('?', "%3F")
        .replace('&', "%26")
        .replace('=', "%3D");
    let (_, mut lines) = opened(&format!("/v1/live?watch={watched}&ticket={ticket}"), "").await;
    loop {
        let line = timeout(PATIENCE, lines.next_line()).await.expect("in time");
        let line = line.expect("readable").expect("still open");
        if let Some(data) = line.strip_prefix("data: ") {
            let said: Value = serde_json::from_str(data).expect("JSON");
            assert_eq!(said["error"]["status"], 403, "{said}");
            break;
        }
    }
    let (_, mut lines) = opened(&format!("{own}&ticket={ticket}"), "").await;
    let mut said = Vec::new();
    while said.len() < 2 {
        let line = timeout(PATIENCE, lines.next_line()).await.expect("in time");
        let line = line.expect("readable").expect("still open");
        if let Some(data) = line.strip_prefix("data: ") {
            said.push(serde_json::from_str::<Value>(data).expect("JSON"));
        }
    }
    let refused = said.iter().find(|message| message["error"].is_object());
    let refused = refused.expect("the other site is refused");
    assert_eq!(refused["watch"], "/v1/live/pages?site=other");
    assert_eq!(refused["error"]["status"], 403);
    let brought = said.iter().find(|message| message["update"].is_object());
    assert_eq!(brought.expect("a snapshot")["watch"], "/v1/live/overview");
}
