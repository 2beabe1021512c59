//! Builds the browser SDK: Rust to wasm, the npm package and its tarball.
//!
//! Owns the steps. Knows nothing of
//! budgets and of who installs the tarball. The same input gives the same bytes.

use crate::npm;
use crate::process::Task;
use crate::report::step;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use wasm_bindgen_cli_support::Bindgen;
use wasmparser::{Operator, Parser, Payload};

const PROJECT: &str = "sdk/npm";
const TARGET: &str = "wasm32-unknown-unknown";
/// What the compiler of this workspace's Rust version emits; `wasm-opt` is told so explicitly.
const WASM_FEATURES: &str = "--enable-bulk-memory --enable-bulk-memory-opt --enable-multivalue \
    --enable-mutable-globals --enable-nontrapping-float-to-int --enable-reference-types \
    --enable-sign-ext --enable-call-indirect-overlong";

/// What the module exports, and the function that is.
const EXPORT: &str = "step";
const EXPORTED: &str = "upriver_sdk::exports::step::h";

/// More of them find nothing more.
const ZOPFLI_ITERATIONS: std::num::NonZeroU64 = std::num::NonZeroU64::new(60).unwrap();

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
            .env("CARGO_ENCODED_RUSTFLAGS", flags()?)
            .run("cargo build sdk")
    })?;
    npm::install(root, PROJECT)?;
    let wasm = step("bind and optimise the wasm", || {
        bind(root, &generated)?;
        optimise(&npm_folder, &generated)
    })?;
    embed(&wasm, &generated)?;
    npm::run(root, PROJECT, "build")?;
    let tarball = pack(&npm_folder)?;
    Ok(Built { wasm, tarball })
}

/// Writes `core.wasm`.
///
/// Only numbers cross into it, and it calls nothing: wasm-bindgen's part is the exports, and none of
/// its glue is shipped.
fn bind(root: &Path, generated: &Path) -> Result<()> {
    let compiled = target_folder(root)
        .join(TARGET)
        .join("wasm/upriver_sdk.wasm");
    let mut output = Bindgen::new()
        .input_path(&compiled)
        .bundler(true)?
        .typescript(false)
        .remove_name_section(false)
        .remove_producers_section(true)
        .generate_output()
        .with_context(|| format!("cannot bind {}", compiled.display()))?;
    let module = output.wasm_mut();
    // What its glue would need: a table of the page's objects. `wasm-opt` drops what only that used,
    // and the package's own build refuses a module that still imports something.
    let own = |name: &str| !name.starts_with("__");
    let exports = module.exports.iter().filter(|export| !own(&export.name));
    let exports: Vec<_> = exports.map(|export| export.id()).collect();
    for export in exports {
        module.exports.delete(export);
    }
    // Only numbers cross, which the function itself takes as they are; what wasm-bindgen puts around it
    // weighs more than all else the export costs.
    let around = module.exports.get_func(EXPORT)?;
    let inside = module
        .funcs
        .iter()
        .find(|function| {
            let name = function.name.as_deref().unwrap_or_default();
            name.starts_with(EXPORTED)
        })
        .with_context(|| format!("there is no function {EXPORTED}… in the compiled recorder"))?
        .id();
    let takes = |function| module.types.params_results(module.funcs.get(function).ty());
    if takes(around) != takes(inside) {
        bail!(
            "{EXPORTED}… does not take and give what is exported: {:?}",
            takes(inside)
        );
    }
    module.exports.remove(EXPORT)?;
    module.exports.add(EXPORT, inside);
    std::fs::create_dir_all(generated)?;
    let bound = generated.join("core.wasm");
    std::fs::write(&bound, module.emit_wasm())
        .with_context(|| format!("cannot write {}", bound.display()))
}

