//! What the read-only analyst may not do. The engine's own `readonly=2` refuses changes; it does
//! not refuse to read or write the host's files and network, so this does. It judges what the
//! engine's parser made of the statement, never the text itself.

use std::path::Path;

use super::failure::{Failure, code};
use crate::engine::Sessions;
use crate::ffi::{Connection, Param, StatementClass};

/// Table functions that read nothing but their arguments and the tables named there. Every other
/// table function of the engine is refused, also those of a later version.
const HARMLESS_TABLE_FUNCTIONS: &[&str] = &[
    "numbers",
    "numbers_mt",
    "primes",
    "zeros",
    "zeros_mt",
    "generateseries",
    "generate_series",
    "values",
    "view",
    "viewexplain",
    "format",
    "generaterandom",
    "null",
    "sqlstandardvalues",
    "dictionary",
];
/// Functions, not table functions, that leave the engine.
const REFUSED_FUNCTIONS: &[&str] = &[
    "file",
    "catboostevaluate",
    "filesystemunreserved",
    "showcertificate",
];
/// Functions with this prefix call services over the network.
const REFUSED_PREFIX: &str = "ai";

/// Refuses what an analyst may not run. `session` is the analyst's own; nothing is executed on it.
pub(crate) fn check_analyst(
    session: &mut Connection,
    sessions: &Sessions,
    statement: &str,
    params: &[Param],
) -> Result<(), Failure> {
    let explain = format!("EXPLAIN AST {statement}");
    let tree = session
        .query(&explain, "TSVRaw", params)
        .map_err(|message| Failure::from_engine(&message))?;
    if session.classify(statement) != (StatementClass::ReadOnly, 1) {
        return Err(readonly());
    }
    check_tree(
        &String::from_utf8_lossy(tree.as_ref()),
        &sessions.table_functions,
    )
}

/// The refusal of everything that is not a plain read.
pub(crate) fn readonly() -> Failure {
    let message = "analyst: Cannot execute query in readonly mode; this user may only read tables";
    Failure::new(code::READONLY, "READONLY", message)
}

fn check_tree(tree: &str, table_functions: &[String]) -> Result<(), Failure> {
    for line in tree.lines().map(str::trim_start) {
        if let Some(rest) = line.strip_prefix("Function ") {
            let function = before_notes(rest).to_ascii_lowercase();
            let leaves = table_functions.contains(&function)
                && !HARMLESS_TABLE_FUNCTIONS.contains(&function.as_str());
            if leaves
                || REFUSED_FUNCTIONS.contains(&function.as_str())
                || function.starts_with(REFUSED_PREFIX)
            {
                return Err(denied(&format!("the function {function}")));
            }
        }
        let name = line
            .strip_prefix("TableIdentifier ")
            .or_else(|| line.strip_prefix("Identifier "));
        if let Some(name) = name.map(before_notes)
            && names_a_file(name)
        {
            return Err(denied(&format!("{name}, which names a file")));
        }
    }
    Ok(())
}

/// A node's name without its `(alias …)` and `(children …)`.
fn before_notes(rest: &str) -> &str {
    rest.split(" (").next().unwrap_or(rest).trim_end()
}

/// The database `default` shows files of the host as tables: by path, by pattern, or by bare name
/// relative to the working folder.
fn names_a_file(name: &str) -> bool {
    let is_path = name.contains(['/', '\\', '*', '?', '{']);
    let suffixes = name
        .match_indices('.')
        .map(|(at, _)| &name[at + 1..])
        .chain([name]);
    is_path
        || suffixes
            .into_iter()
            .any(|suffix| Path::new(suffix).is_file())
}

fn denied(what: &str) -> Failure {
    let message = format!(
        "analyst: Not enough privileges: this user may not use {what}; it may only read tables"
    );
    Failure::new(code::ACCESS_DENIED, "ACCESS_DENIED", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tree: &str) -> Option<u32> {
        let functions = ["file", "url", "numbers", "newthing"].map(str::to_owned);
        check_tree(tree, &functions)
            .err()
            .map(|failure| failure.code)
    }

    #[test]
    fn only_known_table_functions_pass() {
        assert_eq!(
            check(" Function numbers (children 1)\n  Function plus (alias file) (children 1)"),
            None
        );
        assert_eq!(
            check(" Function FILE (alias x) (children 1)"),
            Some(code::ACCESS_DENIED)
        );
        assert_eq!(check("Function newThing"), Some(code::ACCESS_DENIED));
        assert_eq!(
            check("Function aiGenerate (children 1)"),
            Some(code::ACCESS_DENIED)
        );
    }

    #[test]
    fn names_of_files_do_not_pass() {
        assert_eq!(
            check("TableIdentifier shop.events (alias e)\nIdentifier e.name"),
            None
        );
        assert_eq!(
            check("TableIdentifier /etc/passwd"),
            Some(code::ACCESS_DENIED)
        );
        assert_eq!(check("Identifier default.*.csv"), Some(code::ACCESS_DENIED));
        // Tests run in the crate's folder, which holds this file.
        assert_eq!(
            check("TableIdentifier default.Cargo.toml"),
            Some(code::ACCESS_DENIED)
        );
    }
}
