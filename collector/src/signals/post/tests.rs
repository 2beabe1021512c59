//! Attempts at real servers: plain, with TLS, and at those that must not be reached.

use super::*;
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

fn endpoint(url: &str) -> Endpoint {
    Endpoint {
        uri: url.parse().unwrap(),
        key: vec![7; 32],
    }
}

fn message() -> Message {
    Message::new("alert:7", "alert.opened", 1_000, &json!({"a": "ä"})).unwrap()
}

/// A server that answers the one request it gets, and tells it.
fn server(answer: &'static str) -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (told, heard) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut bytes, mut part) = (Vec::new(), [0; 1_024]);
        while !bytes.ends_with(b"}") {
            let read = stream.read(&mut part).unwrap();
            assert!(read > 0, "the request ended early");
            bytes.extend(&part[..read]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        told.send(String::from_utf8(bytes).unwrap()).unwrap();
    });
    (port, heard)
}

async fn post(url: &str, reach: Reach) -> Outcome {
    let poster = Poster::trusting(RootCertStore::empty(), reach).unwrap();
    poster.post(&endpoint(url), &message(), 42).await
}

#[tokio::test]
async fn a_message_arrives_with_all_that_proves_it() {
    let (port, heard) = server("HTTP/1.1 204 No Content\r\n\r\n");
    let url = format!("http://127.0.0.1:{port}/in?room=1");
    assert_eq!(post(&url, Reach::Anywhere).await, Outcome::Delivered);
    let request = heard.recv().unwrap();
    let signature = message().signature(&[7; 32], 42);
    for part in [
        "POST /in?room=1 HTTP/1.1\r\n",
        &format!("host: 127.0.0.1:{port}\r\n"),
        "content-type: application/json\r\n",
        "webhook-id: alert:7\r\n",
        "webhook-timestamp: 42\r\n",
        &format!("webhook-signature: {signature}\r\n"),
    ] {
        assert!(request.contains(part), "{part} in {request}");
    }
    assert!(request.ends_with(message().body()));
}

#[tokio::test]
async fn answers_are_judged() {
    for (answer, pause) in [
        ("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", None),
        ("HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n", None),
        (
            "HTTP/1.1 429 No\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n",
            Some(Duration::from_secs(7)),
        ),
        ("nonsense\r\n\r\n", None),
        ("", None),
    ] {
        let (port, _heard) = server(answer);
        match post(&format!("http://127.0.0.1:{port}/"), Reach::Anywhere).await {
            Outcome::Later(_, found) => assert_eq!(found, pause, "{answer}"),
            other => panic!("{answer}: {other:?}"),
        }
    }
    let (port, _heard) = server("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n");
    let gone = post(&format!("http://127.0.0.1:{port}/"), Reach::Anywhere).await;
    assert!(matches!(gone, Outcome::Never(_)), "{gone:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    target.set_nonblocking(true).unwrap();
    let to = format!("http://{}/", target.local_addr().unwrap());
    let answer = format!("HTTP/1.1 307 Go\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
    let (port, _heard) = server(answer.leak());
    match post(&format!("http://127.0.0.1:{port}/"), Reach::Anywhere).await {
        Outcome::Never(why) => assert!(why.contains(&to), "{why}"),
        other => panic!("{other:?}"),
    }
    assert!(target.accept().is_err(), "somebody came");
}

#[tokio::test]
async fn what_is_not_public_is_not_reached_by_any_name() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f.1",
        "0",
    ] {
        match post(&format!("http://{host}:{port}/"), Reach::Public).await {
            Outcome::Never(why) => assert!(why.contains("--webhook-allow-private"), "{why}"),
            other => panic!("{host}: {other:?}"),
        }
    }
    assert!(listener.accept().is_err(), "somebody came");
}

/// A certificate for `localhost` by an authority of its own, and a server that has it.
async fn secure_server() -> (u16, RootCertStore) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let ring = tokio_rustls::rustls::crypto::ring::default_provider();
    let config = ServerConfig::builder_with_provider(Arc::new(ring))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Whoever does not trust us goes away again.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let (mut bytes, mut part) = (Vec::new(), [0; 1_024]);
            while !bytes.ends_with(b"}") {
                let read = stream.read(&mut part).await.unwrap();
                bytes.extend(&part[..read]);
            }
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                .await;
            let _ = stream.flush().await;
        }
    });
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    (port, roots)
}

#[tokio::test]
async fn tls_is_spoken_with_who_is_trusted_under_the_right_name() {
    let (port, roots) = secure_server().await;
    let trusting = Poster::trusting(roots, Reach::Anywhere).unwrap();
    let at = |host: &str| endpoint(&format!("https://{host}:{port}/"));
    let outcome = trusting.post(&at("localhost"), &message(), 1).await;
    assert_eq!(outcome, Outcome::Delivered);
    let outcome = trusting.post(&at("127.0.0.1"), &message(), 1).await;
    assert!(matches!(outcome, Outcome::Later(..)), "{outcome:?}");
    let wary = Poster::trusting(RootCertStore::empty(), Reach::Anywhere).unwrap();
    let outcome = wary.post(&at("localhost"), &message(), 1).await;
    assert!(matches!(outcome, Outcome::Later(..)), "{outcome:?}");
}
