//! What must be there before anything is built: rustup's Rust with the wasm target, Node and npm.
//! Adds what it can, says plainly what it cannot.

use crate::process::Task;
use anyhow::{Context, Result, bail};
use std::path::Path;

const WASM_TARGET: &str = "wasm32-unknown-unknown";
/// Oldest Node that the bundler runs on, major and minor.
const NODE_MIN: (u32, u32) = (20, 19);

/// Checks everything and adds the wasm target where it is missing.
pub(crate) fn check(root: &Path) -> Result<()> {
    wasm_target(root)?;
    node(root)
}

fn wasm_target(root: &Path) -> Result<()> {
    let sysroot = Task::new("rustc", root)
        .words("--print sysroot")
        .read()
        .context("Rust is missing: install it with rustup, https://rustup.rs")?;
    if Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(WASM_TARGET)
        .is_dir()
    {
        return Ok(());
    }
    Task::new("rustup", root)
        .words("target add")
        .arg(WASM_TARGET)
        .mend("needs rustup and the network; without rustup, install the target by your own means")
        .run("rustup target add")?;
    Ok(())
}

fn node(root: &Path) -> Result<()> {
    let (major, minor) = NODE_MIN;
    let need = format!("Node {major}.{minor} or newer is needed, with npm: https://nodejs.org");
    let version = Task::new("node", root)
        .words("--version")
        .read()
        .with_context(|| need.clone())?;
    let numbers = parse_version(&version);
    if numbers.is_none_or(|found| found < NODE_MIN) {
        bail!("{need}; found {}", version.trim());
    }
    Task::new("npm", root)
        .words("--version")
        .read()
        .with_context(|| need)?;
    Ok(())
}

/// `v20.19.3` → `(20, 19)`.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().trim_start_matches('v').split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::parse_version;

    #[test]
    fn node_versions_are_understood() {
        assert_eq!(parse_version("v20.19.3\n"), Some((20, 19)));
        assert_eq!(parse_version("24.0.0"), Some((24, 0)));
        assert_eq!(parse_version("node"), None);
    }
}
