//! How long something took, in bins that people and SQL can name: milliseconds, of which the two
//! leading digits are kept. A bin is at most a tenth of its beginning wide.

/// Times below this have a bin each.
const EXACT: u64 = 100;
/// Bins of each later power of ten.
const BINS: u64 = 90;

/// The number of the bin of a time in milliseconds.
pub(crate) fn bin(ms: u64) -> u16 {
    let (mut lead, mut power) = (ms, 0);
    while lead >= EXACT {
        (lead, power) = (lead / 10, power + 1);
    }
    // The largest, of u64::MAX, is under 2,000.
    match power {
        0 => lead as u16,
        power => (EXACT + (power - 1) * BINS + lead - EXACT / 10) as u16,
    }
}

/// The shortest time of a bin, milliseconds.
pub(crate) fn from_ms(bin: u16) -> u64 {
    let bin = u64::from(bin);
    let Some(past) = bin.checked_sub(EXACT) else {
        return bin;
    };
    let lead = EXACT / 10 + past % BINS;
    // A number above every bin's has none.
    u32::try_from(past / BINS + 1)
        .ok()
        .and_then(|power| 10_u64.checked_pow(power))
        .map_or(u64::MAX, |scale| lead.saturating_mul(scale))
}

/// The same in SQL: the shortest time of the bin of an expression in milliseconds.
pub(crate) fn sql(ms: &str) -> String {
    let scale = format!("intExp10(greatest(length(toString({ms})), 2) - 2)");
    format!("intDiv({ms}, {scale}) * {scale}")
}

/// The shortest time of the bin in which the middle one lies; of an even number, the earlier.
pub(crate) fn median_ms(bins: &[(u64, u64)]) -> Option<u64> {
    let all: u64 = bins.iter().map(|(_, count)| count).sum();
    let mut left = all.checked_sub(1)? / 2;
    let middle = bins.iter().find(|(_, count)| {
        let here = left < *count;
        left = left.saturating_sub(*count);
        here
    });
    middle.map(|(from_ms, _)| *from_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_keeps_two_digits() {
        for (ms, expected) in [
            (0, 0),
            (7, 7),
            (99, 99),
            (100, 100),
            (109, 100),
            (110, 110),
            (999, 990),
            (1_000, 1_000),
            (86_399_999, 86_000_000),
        ] {
            assert_eq!(from_ms(bin(ms)), expected, "{ms}");
        }
        let mut before = 0;
        for ms in 0..200_000 {
            assert!(bin(ms) == before || bin(ms) == before + 1, "{ms}");
            before = bin(ms);
            assert!(from_ms(before) <= ms);
        }
        assert!(from_ms(bin(u64::MAX)) >= u64::MAX / 10);
    }

    #[test]
    fn the_middle_is_the_middle() {
        assert_eq!(median_ms(&[]), None);
        assert_eq!(median_ms(&[(5, 1)]), Some(5));
        assert_eq!(median_ms(&[(1, 2), (5, 2)]), Some(1));
        assert_eq!(median_ms(&[(1, 2), (5, 3)]), Some(5));
        assert_eq!(median_ms(&[(1, 1), (2, 1), (3, 1)]), Some(2));
    }
}
