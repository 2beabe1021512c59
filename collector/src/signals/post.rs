//! One attempt to hand a message to another system. Owns the connection; keeps nothing, tries once.
//!
//! The name is resolved here, each of its addresses is judged, and the connection goes to the very
//! address that was judged: nothing resolves a second time. Redirects and proxies are not followed.

use super::address;
use super::message::Message;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, LOCATION, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// How long an attempt may take, from the name to the answer's head.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long one address may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Addresses of a name that are tried.
const ADDRESSES_MAX: usize = 4;
/// Longest pause that `Retry-After` may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);
/// Longest head of an answer.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Where webhooks may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// To addresses of the public internet.
    Public,
    /// Anywhere: the operator says so.
    Anywhere,
}

/// A webhook that can be sent to.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) uri: Uri,
    pub(super) key: Vec<u8>,
}

/// What came of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was taken.
    Delivered,
    /// It may be taken later: why not now, and how long to wait at least.
    Later(String, Option<Duration>),
    /// It never will be.
    Never(String),
}

/// Sends. Cheap to clone.
#[derive(Clone)]
pub(super) struct Poster {
    reach: Reach,
    tls: TlsConnector,
}

impl Poster {
    /// One that trusts the authorities that the system trusts.
    pub(super) fn new(reach: Reach) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let errors = found.errors;
            tracing::warn!(
                ?errors,
                "the system trusts no authority: webhooks cannot use https"
            );
        }
        Self::trusting(roots, reach)
    }

    pub(super) fn trusting(roots: RootCertStore, reach: Reach) -> io::Result<Self> {
        let ring = tokio_rustls::rustls::crypto::ring::default_provider();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            reach,
            tls: TlsConnector::from(Arc::new(config)),
        })
    }

    /// Posts it, at this second (Unix time).
    pub(super) async fn post(&self, to: &Endpoint, message: &Message, at_s: u64) -> Outcome {
        match tokio::time::timeout(ATTEMPT_TIMEOUT, self.attempt(to, message, at_s)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Outcome::Later(in_full(&error), None),
            Err(_) => Outcome::Later(format!("no answer within {ATTEMPT_TIMEOUT:?}"), None),
        }
    }

    async fn attempt(&self, to: &Endpoint, message: &Message, at_s: u64) -> io::Result<Outcome> {
        let host = to.uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let secure = to.uri.scheme_str() == Some("https");
        let port = to.uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let found = tokio::net::lookup_host((host, port)).await?;
        let addresses = match self.allowed(found) {
            Ok(addresses) => addresses,
            Err(why) => return Ok(Outcome::Never(why)),
        };
        let stream = connect(&addresses).await?;
        let request = request(to, message, at_s)?;
        let response = if secure {
            let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
            exchange(self.tls.connect(name, stream).await?, request).await?
        } else {
            exchange(stream, request).await?
        };
        Ok(judge(&response))
    }

    /// The addresses that may be connected to. What is refused is left out; a reason when that is
    /// all of them.
    fn allowed(&self, found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, String> {
        let (mut addresses, mut why) = (Vec::new(), None);
        for address in found {
            match address::refused(address.ip()) {
                Some(kind) if self.reach == Reach::Public => {
                    let ip = address.ip();
                    why = Some(format!(
                        "{ip} is not public but {kind}; --webhook-allow-private would allow it"
                    ));
                }
                _ => addresses.push(address),
            }
        }
        addresses.truncate(ADDRESSES_MAX);
        match why {
            Some(why) if addresses.is_empty() => Err(why),
            _ => Ok(addresses),
        }
    }
}

/// Connects to the first that accepts.
async fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut failed = io::Error::other("the name has no address");
    for address in addresses {
        match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failed = at(address.ip(), &error.to_string()),
            Err(_) => failed = at(address.ip(), "no connection in time"),
        }
    }
    Err(failed)
}

fn at(address: IpAddr, what: &str) -> io::Error {
    io::Error::other(format!("{address}: {what}"))
}

fn request(to: &Endpoint, message: &Message, at_s: u64) -> io::Result<Request<Full<Bytes>>> {
    let path = to.uri.path_and_query().map_or("/", |path| path.as_str());
    let host = to
        .uri
        .authority()
        .map_or("", |authority| authority.as_str());
    Request::post(path)
        .header(HOST, host)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("Upriver/", env!("CARGO_PKG_VERSION")))
        .header("webhook-id", message.id())
        .header("webhook-timestamp", at_s)
        .header("webhook-signature", message.signature(&to.key, at_s))
        .body(Full::from(message.body().to_owned()))
        .map_err(io::Error::other)
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> io::Result<Response<()>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let response = sender.send_request(request);
    tokio::pin!(response, connection);
    // The answer's body is nobody's business: with its head the connection is dropped.
    let response = tokio::select! {
        response = &mut response => response,
        // What ended the connection may have come after the answer.
        _ = &mut connection => response.await,
    };
    response
        .map(|response| response.map(drop))
        .map_err(io::Error::other)
}

/// An error with its causes.
fn in_full(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn judge(response: &Response<()>) -> Outcome {
    let status = response.status();
    let header = |name| response.headers().get(name)?.to_str().ok();
    if status.is_success() {
        Outcome::Delivered
    } else if status.is_redirection() {
        let to = header(LOCATION).unwrap_or("nowhere").escape_debug();
        Outcome::Never(format!(
            "answered {status} to {to}: redirects are not followed; set the final address"
        ))
    } else if status == StatusCode::GONE {
        Outcome::Never(format!("answered {status}"))
    } else {
        let seconds = header(RETRY_AFTER).and_then(|text| text.trim().parse().ok());
        let pause = seconds.map(|seconds| Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
        Outcome::Later(format!("answered {status}"), pause)
    }
}

#[cfg(test)]
mod tests;
