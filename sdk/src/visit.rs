//! Visits: who comes, with which campaign, and when a visit is over.
//!
//! Owns the text a visit is kept as between pages, its expiry, and what of an address may travel.
//! Refuses to know storage and addresses bars: both are handed in as text.

use crate::retry::Random;
use alloc::string::String;
use upriver_wire::SessionId;
use upriver_wire::batch::Campaign;

/// A visit is over after this long without input.
pub const IDLE_MS_MAX: f64 = 30.0 * 60.0 * 1_000.0;
/// A visit is written down again at most this often.
pub const SAVE_EVERY_MS: f64 = 10_000.0;

/// One visit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Visit {
    /// Its name.
    pub session: SessionId,
    /// Last input, Unix ms.
    pub seen_ms: f64,
    /// The campaign that brought it.
    pub campaign: Option<Campaign>,
}

impl Visit {
    /// The visit that goes on now: the kept one, unless it is over or another campaign landed.
    pub fn of(
        kept: Option<Self>,
        landed: Option<Campaign>,
        now_ms: f64,
        random: &mut Random,
    ) -> Self {
        let going_on = kept.filter(|visit| {
            // A clock that was set back must not keep a visit alive for ever.
            (now_ms - visit.seen_ms).abs() < IDLE_MS_MAX
                && (landed.is_none() || landed == visit.campaign)
        });
        match going_on {
            Some(visit) => Self {
                seen_ms: now_ms,
                ..visit
            },
            None => Self {
                session: SessionId(random.bits()),
                seen_ms: now_ms,
                campaign: landed,
            },
        }
    }

    /// As text: lines of session, time and the five campaign fields.
    pub fn to_text(&self) -> String {
        let mut text = hex(u128::from(self.session.0), 16);
        text.push('\n');
        text.push_str(&hex(self.seen_ms as u128, 12));
        if let Some(campaign) = &self.campaign {
            for field in fields(campaign) {
                text.push('\n');
                text.extend(field.chars().filter(|letter| *letter != '\n'));
            }
        }
        text
    }

    /// From text; none when it is not one of ours.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.split('\n');
        let session = SessionId(unhex(lines.next()?)? as u64);
        let seen_ms = unhex(lines.next()?)? as f64;
        let mut field = || lines.next().map(String::from);
        let campaign = field().map(|source| Campaign {
            source,
            medium: field().unwrap_or_default(),
            campaign: field().unwrap_or_default(),
            term: field().unwrap_or_default(),
            content: field().unwrap_or_default(),
        });
        Some(Self {
            session,
            seen_ms,
            campaign,
        })
    }
}

fn fields(campaign: &Campaign) -> [&String; 5] {
    let Campaign {
        source,
        medium,
        campaign,
        term,
        content,
    } = campaign;
    [source, medium, campaign, term, content]
}

/// The lowest digits of a number in hexadecimal.
pub fn hex(value: u128, digits: u32) -> String {
    let digit = |place: u32| char::from_digit((value >> (place * 4)) as u32 & 0xf, 16);
    (0..digits).rev().filter_map(digit).collect()
}

/// A number from 1 to 32 hexadecimal digits.
pub fn unhex(text: &str) -> Option<u128> {
    if text.is_empty() || text.len() > 32 {
        return None;
    }
    text.chars().try_fold(0, |sum, letter| {
        Some(sum << 4 | u128::from(letter.to_digit(16)?))
    })
}

/// Splits `?a=b&c=d` into the campaign and what is allowed to travel, `?a=b` or nothing. Names and
/// campaign values are decoded by `decode`; allowed parts travel as they are.
pub fn read_query(
    query: &str,
    allowed: &[String],
    decode: impl Fn(&str) -> String,
) -> (Option<Campaign>, String) {
    let mut campaign = Campaign::default();
    let mut kept = String::new();
    for part in query.trim_start_matches('?').split('&') {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let field = match name {
            "utm_source" => &mut campaign.source,
            "utm_medium" => &mut campaign.medium,
            "utm_campaign" => &mut campaign.campaign,
            "utm_term" => &mut campaign.term,
            "utm_content" => &mut campaign.content,
            _ => {
                if allowed.iter().any(|allowed| allowed == name) {
                    kept.push(if kept.is_empty() { '?' } else { '&' });
                    kept.push_str(part);
                }
                continue;
            }
        };
        *field = decode(&value.replace('+', " "));
        field.retain(|letter| !letter.is_control());
        crate::clip(field, upriver_wire::limits::NAME_BYTES_MAX);
    }
    (
        Some(campaign).filter(|campaign| *campaign != Campaign::default()),
        kept,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn campaign(name: &str) -> Option<Campaign> {
        Some(Campaign {
            source: "mail".into(),
            campaign: name.into(),
            ..Campaign::default()
        })
    }

    #[test]
    fn a_visit_survives_being_written_down() {
        for campaign in [None, campaign("spring")] {
            let visit = Visit {
                session: SessionId(0xab),
                seen_ms: 1_700_000_000_123.0,
                campaign,
            };
            assert_eq!(Visit::from_text(&visit.to_text()), Some(visit));
        }
        assert_eq!(Visit::from_text("nonsense"), None);
        assert_eq!(Visit::from_text(""), None);
    }

    #[test]
    fn a_visit_ends_by_idleness_or_another_campaign() {
        let mut random = Random(3);
        let first = Visit::of(None, campaign("a"), 1e12, &mut random);
        let soon = Visit::of(Some(first.clone()), None, 1e12 + 1.0, &mut random);
        assert_eq!(
            (soon.session, soon.campaign),
            (first.session, campaign("a"))
        );
        let again = Visit::of(Some(first.clone()), campaign("a"), 1e12 + 1.0, &mut random);
        assert_eq!(again.session, first.session);
        let other = Visit::of(Some(first.clone()), campaign("b"), 1e12 + 1.0, &mut random);
        assert_ne!(other.session, first.session);
        assert_eq!(other.campaign, campaign("b"));
        let late = Visit::of(Some(first.clone()), None, 1e12 + IDLE_MS_MAX, &mut random);
        assert_ne!(late.session, first.session);
        assert_eq!(late.campaign, None);
    }

    #[test]
    fn only_allowed_parts_of_a_query_travel() {
        let allowed = ["colour".to_owned()];
        let read = |query| read_query(query, &allowed, str::to_owned);
        assert_eq!(read(""), (None, String::new()));
        assert_eq!(
            read("?token=secret&colour=red&x"),
            (None, "?colour=red".into())
        );
        let (landed, kept) = read("?utm_source=mail&utm_campaign=big+sale&email=a");
        assert_eq!((landed, kept.as_str()), (campaign("big sale"), ""));
    }
}
