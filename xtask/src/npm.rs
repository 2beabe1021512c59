//! The npm projects of this repository: installing exactly what a lock file says, and running
//! their scripts.

use crate::process::Task;
use crate::report::step;
use anyhow::{Context, Result};
use std::path::Path;

/// Copy of the lock file and packages that the modules were installed from, kept among them.
const STAMP: &str = "node_modules/.installed-from";

/// `npm ci`, unless the modules there were installed from the same lock file.
pub(crate) fn install(root: &Path, project: &str) -> Result<()> {
    install_with(root, project, &[])
}

/// As [`install`], and again when a package that the lock file names by its file has changed.
pub(crate) fn install_with(root: &Path, project: &str, packages: &[&Path]) -> Result<()> {
    let folder = root.join(project);
    let lock_path = folder.join("package-lock.json");
    let mut lock = std::fs::read(&lock_path).with_context(|| {
        format!(
            "{} is missing: run `npm install` there",
            lock_path.display()
        )
    })?;
    for package in packages {
        let missing = || format!("{} is not packed", package.display());
        lock.extend(std::fs::read(package).with_context(missing)?);
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
    let package: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    package["scripts"][script].is_string()
}
