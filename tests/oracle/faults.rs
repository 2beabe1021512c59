//! Faults that are planted on purpose into one side of a comparison: each must be seen, else the
//! comparison sees nothing. They live here, in the test; the product has none of these switches.

/// A planted fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The window is a millisecond longer than the definition says.
    WindowLonger,
    /// The window is a millisecond shorter.
    WindowShorter,
    /// Events of the same millisecond are taken in the opposite order.
    TieOrder,
    /// One event may serve two steps.
    UsedTwice,
    /// What was sent again is counted again.
    DedupOff,
    /// What comes late is not counted.
    LateLost,
    /// A window of minutes is a minute longer.
    MinuteLonger,
    /// A filter is ignored: programs count among people.
    FilterIgnored,
    /// Who hesitated counts as undecided though they pressed.
    Undecided,
    /// What excludes is passed over.
    ExclusionIgnored,
    /// Who converted counts with the earliest of the events that could have begun it.
    EarliestEntry,
    /// A conversion counts for a variant that was shown after it.
    ConvertedBefore,
    /// The minute a release went out in counts as after it.
    ReleaseMinute,
    /// A visit counts with its last page view instead of its first.
    LastView,
    /// What a visitor did last may be what is not told.
    Untold,
    /// An error counts at the step its visitor reached after it.
    StepAfter,
    /// SQL whose window is compared with `ord` as it is, milliseconds not spread.
    SqlWindowOverOrd,
    /// SQL in which one event may serve two steps (`windowFunnel` without `strict_once`).
    SqlNotOnce,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 18] = [
        Self::WindowLonger,
        Self::WindowShorter,
        Self::TieOrder,
        Self::UsedTwice,
        Self::DedupOff,
        Self::LateLost,
        Self::MinuteLonger,
        Self::FilterIgnored,
        Self::Undecided,
        Self::ExclusionIgnored,
        Self::EarliestEntry,
        Self::ConvertedBefore,
        Self::ReleaseMinute,
        Self::LastView,
        Self::Untold,
        Self::StepAfter,
        Self::SqlWindowOverOrd,
        Self::SqlNotOnce,
    ];

    /// What is wrong, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::WindowLonger => "a window one millisecond too long",
            Self::WindowShorter => "a window one millisecond too short",
            Self::TieOrder => "ties in the opposite order",
            Self::UsedTwice => "one event serving two steps",
            Self::DedupOff => "deduplication off",
            Self::LateLost => "late events left out",
            Self::MinuteLonger => "a window of minutes one minute too long",
            Self::FilterIgnored => "a filter ignored",
            Self::Undecided => "who pressed counted as undecided",
            Self::ExclusionIgnored => "exclusions ignored",
            Self::EarliestEntry => "the earliest beginning instead of the latest",
            Self::ConvertedBefore => "conversions from before the variant was shown",
            Self::ReleaseMinute => "the minute of a release counted as after it",
            Self::LastView => "a visit counted with its last page view",
            Self::Untold => "doing what is not told",
            Self::StepAfter => "an error at a step reached after it",
            Self::SqlWindowOverOrd => "SQL with its window over plain ord",
            Self::SqlNotOnce => "SQL without strict_once",
        }
    }

    /// Whether it is planted into the SQL, so that only a comparison with SQL can see it.
    pub fn is_in_sql(self) -> bool {
        matches!(self, Self::SqlWindowOverOrd | Self::SqlNotOnce)
    }

    /// Plants it into a query; other faults leave it as it is.
    ///
    /// Returns the query unchanged when it is not a funnel's.
    #[must_use]
    pub fn plant(self, sql: &str, windows_ms: &[u64]) -> String {
        match self {
            Self::SqlWindowOverOrd => {
                let mut sql = sql.replace("ord + bitShiftLeft(bitShiftRight(ord, 20), 20)", "ord");
                for window_ms in windows_ms {
                    let (spread, plain) = (window_ms << 21, window_ms << 20);
                    let ties = (1 << 20) - 1;
                    sql = sql.replace(
                        &format!("windowFunnel({},", spread + ties),
                        &format!("windowFunnel({},", plain + ties),
                    );
                }
                sql
            }
            Self::SqlNotOnce => sql
                .replace(", 'strict_once'", "")
                .replace(", \\'strict_once\\'", ""),
            _ => sql.to_owned(),
        }
    }
}
