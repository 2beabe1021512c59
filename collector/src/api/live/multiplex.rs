//! Many resources on one connection to `/v1/live`, each as it would come on its own.
//!
//! Owns what is said on a WebSocket (`subscribe`, `unsubscribe`), the `watch` parameters of
//! server-sent events, and the tag on each message. Refuses to know how messages are sent (`push`),
//! and what happens to a reader that is too slow: each resource has a queue of its own in the hub.

use super::push::{Message, Source, event_name};
use super::{Asked, READING, RESOURCES_AT, parameters, query};
use crate::api::access::parameter;
use crate::api::error::ApiError;
use crate::api::rights::Rights;
use crate::live::{Live, Published, Subscription};
use crate::past::Past;
use actix_web::{HttpRequest, ResponseError, web};
use serde::Deserialize;
use serde_json::json;
use std::collections::HashSet;
use std::future::poll_fn;
use std::task::{Context, Poll};

/// Resources on one connection.
pub(super) const WATCHED_MAX: usize = 50;
/// Longest address of a resource, bytes. A path of 1 KB may take three times as much when encoded.
const ADDRESS_BYTES_MAX: usize = 8 * 1_024;

/// What a client says. The ids are its own.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Said {
    Subscribe(Subscribe),
    Unsubscribe(u32),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscribe {
    id: u32,
    url: String,
}

/// One connection, and what it listens to.
pub(super) struct Multiplex {
    rights: Rights,
    live: web::Data<Live>,
    past: Option<web::Data<Past>>,
    watched: Vec<Watched>,
    /// Whose message is looked for first, so that none that is busy keeps the others waiting.
    turn: usize,
}

struct Watched {
    id: u32,
    /// Names it in each of its messages: the first member of a JSON object, and a comma.
    tag: String,
    subscription: Subscription,
}

impl Multiplex {
    /// A connection that listens to nothing yet.
    ///
    /// # Errors
    /// Whoever asks may read nothing.
    pub(super) fn open(
        request: &HttpRequest,
        rights: Rights,
        live: web::Data<Live>,
    ) -> Result<Self, ApiError> {
        rights.somewhere(READING)?;
        Ok(Self {
            rights,
            live,
            past: request.app_data::<web::Data<Past>>().cloned(),
            watched: Vec::new(),
            turn: 0,
        })
    }

    /// Listens to every address in `?watch=…&watch=…`. Returns the refusals of single ones.
    ///
    /// # Errors
    /// There is none, there are too many, or there is another parameter than `watch` and `ticket`.
    pub(super) async fn watch(&mut self, query: &str) -> Result<Vec<Message>, ApiError> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(query)
            .map_err(|error| ApiError::BadRequest("malformed_query", error.to_string()))?;
        let mut addresses = Vec::new();
        let mut known = HashSet::new();
        for (name, value) in pairs.into_inner() {
            match name.as_str() {
                "watch" if known.contains(&value) => (),
                "watch" => {
                    known.insert(value.clone());
                    addresses.push(value);
                }
                "ticket" => (),
                _ => {
                    return Err(ApiError::BadRequest(
                        "unknown_parameter",
                        format!("/v1/live has no parameter {name:?}; allowed: watch, ticket"),
                    ));
                }
            }
        }
        if addresses.is_empty() {
            return Err(ApiError::BadRequest(
                "missing_parameter",
                format!("say what to watch: ?watch={RESOURCES_AT}…, encoded, up to {WATCHED_MAX}"),
            ));
        }
        if addresses.len() > WATCHED_MAX {
            return Err(too_many());
        }
        let mut refusals = Vec::new();
        for (id, url) in (0..).zip(&addresses) {
            let tag = format!("\"watch\":{},", json!(url));
            refusals.extend(self.subscribe(id, tag, url).await);
        }
        Ok(refusals)
    }

    /// Listens to one more resource, or says why not.
    async fn subscribe(&mut self, id: u32, tag: String, url: &str) -> Option<Message> {
        match self.subscription(id, url).await {
            Ok(subscription) => {
                self.watched.push(Watched {
                    id,
                    tag,
                    subscription,
                });
                None
            }
            Err(error) => Some(refused(&tag, &error)),
        }
    }

    async fn subscription(&self, id: u32, url: &str) -> Result<Subscription, ApiError> {
        if self.watched.iter().any(|watched| watched.id == id) {
            return Err(ApiError::BadRequest(
                "id_in_use",
                format!("{id} is in use, and goes on as it is; take another number"),
            ));
        }
        if self.watched.len() >= WATCHED_MAX {
            return Err(too_many());
        }
        if url.len() > ADDRESS_BYTES_MAX {
            return Err(ApiError::BadRequest(
                "address_too_long",
                format!("an address may have at most {ADDRESS_BYTES_MAX} bytes"),
            ));
        }
        let (path, parameters) = url.split_once('?').unwrap_or((url, ""));
        let name = path.strip_prefix(RESOURCES_AT).ok_or_else(|| {
            ApiError::NotFound(format!(
                "{path:?} is no live resource; their addresses begin with {RESOURCES_AT}"
            ))
        })?;
        let help = parameters::resource(name)?;
        let asked = parameter(parameters, "site");
        let site = self.rights.site(asked.as_deref(), help.scope)?;
        let asked = Asked {
            live: &self.live,
            past: self.past.as_ref(),
            site: site.id.as_str().into(),
            query: query(help, parameters, (&self.rights, &site))?,
            after: parameter(parameters, "after"),
        };
        asked.subscribe().await
    }

    /// The next message of any resource, each in its turn; none when the engine has ended. One that
    /// is removed while it is watched is refused from here on, and harms no other.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Message>> {
        let count = self.watched.len();
        for offset in 0..count {
            let at = (self.turn + offset) % count;
            let watched = &mut self.watched[at];
            if let Poll::Ready(published) = watched.subscription.poll_recv(context) {
                self.turn = at + 1;
                let message = match published {
                    Some(published) => tagged(&watched.tag, &published),
                    None if self.live.has_stopped() => return Poll::Ready(None),
                    None => {
                        let removed =
                            "it was removed while it was watched; GET /v1/live lists what there is";
                        let error = ApiError::NotFound(removed.into());
                        refused(&self.watched.remove(at).tag, &error)
                    }
                };
                return Poll::Ready(Some(message));
            }
        }
        // With nothing to listen to there is only the client to wait for.
        Poll::Pending
    }
}

