//! The npm projects of this repository: installing exactly what a lock file says, and running
//! their scripts.

use crate::process::Task;
use crate::report::step;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Copy of the lock file and packages that the modules were installed from, kept among them.
const STAMP: &str = "node_modules/.installed-from";

/// `npm ci`, unless the modules there were installed from the same lock file and the same packed
/// packages of our own.
pub(crate) fn install(root: &Path, project: &str) -> Result<()> {
    let folder = root.join(project);
    let lock_path = folder.join("package-lock.json");
    let mut lock = std::fs::read(&lock_path).with_context(|| {
        format!(
            "{} is missing: run `npm install` there",
            lock_path.display()
        )
    })?;
    for package in packed(&folder)? {
        let missing = || {
            format!(
                "{} is not packed: run `cargo xtask build`",
                package.display()
            )
        };
        lock.extend(std::fs::read(&package).with_context(missing)?);
    }
    if std::fs::read(folder.join(STAMP)).is_ok_and(|stamp| stamp == lock) {
        return Ok(());
    }
    step(&format!("npm ci in {project}"), || {
        Task::new("npm", &folder)
            .words("ci --no-audit --no-fund --loglevel=error")
            .mend("needs the network once; if package.json changed, run `npm install` there")
            .run(&format!("npm ci {project}"))?;
        // npm leaves no folder when there is nothing to install.
        std::fs::create_dir_all(folder.join("node_modules"))?;
        std::fs::write(folder.join(STAMP), &lock).context("cannot note what was installed")
    })
}

/// The packages that a project names by their file. The lock file does not tell when they change.
fn packed(folder: &Path) -> Result<Vec<PathBuf>> {
    let text = std::fs::read_to_string(folder.join("package.json"))?;
    let package: Value = serde_json::from_str(&text)?;
    let named = package["dependencies"].as_object().into_iter().flatten();
    let files = named.filter_map(|(_, place)| place.as_str()?.strip_prefix("file:"));
    Ok(files.map(|file| folder.join(file)).collect())
}

/// `npm run SCRIPT`; returns what it printed.
pub(crate) fn run(root: &Path, project: &str, script: &str) -> Result<String> {
    step(&format!("npm run {script} in {project}"), || {
        task(root, project, script).run(&format!("npm {script} {project}"))
    })
}

/// The task of `npm run SCRIPT`.
pub(crate) fn task(root: &Path, project: &str, script: &str) -> Task {
    Task::new("npm", &root.join(project))
        .words("run --silent")
        .arg(script)
}

/// Whether a project has a script of this name.
pub(crate) fn has_script(root: &Path, project: &str, script: &str) -> bool {
    let text = std::fs::read_to_string(root.join(project).join("package.json")).unwrap_or_default();
    let package: Value = serde_json::from_str(&text).unwrap_or_default();
    package["scripts"][script].is_string()
}
