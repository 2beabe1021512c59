//! Builds the browser SDK: Rust to wasm, its glue, the npm package and its tarball.
//!
//! Owns the steps and the shortening of the names wasm and glue call each other by. Knows nothing of
//! budgets and of who installs the tarball. The same input gives the same bytes.

use crate::npm;
use crate::process::Task;
use crate::report::step;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use wasm_bindgen_cli_support::Bindgen;

const PROJECT: &str = "sdk/npm";
const TARGET: &str = "wasm32-unknown-unknown";
/// What the compiler of this workspace's Rust version emits; `wasm-opt` is told so explicitly.
const WASM_FEATURES: &str = "--enable-bulk-memory --enable-bulk-memory-opt --enable-multivalue \
    --enable-mutable-globals --enable-nontrapping-float-to-int --enable-reference-types \
    --enable-sign-ext --enable-call-indirect-overlong";
/// The module that wasm imports everything from, as it is called after the shortening.
const IMPORTS: &str = "a";

/// What a build leaves behind.
pub(crate) struct Built {
    /// The module as compiled and optimised, before it is put into the package.
    #[allow(dead_code, reason = "`size` tells how much of the package is wasm")]
    pub(crate) wasm: PathBuf,
    /// The packed npm package.
    pub(crate) tarball: PathBuf,
}

/// Builds everything in `sdk/npm/dist` and packs `sdk/npm/dist-pack/upriver-VERSION.tgz`.
///
/// # Errors
/// A step failed; the message says which, and where its log is.
pub(crate) fn build(root: &Path) -> Result<Built> {
    let npm_folder = root.join(PROJECT);
    let generated = npm_folder.join("generated");
    step("compile the SDK to wasm", || {
        Task::cargo(root)
            .words("build --locked --package upriver-sdk --profile wasm --target")
            .arg(TARGET)
            // The places of panics name files; those of this machine must not be shipped.
            .env("CARGO_ENCODED_RUSTFLAGS", remap_cargo_home()?)
            .run("cargo build sdk")
    })?;
    npm::install(root, PROJECT)?;
    let wasm = step("bind, shorten and optimise the wasm", || {
        bind(root, &generated)?;
        optimise(&npm_folder, &generated)
    })?;
    embed(&wasm, &generated)?;
    npm::run(root, PROJECT, "build")?;
    let tarball = pack(&npm_folder)?;
    Ok(Built { wasm, tarball })
}

/// Writes `glue.js` and `core.wasm`, which call each other by names of one or two letters.
///
/// wasm-bindgen's own names are long and end in hashes. They stand in both files and hardly
/// compress.
fn bind(root: &Path, generated: &Path) -> Result<()> {
    let compiled = target_folder(root)
        .join(TARGET)
        .join("wasm/upriver_sdk.wasm");
    let mut output = Bindgen::new()
        .input_path(&compiled)
        .bundler(true)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate_output()
        .with_context(|| format!("cannot bind {}", compiled.display()))?;
    let module = output.wasm_mut();
    let mut imports = Vec::new();
    for (place, import) in module.imports.iter_mut().enumerate() {
        let short = short_name(place);
        imports.push((std::mem::replace(&mut import.name, short.clone()), short));
        IMPORTS.clone_into(&mut import.module);
    }
    let mut exports = Vec::new();
    for (place, export) in module.exports.iter_mut().enumerate() {
        let short = short_name(place);
        exports.push((std::mem::replace(&mut export.name, short.clone()), short));
    }
    let raw = generated.join("raw");
    output
        .emit(&raw)
        .with_context(|| format!("cannot write to {}", raw.display()))?;
    let glue = std::fs::read_to_string(raw.join("upriver_sdk_bg.js"))?;
    std::fs::write(
        generated.join("glue.js"),
        shorten(&glue, &imports, &exports)?,
    )?;
    std::fs::rename(raw.join("upriver_sdk_bg.wasm"), generated.join("core.wasm"))?;
    Ok(())
}