impl Source for Multiplex {
    const CLIENT_BYTES_MAX: usize = 2 * ADDRESS_BYTES_MAX;

    async fn next(&mut self) -> Option<Message> {
        poll_fn(|context| self.poll(context)).await
    }

    async fn hear(&mut self, said: &str) -> Option<Message> {
        match serde_json::from_str(said) {
            Ok(Said::Subscribe(Subscribe { id, url })) => {
                self.subscribe(id, format!("\"id\":{id},"), &url).await
            }
            // One that is not there was refused, or has gone already.
            Ok(Said::Unsubscribe(id)) => {
                self.watched.retain(|watched| watched.id != id);
                None
            }
            Err(error) => {
                let what = format!(
                    "{error}; understood are {{\"subscribe\": {{\"id\": 1, \"url\": \
                     \"{RESOURCES_AT}…\"}}}} and {{\"unsubscribe\": 1}}"
                );
                Some(refused(
                    "",
                    &ApiError::BadRequest("malformed_message", what),
                ))
            }
        }
    }
}

fn tagged(tag: &str, published: &Published) -> Message {
    Message {
        event: event_name(published),
        id: None,
        json: format!("{{{tag}\"update\":{}}}", published.json).into(),
    }
}

/// An error of one resource, or of nothing in particular; all others go on.
fn refused(tag: &str, error: &ApiError) -> Message {
    let body = json!({
        "status": error.status_code().as_u16(),
        "code": error.code(),
        "message": error.message(),
        "retry_after_s": error.retry_after_s(),
    });
    Message {
        event: "refused",
        id: None,
        json: format!("{{{tag}\"error\":{body}}}").into(),
    }
}

fn too_many() -> ApiError {
    ApiError::BadRequest(
        "too_many_resources",
        format!("one connection takes at most {WATCHED_MAX} resources; open another one"),
    )
}

#[cfg(test)]
mod unit {
    use super::super::tests::{access, sites};
    use super::*;
    use crate::live::Options;
    use actix_web::test::TestRequest;
    use tokio::sync::mpsc;
    use upriver_wire::live::Extent;

    #[actix_web::test]
    async fn a_resource_that_is_always_busy_starves_none() {
        const EACH: usize = 8;
        let (live, _thread) = Live::start(&sites(), Options::default()).expect("a thread");
        let ticket = access().ticket("shop").expect("a ticket");
        let request = TestRequest::with_uri(&format!("/v1/live?ticket={ticket}"));
        let request = request.to_http_request();
        let rights = access().rights(&request).expect("a ticket");
        let mut multiplex =
            Multiplex::open(&request, rights, web::Data::new(live)).expect("it may");
        let mut senders = Vec::new();
        for id in 0..3 {
            let (sender, subscription) = mpsc::channel(EACH);
            for seq in 0..EACH as u64 {
                let update = Published {
                    seq,
                    cursor: "".into(),
                    extent: Extent::Delta,
                    json: "{}".into(),
                };
                sender.try_send(update).expect("room");
            }
            senders.push(sender);
            multiplex.watched.push(Watched {
                id,
                tag: format!("\"id\":{id},"),
                subscription,
            });
        }
        let mut order = String::new();
        for _ in 0..9 {
            let message = multiplex.next().await.expect("the engine runs");
            let said: serde_json::Value = serde_json::from_str(&message.json).expect("JSON");
            order.push_str(&said["id"].to_string());
        }
        assert_eq!(order, "012012012");
    }
}
