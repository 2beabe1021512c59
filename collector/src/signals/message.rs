//! What a webhook is told, and its signature, as the Standard Webhooks specification has them. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use humantime_serde::re::humantime;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;
use std::time::{Duration, UNIX_EPOCH};

/// Longest body, bytes of JSON.
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// Longest id.
pub const ID_BYTES_MAX: usize = 128;

/// Something to tell another system, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    id: String,
    body: String,
}

/// Why a message cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// An id that would not fit a header and a signature.
    #[error("the id must be 1 to {ID_BYTES_MAX} letters, digits, -, _ or :")]
    Id,
    /// Too much to tell.
    #[error("the message is {0} bytes of JSON; at most {BODY_BYTES_MAX} fit")]
    TooLong(usize),
}

impl Message {
    /// A message: its id, by which whoever gets it twice knows it; its kind, `alert.opened`; when
    /// what it tells happened, Unix milliseconds; and the rest.
    ///
    /// # Errors
    /// An odd id, or too much.
    pub fn new(id: &str, kind: &str, at_ms: u64, data: &Value) -> Result<Self, MessageError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b':');
        if id.is_empty() || id.len() > ID_BYTES_MAX || !id.bytes().all(plain) {
            return Err(MessageError::Id);
        }
        let at = UNIX_EPOCH + Duration::from_millis(at_ms);
        let timestamp = humantime::format_rfc3339_millis(at).to_string();
        let body = json!({"type": kind, "timestamp": timestamp, "data": data}).to_string();
        if body.len() > BODY_BYTES_MAX {
            return Err(MessageError::TooLong(body.len()));
        }
        Ok(Self {
            id: id.to_owned(),
            body,
        })
    }

    /// By which whoever gets it twice knows it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The JSON that is posted.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The header `webhook-signature` of an attempt at this second (Unix time).
    pub(crate) fn signature(&self, key: &[u8], at_s: u64) -> String {
        // HMAC takes keys of any length; a failure cannot be, and would give no valid signature.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
            return String::new();
        };
        for part in [&self.id, ".", &at_s.to_string(), ".", &self.body] {
            mac.update(part.as_bytes());
        }
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_signed_as_the_specification_shows() {
        // The specification's own example.
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let message = Message {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek".into(),
            body: r#"{"test": 2432232314}"#.into(),
        };
        assert_eq!(
            message.signature(&key, 1_614_265_330),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let message = Message::new("alert:7", "alert.opened", 1_000, &json!({"a": 1})).unwrap();
        let body: Value = serde_json::from_str(message.body()).unwrap();
        assert_eq!(
            body,
            json!({"type": "alert.opened", "timestamp": "1970-01-01T00:00:01.000Z", "data": {"a": 1}})
        );
        let new = |id: &str, data: &Value| Message::new(id, "x", 0, data).unwrap_err();
        for id in ["", "a.b", "a\r\nb", &"a".repeat(ID_BYTES_MAX + 1)] {
            assert_eq!(new(id, &Value::Null), MessageError::Id, "{id:?}");
        }
        let long = json!("x".repeat(BODY_BYTES_MAX));
        assert!(matches!(new("a", &long), MessageError::TooLong(_)));
    }
}
