//! For how long rows are kept. The same fields are flags and the part `[retention]` of the sites file.
//!
//! Owns what may be said. What the tables are told is `store/retention`'s.

use clap::Args;
use serde::Deserialize;

/// Fewest days. The audit holds rows of two days of receipt against one another and the live range
/// reaches into the day before; a day more, so that midnight passes between a question and its answer.
pub const RETENTION_DAYS_MIN: u32 = 3;
/// Most days: twenty years. ClickHouse counts the end of a row's time in 32 bits of seconds, and one
/// past 2106 would begin again at 1970: everything would be removed at once.
pub const RETENTION_DAYS_MAX: u32 = 7_300;

/// Days that rows are kept after the day (UTC) on which they were received. None: for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Days that events are kept after the day they were received, 3 to 7300; for ever when it is not
    /// said. Also in the sites file, as events_days under [retention]; a flag goes before it.
    #[arg(long, env = "UPRIVER_EVENTS_DAYS")]
    pub events_days: Option<u32>,
    /// The same of what is added up from events (heat maps, visits, campaigns and pages by minute, the
    /// list of batches). Not less than events.
    #[arg(long, env = "UPRIVER_ROLL_UPS_DAYS")]
    pub roll_ups_days: Option<u32>,
    /// The same of input that was refused.
    #[arg(long, env = "UPRIVER_DEAD_LETTERS_DAYS")]
    pub dead_letters_days: Option<u32>,
}

impl Retention {
    /// These, and where nothing is said, those of `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            events_days: self.events_days.or(other.events_days),
            roll_ups_days: self.roll_ups_days.or(other.roll_ups_days),
            dead_letters_days: self.dead_letters_days.or(other.dead_letters_days),
        }
    }

    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// The reason, for a person.
    pub fn check(&self) -> Result<(), String> {
        let all = [
            ("events_days", self.events_days),
            ("roll_ups_days", self.roll_ups_days),
            ("dead_letters_days", self.dead_letters_days),
        ];
        for (name, days) in all {
            if days.is_some_and(|days| !(RETENTION_DAYS_MIN..=RETENTION_DAYS_MAX).contains(&days)) {
                return Err(format!(
                    "retention: {name} is {}; {RETENTION_DAYS_MIN} to {RETENTION_DAYS_MAX} are \
                     possible, and none for ever",
                    days.unwrap_or_default()
                ));
            }
        }
        match (self.events_days, self.roll_ups_days) {
            (events, Some(roll_ups)) if events.is_none_or(|events| events > roll_ups) => {
                let events = events.map_or("for ever".to_owned(), |days| format!("{days} days"));
                Err(format!(
                    "retention: roll_ups_days is {roll_ups} and events are kept {events}: what is added \
                     up must be kept at least as long as what it is added up from"
                ))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(events: Option<u32>, roll_ups: Option<u32>, dead_letters: Option<u32>, wrong: &str) {
        let retention = Retention {
            events_days: events,
            roll_ups_days: roll_ups,
            dead_letters_days: dead_letters,
        };
        let found = retention.check().err().unwrap_or_default();
        assert_eq!(found.is_empty(), wrong.is_empty(), "{found}");
        assert!(found.contains(wrong), "{found}");
    }

    #[test]
    fn days_are_bounded_and_roll_ups_outlast_events() {
        check(None, None, None, "");
        check(Some(3), None, Some(7_300), "");
        check(Some(90), Some(90), None, "");
        check(Some(0), None, None, "events_days is 0; 3 to 7300");
        check(Some(2), None, None, "events_days is 2;");
        check(None, None, Some(7_301), "dead_letters_days is 7301;");
        check(Some(90), Some(89), None, "events are kept 90 days");
        check(None, Some(400), None, "events are kept for ever");
    }

    #[test]
    fn what_is_said_first_goes_before() {
        let flags = Retention {
            events_days: Some(5),
            ..Retention::default()
        };
        let file: Retention = toml::from_str("events_days = 9\nroll_ups_days = 30").unwrap();
        let both = flags.or(file);
        assert_eq!((both.events_days, both.roll_ups_days), (Some(5), Some(30)));
        assert!(toml::from_str::<Retention>("event_days = 9").is_err());
    }
}
