//! Reading how many tests passed and failed, and how, from what the runners print: cargo's harness, node's
//! test runner, Vitest and our own browser drive. Runs nothing.

use std::ops::AddAssign;

/// Tests that passed, failed and were left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) ignored: usize,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

impl Tally {
    /// Everything a runner's output tells, all its summary lines added up.
    pub(crate) fn read(output: &str) -> Self {
        let mut sum = Self::default();
        for line in output.lines() {
            sum += summary(&plain(line));
        }
        sum
    }
}

/// Lines of a runner's output that tell of failures, when none of its kinds is known.
const SHOWN_LINES_MAX: usize = 80;

/// What a runner says of its failures, without the passes: of node's runner each failed test with
/// its whole report, of any other the end of its output.
pub(crate) fn failures(output: &str) -> String {
    let mut told = Vec::new();
    let mut within = false;
    for line in output.lines() {
        // A report is indented and ends with three dots.
        within |= line.trim_start().starts_with("not ok ");
        if within {
            told.push(line);
        }
        within &= line.trim() != "...";
    }
    if told.is_empty() {
        let passed = |line: &&str| line.ends_with("... ok") || line.trim_start().starts_with('✓');
        told = output.lines().filter(|line| !passed(line)).collect();
        told.drain(..told.len().saturating_sub(SHOWN_LINES_MAX));
    }
    told.join("\n")
}

fn summary(line: &str) -> Tally {
    let line = line.trim();
    if let Some(rest) = line.strip_prefix("test result:") {
        return counts(rest, "passed", "failed", "ignored");
    }
    if let Some(rest) = line
        .strip_prefix("Tests ")
        .filter(|rest| rest.contains('('))
    {
        return counts(rest, "passed", "failed", "skipped");
    }
    if let Some(rest) = line.strip_prefix("checks:") {
        return counts(rest, "passed", "failed", "skipped");
    }
    // node's runner: `ℹ pass 12` for people, `# pass 12` for programs.
    let mut words = line.split_whitespace();
    let (mark, name, number) = (words.next(), words.next(), words.next());
    let number = number.and_then(|number| number.parse().ok());
    if let (Some("ℹ" | "#"), Some(name), Some(number), None) = (mark, name, number, words.next())
    {
        return match name {
            "pass" => Tally {
                passed: number,
                ..Tally::default()
            },
            "fail" | "cancelled" => Tally {
                failed: number,
                ..Tally::default()
            },
            "skipped" | "todo" => Tally {
                ignored: number,
                ..Tally::default()
            },
            _ => Tally::default(),
        };
    }
    Tally::default()
}

/// The numbers that stand before these words.
fn counts(text: &str, passed: &str, failed: &str, ignored: &str) -> Tally {
    let words: Vec<&str> = text
        .split([' ', ';', ',', '|'])
        .filter(|word| !word.is_empty())
        .collect();
    let before = |name: &str| {
        let pair = words.windows(2).find(|pair| pair[1] == name);
        pair.and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
    };
    Tally {
        passed: before(passed),
        failed: before(failed),
        ignored: before(ignored),
    }
}

/// A line without the codes that colour it.
fn plain(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::{Tally, failures};

    fn check(output: &str, passed: usize, failed: usize, ignored: usize) {
        assert_eq!(
            Tally::read(output),
            Tally {
                passed,
                failed,
                ignored
            },
            "{output}"
        );
    }

    #[test]
    fn of_many_tests_only_those_that_failed_are_told() {
        let tap = "# Subtest: a\nok 1 - a\n  ---\n  duration_ms: 1\n  ...\n# Subtest: b\n\
                   not ok 2 - b\n  ---\n  error: 'why'\n  ...\nok 3 - c\n# fail 1\n";
        assert_eq!(failures(tap), "not ok 2 - b\n  ---\n  error: 'why'\n  ...");
        assert_eq!(failures("test a ... ok\npanicked at b\n"), "panicked at b");
    }

    #[test]
    fn each_runners_summary_is_read() {
        check(
            "test result: ok. 14 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out",
            14,
            0,
            2,
        );
        check(
            "test result: FAILED. 3 passed; 1 failed; 0 ignored;\ntest result: ok. 2 passed;",
            5,
            1,
            0,
        );
        check(
            " Test Files  2 passed (2)\n      Tests  12 passed (12)\n",
            12,
            0,
            0,
        );
        check(
            "      Tests  1 failed | 11 passed | 2 skipped (14)",
            11,
            1,
            2,
        );
        check(
            "\x1b[2m      Tests \x1b[22m \x1b[1m\x1b[32m12 passed\x1b[39m\x1b[22m (12)",
            12,
            0,
            0,
        );
        check(
            "ℹ tests 9\nℹ pass 7\nℹ fail 1\nℹ cancelled 0\nℹ skipped 1\nℹ todo 0\n",
            7,
            1,
            1,
        );
        check("# tests 9\n# pass 9\n# fail 0\n", 9, 0, 0);
        check("checks: 40 passed, 2 failed", 40, 2, 0);
        check("nothing of the kind, 12 passed by", 0, 0, 0);
    }
}
