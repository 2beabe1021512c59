//! What each kilobyte of the SDK is spent on: a row for each module of the shell (TypeScript) and of
//! the recorder (Rust).
//!
//! Owns how bytes come to be a module's. They are counted before compression; of the compressed
//! bytes a module is given the same share, so the rows add up to what is loaded. What a module is for
//! is what its file says of itself.

use anyhow::{Context, Result};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use wasmparser::{KnownCustom, Name, NameSectionReader, Parser, Payload};

/// The crate whose names are in the wasm, and where its files are.
const RECORDER: &str = "upriver_sdk::";
const RECORDER_SOURCES: &str = "sdk/src";
const SHELL_SOURCES: &str = "sdk/npm";

/// One module.
#[derive(Serialize)]
pub(crate) struct Part {
    pub(crate) module: String,
    /// What it is for.
    pub(crate) what: String,
    /// Minified or compiled.
    pub(crate) raw_bytes: usize,
    /// Its share of the compressed bytes.
    pub(crate) gzip_bytes: usize,
}

/// The modules of the shell, which takes so many bytes compressed, largest first.
///
/// # Errors
/// The SDK is not built.
pub(crate) fn shell(root: &Path, gzip_bytes: usize) -> Result<Vec<Part>> {
    let path = root.join(SHELL_SOURCES).join("generated/shell.json");
    let text = std::fs::read_to_string(&path).with_context(|| missing(&path))?;
    let modules: BTreeMap<String, usize> = serde_json::from_str(&text)?;
    Ok(shares(root, SHELL_SOURCES, &modules, gzip_bytes))
}

/// The modules of the recorder, which takes so many bytes compressed, largest first.
///
/// # Errors
/// The SDK is not built.
pub(crate) fn recorder(root: &Path, gzip_bytes: usize) -> Result<Vec<Part>> {
    let path = root.join(SHELL_SOURCES).join("generated/core.named.wasm");
    let wasm = std::fs::read(&path).with_context(|| missing(&path))?;
    let modules = rust_modules(&wasm)?;
    Ok(shares(root, RECORDER_SOURCES, &modules, gzip_bytes))
}

fn missing(path: &Path) -> String {
    format!(
        "{} is not built: run `cargo xtask build --sdk`",
        path.display()
    )
}

/// Bytes of code by the file they come from. What stands before the first name of ours is what the
/// language itself brings.
fn rust_modules(wasm: &[u8]) -> Result<BTreeMap<String, usize>> {
    let mut sizes = Vec::new();
    let mut names = BTreeMap::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::CodeSectionEntry(body) => sizes.push(body.range().len()),
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(reader) = section.as_known() {
                    collect(reader, &mut names)?;
                }
            }
            _ => {}
        }
    }
    let mut modules = BTreeMap::new();
    for (index, size) in (0_u32..).zip(sizes) {
        let name = names.get(&index).copied().unwrap_or_default();
        *modules.entry(file_of(name)).or_default() += size;
    }
    Ok(modules)
}

fn collect<'a>(reader: NameSectionReader<'a>, names: &mut BTreeMap<u32, &'a str>) -> Result<()> {
    for subsection in reader {
        if let Name::Function(functions) = subsection? {
            for naming in functions {
                let naming = naming?;
                names.insert(naming.index, naming.name);
            }
        }
    }
    Ok(())
}

fn file_of(function: &str) -> String {
    let module = function
        .split_once(RECORDER)
        .and_then(|(_, path)| path.split_once("::"))
        .map(|(module, _)| module);
    match module {
        Some(module) => format!("{module}.rs"),
        None if function.starts_with("step") => "exports.rs".to_owned(),
        None if function.contains("upriver_wire") => "wire".to_owned(),
        None => "Rust's own".to_owned(),
    }
}

fn shares(
    root: &Path,
    sources: &str,
    modules: &BTreeMap<String, usize>,
    gzip_bytes: usize,
) -> Vec<Part> {
    let all: usize = modules.values().sum();
    let mut parts: Vec<Part> = modules
        .iter()
        .map(|(module, raw_bytes)| Part {
            module: module.clone(),
            what: purpose(&root.join(sources).join(module)),
            raw_bytes: *raw_bytes,
            gzip_bytes: gzip_bytes * raw_bytes / all.max(1),
        })
        .collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.raw_bytes));
    parts
}

/// The first line a file says of itself.
fn purpose(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    first
        .trim_start_matches(['/', '!', ' '])
        .chars()
        .take(72)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::file_of;

    #[test]
    fn functions_are_of_their_files() {
        for (function, file) in [
            ("upriver_sdk::queue::Queue::seal::h5611", "queue.rs"),
            ("<upriver_sdk::few::Few<T,_>>::push::h12", "few.rs"),
            ("step", "exports.rs"),
            ("upriver_wire::envelope::set_sent_at::h1", "wire"),
            ("core::slice::memcmp", "Rust's own"),
        ] {
            assert_eq!(file_of(function), file);
        }
    }
}