/// The glue with exports called by their short names, and the imports in one object.
fn shorten(
    glue: &str,
    imports: &[(String, String)],
    exports: &[(String, String)],
) -> Result<String> {
    let mut glue = glue.to_owned();
    for (long, short) in exports {
        glue = replace_member(&glue, long, short);
    }
    let mut object = String::new();
    for (long, short) in imports {
        let defined = format!("export function {long}(");
        ensure!(
            glue.contains(&defined),
            "the glue has no function `{long}`: wasm-bindgen writes it otherwise than this expects"
        );
        glue = glue.replace(&defined, &format!("function {long}("));
        object += &format!("{short}: {long}, ");
    }
    let start = exports.iter().find(|(long, _)| long == "__wbindgen_start");
    let start = start.map_or_else(String::new, |(_, short)| format!("wasm.{short}();"));
    Ok(format!(
        "{glue}\nexport const imports = {{ {IMPORTS}: {{ {object}}} }};\n\
         export function begin(exports) {{ __wbg_set_wasm(exports); {start} }}\n"
    ))
}

/// Replaces `wasm.LONG` where no longer name is meant.
fn replace_member(text: &str, long: &str, short: &str) -> String {
    let member = format!("wasm.{long}");
    let mut parts = text.split(&member);
    let mut replaced = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let goes_on = part.starts_with(|next: char| next.is_alphanumeric() || next == '_');
        replaced += "wasm.";
        replaced += if goes_on { long } else { short };
        replaced += part;
    }
    replaced
}

/// `a` to `z`, then `aa`, `ba` and so on.
fn short_name(place: usize) -> String {
    let letter = char::from(b'a' + (place % 26) as u8);
    match place / 26 {
        0 => letter.to_string(),
        rest => format!("{letter}{}", short_name(rest - 1)),
    }
}

fn optimise(npm_folder: &Path, generated: &Path) -> Result<PathBuf> {
    let wasm = generated.join("core.opt.wasm");
    Task::new("node", npm_folder)
        .arg("node_modules/binaryen/bin/wasm-opt")
        .arg(generated.join("core.wasm"))
        .words("-Oz --converge --strip-debug --strip-producers --strip-target-features")
        .words(WASM_FEATURES)
        .arg("-o")
        .arg(&wasm)
        .run("wasm-opt sdk")?;
    Ok(wasm)
}

/// Writes `wasm.ts`: the module as text. It is deflated first, because base64 hides from the web
/// server's compression what repeats; the page inflates it by `DecompressionStream`.
fn embed(wasm: &Path, generated: &Path) -> Result<()> {
    let bytes = std::fs::read(wasm)?;
    let mut deflated = Vec::new();
    zopfli::compress(
        zopfli::Options::default(),
        zopfli::Format::Zlib,
        &bytes[..],
        &mut deflated,
    )?;
    let text = base64(&deflated);
    let file = format!(
        "// Written by `cargo xtask build`.\nconst text: string = \"{text}\";\nexport default text;\n"
    );
    std::fs::write(generated.join("wasm.ts"), file).context("cannot write the embedded wasm")
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut word = 0_u32;
        for place in 0..3 {
            word = word << 8 | u32::from(chunk.get(place).copied().unwrap_or(0));
        }
        for place in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * place) & 63) as usize];
            text.push(if place > chunk.len() {
                '='
            } else {
                char::from(letter)
            });
        }
    }
    text
}

fn pack(npm_folder: &Path) -> Result<PathBuf> {
    let folder = npm_folder.join("dist-pack");
    std::fs::create_dir_all(&folder)?;
    let printed = Task::new("npm", npm_folder)
        .words("pack --json --ignore-scripts --loglevel=error --pack-destination")
        .arg(&folder)
        .read()?;
    let packed: serde_json::Value = serde_json::from_str(&printed)
        .with_context(|| format!("npm pack did not say what it wrote: {printed}"))?;
    let name = packed[0]["filename"]
        .as_str()
        .context("npm pack named no file")?;
    Ok(folder.join(name))
}

/// The flag that takes the folder of cargo's sources out of the names of files.
fn remap_cargo_home() -> Result<String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let home = home.context("cannot tell where cargo keeps its sources: set CARGO_HOME")?;
    Ok(format!("--remap-path-prefix={}=cargo", home.display()))
}

/// Where cargo puts what it builds.
fn target_folder(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn short_names_are_all_different() {
        let mut names: Vec<String> = (0..1_000).map(short_name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 1_000);
    }

    #[test]
    fn members_are_replaced_whole() {
        let text = "wasm.page_view(1); wasm.page_view_all(); wasm.page";
        assert_eq!(
            replace_member(text, "page_view", "b"),
            "wasm.b(1); wasm.page_view_all(); wasm.page"
        );
    }
}
