//! `cargo xtask check`: everything that can be judged without running the product.

use crate::build::NPM_PROJECTS;
use crate::process::Task;
use crate::report::{Table, say, step};
use crate::{build, licences, npm, rules};
use anyhow::{Result, bail};
use std::path::Path;

/// Runs every check, also after one has failed. Returns how many there were.
///
/// # Errors
/// At least one failed.
pub(crate) fn run(root: &Path) -> Result<usize> {
    // The collector embeds the dashboard's files and the shop's types come from the npm package:
    // without them there is nothing to check against.
    let built = [
        "dashboard/dist/index.html",
        "demo-site/node_modules/upriver/package.json",
    ];
    if built.iter().any(|file| !root.join(file).exists()) {
        build::web(root)?;
    }
    let mut checks: Vec<(String, Result<()>)> = Vec::new();
    let mut check = |name: String, work: &dyn Fn() -> Result<()>| {
        let result = step(&name, work);
        if let Err(error) = &result {
            eprintln!("{error:#}\n");
        }
        checks.push((name, result));
    };
    check("formatting".into(), &|| {
        cargo(
            root,
            "fmt --all --check -- --color never",
            "run `cargo fmt --all`",
        )
    });
    check("clippy, all targets".into(), &|| {
        cargo(
            root,
            "clippy --locked --workspace --all-targets -- -D warnings",
            "",
        )
    });
    check("clippy, SDK in the browser".into(), &|| {
        let target =
            "clippy --locked -p upriver-sdk --target wasm32-unknown-unknown -- -D warnings";
        cargo(root, target, "")
    });
    for project in NPM_PROJECTS {
        npm::install(root, project)?;
        check(format!("types of {project}"), &|| {
            npm::task(root, project, "check")
                .run(&format!("npm check {project}"))
                .map(drop)
        });
    }
    check("licences".into(), &|| licences::check(root));
    check("the repository's rules".into(), &|| {
        let findings = rules::check(root)?;
        findings
            .warnings
            .iter()
            .for_each(|warning| say(&format!("warning: {warning}")));
        if findings.faults.is_empty() {
            Ok(())
        } else {
            bail!(findings.faults.join("\n"))
        }
    });
    verdict(&checks)
}

fn cargo(root: &Path, words: &str, mend: &str) -> Result<()> {
    let name: Vec<&str> = words.split(' ').take(4).collect();
    Task::cargo(root)
        .words(words)
        .mend(mend)
        .run(&format!("cargo {}", name.join(" ")))
        .map(drop)
}

fn verdict(checks: &[(String, Result<()>)]) -> Result<usize> {
    let mut table = Table::new(&["check", "result"]);
    for (name, result) in checks {
        table.row([
            name.as_str(),
            if result.is_ok() { "passed" } else { "FAILED" },
        ]);
    }
    table.print();
    let failed = checks.iter().filter(|(_, result)| result.is_err()).count();
    if failed > 0 {
        bail!(
            "{failed} of {} checks failed; what they said is above",
            checks.len()
        );
    }
    Ok(checks.len())
}
