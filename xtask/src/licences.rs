//! Which licences may come with what we depend on, and whether every dependency has one of them.
//! The list itself is the `allow` list of `deny.toml`, so that cargo-deny and this quick check
//! cannot disagree. Looks at Rust crates and npm packages alike.

use crate::process::Task;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use spdx::{Expression, ParseMode};
use std::collections::BTreeSet;
use std::path::Path;

const NPM_LOCKS: [&str; 8] = [
    "sdk/npm/package-lock.json",
    "sdk/npm/packaging/package-lock.json",
    "sdk/npm/rivals/package-lock.json",
    "sdk/examples/package-lock.json",
    "dashboard/package-lock.json",
    "demo-site/package-lock.json",
    "embedded-clickhouse/package-lock.json",
    "tests/browser/package-lock.json",
];
const CARGO_WORKSPACES: [&str; 2] = ["Cargo.toml", "wire/fuzz/Cargo.toml"];

#[derive(Deserialize)]
struct DenyFile {
    licenses: Licenses,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

/// Checks every dependency of every lock file.
///
/// # Errors
/// Those without an allowed licence, each with its name.
pub(crate) fn check(root: &Path) -> Result<()> {
    let deny: DenyFile = toml::from_str(&std::fs::read_to_string(root.join("deny.toml"))?)
        .context("deny.toml is not understood")?;
    let allowed = deny.licenses.allow;
    let mut packages = 0;
    let mut refused = BTreeSet::new();
    let mut judge = |name: String, licence: Option<&str>| {
        packages += 1;
        if !licence.is_some_and(|licence| is_allowed(licence, &allowed)) {
            refused.insert(format!(
                "{name}: {}",
                licence.unwrap_or("no licence is named")
            ));
        }
    };
    for workspace in CARGO_WORKSPACES {
        for (name, licence) in crates(root, workspace)? {
            judge(name, licence.as_deref());
        }
    }
    for lock in NPM_LOCKS
        .iter()
        .map(|lock| root.join(lock))
        .filter(|lock| lock.exists())
    {
        for (name, licence) in npm_packages(&std::fs::read_to_string(&lock)?)? {
            judge(name, licence.as_deref());
        }
    }
    if packages == 0 {
        bail!("no dependency was found at all, which cannot be");
    }
    if !refused.is_empty() {
        let list = refused.into_iter().collect::<Vec<_>>().join("\n  ");
        bail!("not under a licence that deny.toml allows:\n  {list}");
    }
    Ok(())
}

/// Name and licence of every crate that is not our own.
fn crates(root: &Path, workspace: &str) -> Result<Vec<(String, Option<String>)>> {
    let text = Task::cargo(root)
        .words("metadata --format-version 1 --locked --manifest-path")
        .arg(workspace)
        .read()?;
    let metadata: Value = serde_json::from_str(&text)?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata lists no packages")?;
    let foreign = packages
        .iter()
        .filter(|package| !package["source"].is_null());
    let named = |package: &Value| {
        let name = format!(
            "{} {}",
            text_of(&package["name"]),
            text_of(&package["version"])
        );
        (name, package["license"].as_str().map(str::to_owned))
    };
    Ok(foreign.map(named).collect())
}

/// Name and licence of every npm package of a lock file that is not our own.
fn npm_packages(lock: &str) -> Result<Vec<(String, Option<String>)>> {
    let lock: Value = serde_json::from_str(lock)?;
    let packages = lock["packages"]
        .as_object()
        .context("the lock file lists no packages")?;
    let foreign = packages.iter().filter(|(path, package)| {
        let own = text_of(&package["resolved"]).starts_with("file:") || package["link"] == true;
        path.contains("node_modules/") && !own
    });
    let named = |(path, package): (&String, &Value)| {
        let name = format!("{path} {}", text_of(&package["version"]));
        (name, package["license"].as_str().map(str::to_owned))
    };
    Ok(foreign.map(named).collect())
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Whether a licence expression can be met with allowed licences alone.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    Expression::parse_mode(expression, ParseMode::LAX)
        .is_ok_and(|parsed| parsed.evaluate(|need| allowed.contains(&need.to_string())))
}

#[cfg(test)]
mod tests {
    use super::{is_allowed, npm_packages};

    fn check(expression: &str, expected: bool) {
        let allowed = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"];
        let allowed = allowed.map(str::to_owned).into();
        assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
    }

    #[test]
    fn expressions_are_evaluated() {
        check("MIT", true);
        check("MIT/Apache-2.0", true);
        check("GPL-3.0 OR MIT", true);
        check("GPL-3.0-or-later", false);
        check("MIT AND GPL-2.0", false);
        check("(MIT OR GPL-2.0) AND Apache-2.0", true);
        check("Apache-2.0 WITH LLVM-exception", true);
        check("AGPL-3.0-only", false);
        check("UNLICENSED", false);
        check("SEE LICENSE IN LICENSE.md", false);
    }

    #[test]
    fn a_lock_files_own_packages_are_left_out() {
        let lock = r#"{"packages": {
            "": {"license": "none"},
            "node_modules/upriver": {"resolved": "file:../upriver.tgz"},
            "node_modules/a": {"version": "1.0.0", "license": "MIT"},
            "node_modules/b": {"version": "2.0.0"}
        }}"#;
        let found = npm_packages(lock).expect("read");
        let expected = [
            ("node_modules/a 1.0.0".to_owned(), Some("MIT".to_owned())),
            ("node_modules/b 2.0.0".to_owned(), None),
        ];
        assert_eq!(found, expected);
    }
}
