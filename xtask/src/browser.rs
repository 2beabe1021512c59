//! Finding browsers to test with, and installing Debian's Chromium where that is possible: everything
//! needs that one. The others are tested where they are.

use crate::Browser;
use crate::process::Task;
use crate::report::step;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// Names a browser's file, before all others.
pub(crate) const VARIABLE: &str = "UPRIVER_CHROMIUM";
const PLACES: [&str; 6] = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/usr/bin/google-chrome-stable",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

const FIREFOX: [&str; 3] = [
    "/usr/bin/firefox-esr",
    "/usr/bin/firefox",
    "/Applications/Firefox.app/Contents/MacOS/firefox",
];
/// What WebKit needs: the driver brings its own browser.
const WEBKIT: [&str; 2] = ["/usr/bin/WebKitWebDriver", "/usr/bin/Xvfb"];

/// A browser of this kind, as the variables that tell the tests of its files.
///
/// # Errors
/// It is not there; the message says how to come by it.
pub(crate) fn find_kind(root: &Path, kind: Browser) -> Result<Vec<(&'static str, PathBuf)>> {
    let first = |places: &[&str]| places.iter().map(PathBuf::from).find(|it| it.exists());
    match kind {
        Browser::Chromium => Ok(vec![("CHROMIUM", find_or_install(root)?)]),
        Browser::Firefox => match first(&FIREFOX) {
            Some(found) => Ok(vec![("FIREFOX", found)]),
            None => bail!("no Firefox here (Debian: apt-get install firefox-esr)"),
        },
        Browser::Webkit if WEBKIT.iter().all(|file| Path::new(file).exists()) => Ok(Vec::new()),
        Browser::Webkit => {
            bail!("no WebKit here (Debian: apt-get install webkit2gtk-driver xvfb)")
        }
    }
}

/// Chromium, installed first when there is none and this is root on Debian or its kin.
pub(crate) fn find_or_install(root: &Path) -> Result<PathBuf> {
    if let Some(found) = find()? {
        return Ok(found);
    }
    let debian = std::fs::read_to_string("/etc/os-release").is_ok_and(|text| {
        text.lines()
            .any(|line| line.starts_with("ID") && line.contains("debian"))
    });
    if debian && rustix::process::geteuid().is_root() {
        step("install Chromium", || {
            Task::new("apt-get", root)
                .arg("update")
                .run("apt-get update")?;
            Task::new("apt-get", root)
                .words("install --yes --no-install-recommends chromium")
                .env("DEBIAN_FRONTEND", "noninteractive")
                .run("apt-get install chromium")
        })?;
        if let Some(found) = find()? {
            return Ok(found);
        }
    }
    let command = if debian {
        "sudo apt-get install chromium"
    } else {
        "install Chromium or Chrome"
    };
    bail!("no Chromium was found. {command}; or name one in {VARIABLE}")
}

fn find() -> Result<Option<PathBuf>> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        let path = PathBuf::from(named);
        if !path.exists() {
            bail!("{VARIABLE} names {}, which is not there", path.display());
        }
        return Ok(Some(path));
    }
    Ok(PLACES
        .iter()
        .map(PathBuf::from)
        .find(|place| place.exists()))
}