/// Writes `core.opt.wasm`, which is shipped, and `core.named.wasm`, from which `size` tells what each
/// part of the recorder weighs: there, no function has become part of another.
fn optimise(npm_folder: &Path, generated: &Path) -> Result<PathBuf> {
    // No sum that is an address wraps here, wherever it lies: of "low memory unused" that is all that is used.
    let shipped = "--flatten --rereloop -Oz -Oz --converge --low-memory-unused --strip-debug --strip-producers --strip-target-features";
    for (name, passes) in [
        ("core.named.wasm", "-g --no-inline=* -Oz --converge"),
        ("core.opt.wasm", shipped),
    ] {
        Task::new("node", npm_folder)
            .arg("node_modules/binaryen/bin/wasm-opt")
            .arg(generated.join("core.wasm"))
            .words(passes)
            .words(WASM_FEATURES)
            .arg("-o")
            .arg(generated.join(name))
            .run("wasm-opt sdk")?;
    }
    let shipped = generated.join("core.opt.wasm");
    let frames = frames_bytes(&std::fs::read(&shipped)?)?;
    if frames > STACK_BYTES {
        bail!("the recorder's calls may stack {frames} bytes, and there are {STACK_BYTES}");
    }
    Ok(shipped)
}

/// What the functions of a module take of its stack together: none calls itself, so no more can be in
/// use at once.
fn frames_bytes(wasm: &[u8]) -> Result<i32> {
    let mut bytes = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::CodeSectionEntry(body) = payload? {
            let mut pushed = 0;
            let mut of_stack = false;
            for operator in body.get_operators_reader()? {
                // The first global is the stack's pointer, which a function takes down by a constant.
                match operator? {
                    Operator::GlobalGet { global_index: 0 } => of_stack = true,
                    Operator::I32Const { value } => pushed = value,
                    Operator::I32Sub if of_stack && pushed > 0 => {
                        bytes += pushed;
                        of_stack = false;
                    }
                    Operator::I32Add if of_stack && pushed < 0 => {
                        bytes -= pushed;
                        of_stack = false;
                    }
                    _ => of_stack = false,
                }
            }
        }
    }
    Ok(bytes)
}

/// Writes `wasm.ts`: the module as text. It is deflated first, because base64 hides from the web
/// server's compression what repeats; the page inflates it by `DecompressionStream`.
fn embed(wasm: &Path, generated: &Path) -> Result<()> {
    let bytes = std::fs::read(wasm)?;
    let mut deflated = Vec::new();
    zopfli::compress(
        zopfli::Options {
            iteration_count: ZOPFLI_ITERATIONS,
            ..zopfli::Options::default()
        },
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

/// How deep the recorder's calls may stack, bytes. What its memory begins with: where it lies is named in
/// the code all over, and low addresses are short.
const STACK_BYTES: i32 = 2_048;

/// What LLVM is told. Loops count as they are written: what it makes of their counters to save an addition
/// takes another local and more code. What two branches end with is left to `wasm-opt` to join, and a little
/// more is put in place of a call than where size is all.
const LLVM: &str = "-disable-lsr -simplifycfg-sink-common=false -inline-threshold=15";

/// The flags of the compiler, as cargo takes them: the folder of cargo's sources is taken out of the
/// names of files, and the stack is small.
fn flags() -> Result<String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let home = home.context("cannot tell where cargo keeps its sources: set CARGO_HOME")?;
    Ok(format!(
        "--remap-path-prefix={}=cargo\u{1f}-Clink-arg=-zstack-size={STACK_BYTES}\u{1f}-Cllvm-args={LLVM}",
        home.display()
    ))
}

/// Where cargo puts what it builds.
fn target_folder(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_however_they_are_taken() {
        let code = |body: &[u8]| {
            // One function without parameters, a memory being of no matter.
            let mut wasm = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0".to_vec();
            let len = body.len() as u8;
            wasm.extend([10, len + 4, 1, len + 2, 0]);
            wasm.extend(body);
            wasm.push(0x0b);
            wasm
        };
        // global.get 0, i32.const 48, i32.sub, drop; and i32.const -64, i32.add.
        let sub = [0x23, 0, 0x41, 48, 0x6b, 0x1a];
        let add = [0x23, 0, 0x41, 0x40, 0x6a, 0x1a];
        for (body, bytes) in [(vec![], 0), (sub.to_vec(), 48), ([sub, add].concat(), 112)] {
            assert_eq!(frames_bytes(&code(&body)).expect("a module"), bytes);
        }
    }

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
}
