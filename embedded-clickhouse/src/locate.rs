//! Where the engine library lies. Knows the npm package's layout and nothing of what is inside it.

use std::path::{Path, PathBuf};

/// The environment variable that names the library when no flag does.
pub const ENGINE_VARIABLE: &str = "UPRIVER_ENGINE";

const LIBRARY_FILE: &str = "libchdb.so";
/// The folder of the checkout whose `npm ci` provides the library.
const PACKAGE_FOLDER: &str = "embedded-clickhouse";

/// No library at any known place.
#[derive(Debug, thiserror::Error)]
#[error(
    "the ClickHouse engine ({LIBRARY_FILE}) was not found. Run `npm ci` in the folder \
     embedded-clickhouse of the checkout, or name the file with {ENGINE_VARIABLE}. Looked at: {looked_at}"
)]
pub struct NotFound {
    looked_at: String,
}

/// The library's path: the explicit one, then [`ENGINE_VARIABLE`], then beside the running binary,
/// then the npm package under the checkout's `embedded-clickhouse/node_modules`.
///
/// # Errors
/// [`NotFound`] names every place looked at. A path given explicitly is never replaced by another.
pub fn engine_library(explicit: Option<&Path>) -> Result<PathBuf, NotFound> {
    let named = explicit
        .map(Path::to_path_buf)
        .or_else(|| std::env::var_os(ENGINE_VARIABLE).map(PathBuf::from));
    let places = match named {
        Some(path) => vec![path],
        None => usual_places(
            std::env::current_exe().ok().as_deref(),
            Path::new(env!("CARGO_MANIFEST_DIR")),
        ),
    };
    places
        .iter()
        .find(|path| path.is_file())
        .cloned()
        .ok_or_else(|| NotFound {
            looked_at: places
                .iter()
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>()
                .join(", "),
        })
}

fn usual_places(binary: Option<&Path>, manifest_folder: &Path) -> Vec<PathBuf> {
    let in_package = |folder: &Path| {
        folder
            .join("node_modules/@chdb")
            .join(platform_package())
            .join(LIBRARY_FILE)
    };
    let mut places = Vec::new();
    if let Some(folder) = binary.and_then(Path::parent) {
        places.push(folder.join(LIBRARY_FILE));
        places.extend(
            folder
                .ancestors()
                .map(|folder| in_package(&folder.join(PACKAGE_FOLDER))),
        );
    }
    places.push(in_package(manifest_folder));
    places
}

/// The npm package for the platform this program was built for.
fn platform_package() -> &'static str {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("macos", "aarch64") => "lib-darwin-arm64",
        ("macos", _) => "lib-darwin-x64",
        (_, "aarch64") => "lib-linux-arm64-gnu",
        _ => "lib-linux-x64-gnu",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_beside_the_binary_before_its_ancestors_and_the_build_folder() {
        let places = usual_places(
            Some(Path::new("/opt/a/bin/upriver")),
            Path::new("/src/embedded-clickhouse"),
        );
        assert_eq!(places[0], Path::new("/opt/a/bin/libchdb.so"));
        let package = format!(
            "embedded-clickhouse/node_modules/@chdb/{}/libchdb.so",
            platform_package()
        );
        assert_eq!(places[2], Path::new("/opt/a").join(&package));
        assert_eq!(places.last().unwrap(), &Path::new("/src").join(&package));
    }

    #[test]
    fn an_explicit_path_is_not_replaced() {
        let error = engine_library(Some(Path::new("/nowhere/libchdb.so")))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("/nowhere/libchdb.so") && error.contains("npm ci"),
            "{error}"
        );
        assert!(!error.contains("node_modules"), "{error}");
    }
}
