//! The rules of this repository that no compiler knows: what every file opens with, what must not
//! be written anywhere, how long a file may be, and that the README's commands exist.

use crate::Cli;
use crate::process::Task;
use anyhow::{Context, Result};
use clap::Parser;
use std::path::Path;

/// Lines of a source file from which on it is worth a second look…
const LINES_WARNED: usize = 400;
/// …and beyond which it must be split.
const LINES_MAX: usize = 600;
/// The one file that may step outside of the compiler's protection.
const UNCHECKED_FILE: &str = "embedded-clickhouse/src/ffi.rs";
/// A file with this in its first lines was written by a program.
const GENERATED: &str = concat!("@", "generated");

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    pub(crate) faults: Vec<String>,
    pub(crate) warnings: Vec<String>,
}

/// Checks every file that is, or could be, under version control.
///
/// # Errors
/// The files cannot be listed or read.
pub(crate) fn check(root: &Path) -> Result<Findings> {
    let files = Task::new("git", root)
        .words("ls-files --cached --others --exclude-standard")
        .read()
        .context("the repository's rules are checked on git's list of files")?;
    let mut findings = Findings::default();
    for file in files.lines() {
        // Listed but deleted, or not text: nothing to read.
        if let Ok(text) = std::fs::read_to_string(root.join(file)) {
            check_file(file, &text, &mut findings);
        }
    }
    Ok(findings)
}

fn check_file(file: &str, text: &str, findings: &mut Findings) {
    let generated = text.lines().take(5).any(|line| line.contains(GENERATED));
    let extension = file.rsplit('.').next().unwrap_or_default();
    let script = matches!(extension, "ts" | "tsx" | "js" | "mjs");
    let mut fault =
        |line: usize, what: &str| findings.faults.push(format!("{file}:{line}: {what}"));
    if !generated && extension == "rs" && !text.starts_with("//!") {
        fault(
            1,
            "a Rust file opens with `//!`: what it owns, what it refuses to know",
        );
    }
    if !generated && script && !opens_with_comment(text) {
        fault(
            1,
            "a script opens with a comment: what it owns, what it refuses to know",
        );
    }
    for (number, line) in text.lines().enumerate() {
        for what in line_faults(file, extension, line) {
            fault(number + 1, &what);
        }
    }
    if file.ends_with("package-lock.json") && text.contains("\"resolved\": \"http") {
        fault(
            1,
            "a lock file names no registry: npm's `omit-lockfile-registry-resolved` leaves it out",
        );
    }
    if file == "README.md" {
        for (number, command) in commands(text) {
            if let Err(error) = Cli::try_parse_from(command.split_whitespace().skip(1))
                && error.use_stderr()
            {
                fault(
                    number,
                    &format!("`{command}` is not a command: {}", first_line(&error)),
                );
            }
        }
    }
    let lines = text.lines().count();
    if !generated && (script || matches!(extension, "rs" | "css")) {
        if lines > LINES_MAX {
            findings.faults.push(format!(
                "{file}: {lines} lines, split it (at most {LINES_MAX})"
            ));
        } else if lines > LINES_WARNED {
            findings
                .warnings
                .push(format!("{file}: {lines} lines (aim: under {LINES_WARNED})"));
        }
    }
}

fn opens_with_comment(text: &str) -> bool {
    let mut lines = text.lines().skip_while(|line| line.starts_with("#!"));
    lines
        .next()
        .is_some_and(|line| line.starts_with("//") || line.starts_with("/*"))
}

fn line_faults(file: &str, extension: &str, line: &str) -> Vec<String> {
    let mut faults = Vec::new();
    // Written apart, so that this file does not hold what it forbids.
    for note in [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
    ] {
        if has_word(line, note) && is_source(extension) {
            faults.push(format!("{note}: do it, or write down where it is tracked"));
        }
    }
    for macro_name in [
        concat!("db", "g!("),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
    ] {
        if extension == "rs" && line.contains(macro_name) {
            faults.push(format!(
                "`{macro_name}…)` is for the desk, not for the repository"
            ));
        }
    }
    let word = concat!("un", "safe");
    if extension == "rs" && file != UNCHECKED_FILE {
        let code = line.split("//").next().unwrap_or_default();
        let forms = [" {", " fn", " impl", " extern", " trait", "("];
        if forms
            .iter()
            .any(|form| has_word(code, word) && code.contains(&format!("{word}{form}")))
        {
            faults.push(format!("`{word}` belongs in {UNCHECKED_FILE} alone"));
        }
    }
    for path in [
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("/ho", "me/"),
        concat!("/t", "mp/"),
        concat!("/Us", "ers/"),
    ] {
        if starts_a_path(line, path) {
            faults.push(format!("{path}… is a path of one machine"));
        }
    }
    faults
}

fn is_source(extension: &str) -> bool {
    matches!(
        extension,
        "rs" | "ts" | "tsx" | "js" | "mjs" | "css" | "sql" | "toml" | "html" | "sh" | "yml"
    )
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let inside = |character: char| character.is_alphanumeric() || character == '_';
        !line[..at].ends_with(inside) && !line[at + word.len()..].starts_with(inside)
    })
}

/// Whether an absolute path starts with `path` on this line; `a/work/b`, `https://x/work/` and
/// `{root}/work/` do not.
fn starts_a_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        !line[..at]
            .ends_with(|before: char| before.is_alphanumeric() || "._-~)}>/*$".contains(before))
    })
}

/// The `cargo xtask …` lines of a README's code blocks, with their line numbers.
fn commands(readme: &str) -> Vec<(usize, String)> {
    let mut in_block = false;
    let mut found = Vec::new();
    for (number, line) in readme.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if in_block && line.trim_start().starts_with("cargo xtask") {
            let command = line.split(" #").next().unwrap_or_default();
            found.push((number + 1, command.trim().to_owned()));
        }
    }
    found
}

fn first_line(error: &clap::Error) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Findings, LINES_MAX, LINES_WARNED, check_file};

    /// Checks that a file with this text has a fault that says so, or none at all.
    fn check(file: &str, text: &str, expected: Option<&str>) {
        let mut findings = Findings::default();
        check_file(file, text, &mut findings);
        match expected {
            None => assert_eq!(findings.faults, Vec::<String>::new(), "{text}"),
            Some(expected) => {
                let found = findings.faults.join("\n");
                assert!(
                    found.contains(expected),
                    "{file}: {expected:?} not in {found:?}"
                );
            }
        }
    }

    #[test]
    fn the_repository_keeps_its_rules() {
        let findings = super::check(crate::root()).expect("the files are there");
        assert_eq!(findings.faults, Vec::<String>::new());
    }

    #[test]
    fn files_open_with_what_they_own() {
        check("a.rs", "//! Owns a.\n", None);
        check("a.rs", "use std::fmt;\n", Some("opens with `//!`"));
        check("a.ts", "/** Owns a. */\n", None);
        check("a.mjs", "#!/usr/bin/env node\n// Owns a.\n", None);
        check(
            "a.tsx",
            "import x from 'x';\n",
            Some("opens with a comment"),
        );
    }

    #[test]
    fn forbidden_words_are_found() {
        let mark = concat!("TO", "DO");
        check(
            "a.rs",
            &format!("//! A.\n// {mark}: later\n"),
            Some("a.rs:2"),
        );
        check("a.rs", &format!("//! A.\n// {mark}S\n"), None);
        let word = concat!("un", "safe");
        check(
            "a.rs",
            &format!("//! A.\nlet x = {word} {{ y }};\n"),
            Some("alone"),
        );
        check(
            "embedded-clickhouse/src/ffi.rs",
            &format!("//! A.\n{word} {{ y }};\n"),
            None,
        );
        check("a.rs", &format!("//! A.\n// {word} {{ in words }}\n"), None);
        check("a.rs", concat!("//! A.\ndb", "g!(1);\n"), Some("desk"));
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        check("a.md", concat!("see /ro", "ot/x\n"), Some("one machine"));
        check("a.json", concat!("\"/ho", "me/me\"\n"), Some("one machine"));
        check(
            "a.md",
            concat!("see target/wo", "rk/x and https://a.example/t", "mp/\n"),
            None,
        );
    }

    #[test]
    fn a_lock_file_names_no_registry() {
        check(
            "x/package-lock.json",
            "\"resolved\": \"https://r.example/a.tgz\"\n",
            Some("registry"),
        );
        check(
            "x/package-lock.json",
            "\"resolved\": \"file:../a.tgz\"\n",
            None,
        );
    }

    #[test]
    fn the_readmes_commands_must_exist() {
        check(
            "README.md",
            "```\ncargo xtask demo --smoke   # drives a browser\n```\n",
            None,
        );
        check("README.md", "```\ncargo xtask check --help\n```\n", None);
        check(
            "README.md",
            "```\ncargo xtask demo --smok\n```\n",
            Some("README.md:2"),
        );
        check(
            "README.md",
            "```\ncargo xtask publish\n```\n",
            Some("is not a command"),
        );
    }

    #[test]
    fn long_files_are_told_and_longer_ones_refused() {
        let text = |lines| "//! A.\n".to_owned() + &"x;\n".repeat(lines - 1);
        let found = |text: &str| {
            let mut findings = Findings::default();
            check_file("a.rs", text, &mut findings);
            (findings.warnings.len(), findings.faults.len())
        };
        assert_eq!(found(&text(LINES_WARNED)), (0, 0));
        assert_eq!(found(&text(LINES_WARNED + 1)), (1, 0));
        assert_eq!(found(&text(LINES_MAX)), (1, 0));
        assert_eq!(found(&text(LINES_MAX + 1)), (0, 1));
        let generated = text(LINES_MAX + 1).replace("//! A.", concat!("// @", "generated"));
        assert_eq!(found(&generated), (0, 0));
    }
}
