//! `cargo xtask size`: what a visitor's page and a marketer's dashboard load, raw and as it travels,
//! against budgets that fail the build. Reads built files; builds nothing.

use crate::report::Table;
use crate::weight::{self, Part};
use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};

/// One thing that is loaded as a whole.
struct Measured {
    name: &'static str,
    /// Files of it: a path, or a folder and the ending of the names in it.
    files: &'static [(&'static str, &'static str)],
    /// Most bytes it may take, by gzip. None: part of something that has a budget.
    gzip_budget: Option<usize>,
}

/// The budgets. A kilobyte here is 1,024 bytes.
const MEASURED: [Measured; 14] = [
    Measured {
        name: "SDK, what a page loads at once",
        files: &[("sdk/npm/dist/index.js", "")],
        gzip_budget: Some(1_500),
    },
    Measured {
        name: "SDK, everything as loaded",
        files: &[
            ("sdk/npm/dist/index.js", ""),
            ("sdk/npm/dist/core.js", ""),
            ("sdk/npm/dist/recorder.js", ""),
        ],
        gzip_budget: Some(22_490),
    },
    Measured {
        name: "  of it the shell (TypeScript)",
        files: &[("sdk/npm/dist/core.js", "")],
        gzip_budget: None,
    },
    Measured {
        name: "  of it the recorder (wasm)",
        files: &[("sdk/npm/dist/recorder.js", "")],
        gzip_budget: None,
    },
    Measured {
        name: "SDK, slim, as loaded",
        files: &[
            ("sdk/npm/dist/slim.js", ""),
            ("sdk/npm/dist/slim-core.js", ""),
            ("sdk/npm/dist/upriver.wasm", ""),
        ],
        gzip_budget: None,
    },
    Measured {
        name: "SDK by script tag, as loaded",
        files: &[
            ("sdk/npm/dist/upriver.js", ""),
            ("sdk/npm/dist/slim-core.js", ""),
            ("sdk/npm/dist/upriver.wasm", ""),
        ],
        gzip_budget: None,
    },
    Measured {
        name: "SDK, all that only some pages load besides",
        files: &[
            ("sdk/npm/dist/plain.js", ""),
            ("sdk/npm/dist/debug.js", ""),
            ("sdk/npm/dist/words.js", ""),
            ("sdk/npm/dist/overlay.js", ""),
        ],
        gzip_budget: None,
    },
    Measured {
        name: "  instead of wasm, where it is refused",
        files: &[("sdk/npm/dist/plain.js", "")],
        gzip_budget: Some(16_060),
    },
    Measured {
        name: "  besides, where debugging is asked for",
        files: &[("sdk/npm/dist/debug.js", "")],
        gzip_budget: Some(4 * 1024),
    },
    Measured {
        name: "  besides, where a call is wrong: the words",
        files: &[("sdk/npm/dist/words.js", "")],
        gzip_budget: None,
    },
    Measured {
        name: "  besides, where a marketer opens the overlay",
        files: &[("sdk/npm/dist/overlay.js", "")],
        gzip_budget: None,
    },
    Measured {
        name: "dashboard, JavaScript",
        files: &[("dashboard/dist/assets", ".js")],
        gzip_budget: Some(100 * 1024),
    },
    Measured {
        name: "dashboard, CSS",
        files: &[("dashboard/dist/assets", ".css")],
        gzip_budget: Some(20 * 1024),
    },
    Measured {
        name: "overlay.js",
        files: &[("dashboard/dist/overlay.js", "")],
        // With the dashboard's own line in it, so that it goes on after a cut. Visitors never load it.
        gzip_budget: Some(11_500),
    },
];

#[derive(Serialize)]
struct Figure {
    name: String,
    raw_bytes: usize,
    gzip_bytes: usize,
    brotli_bytes: usize,
    gzip_budget_bytes: Option<usize>,
    within_budget: bool,
}

/// Prints the sizes.
///
/// # Errors
/// Something is not built, or over its budget.
pub(crate) fn run(root: &Path, json: bool) -> Result<()> {
    let figures: Vec<Figure> = MEASURED
        .iter()
        .map(|part| measure(root, part))
        .collect::<Result<_>>()?;
    let spent = spent(root)?;
    if json {
        let all = serde_json::json!({ "sizes": figures, "spent": spent });
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        table(&figures).print();
        println!();
        spent_table(&spent).print();
    }
    let over: Vec<&str> = figures
        .iter()
        .filter(|figure| !figure.within_budget)
        .map(|figure| figure.name.trim())
        .collect();
    if over.is_empty() {
        return Ok(());
    }
    bail!(
        "over budget: {}. The budgets are in xtask/src/size.rs",
        over.join(", ")
    )
}

/// What each module takes of everything a page loads: entry, shell and recorder, in this order.
fn spent(root: &Path) -> Result<Vec<Part>> {
    let gzip_of = |file: &str| -> Result<(usize, usize)> {
        let path = root.join("sdk/npm").join(file);
        let bytes = std::fs::read(&path)
            .with_context(|| format!("{} is not built: run `cargo xtask build`", path.display()))?;
        Ok((bytes.len(), gzip(&bytes)?))
    };
    let (raw_bytes, gzip_bytes) = gzip_of("dist/index.js")?;
    let (_, shell) = gzip_of("dist/core.js")?;
    let (_, recorder) = gzip_of("dist/recorder.js")?;
    let mut parts = vec![Part {
        module: "index.ts".to_owned(),
        what: "What a page loads at once".to_owned(),
        raw_bytes,
        gzip_bytes,
    }];
    parts.extend(weight::shell(root, shell)?);
    parts.extend(weight::recorder(root, recorder)?);
    Ok(parts)
}

fn spent_table(spent: &[Part]) -> Table {
    let mut table = Table::new(&["spent on", "raw", "≈ gzip", "for"]);
    for part in spent {
        table.row([
            part.module.clone(),
            part.raw_bytes.to_string(),
            part.gzip_bytes.to_string(),
            part.what.clone(),
        ]);
    }
    table
}

/// How many budgets there are.
pub(crate) fn budgets() -> usize {
    MEASURED
        .iter()
        .filter(|part| part.gzip_budget.is_some())
        .count()
}

fn measure(root: &Path, part: &Measured) -> Result<Figure> {
    let mut figure = Figure {
        name: part.name.to_owned(),
        raw_bytes: 0,
        gzip_bytes: 0,
        brotli_bytes: 0,
        gzip_budget_bytes: part.gzip_budget,
        within_budget: true,
    };
    for (place, ending) in part.files {
        for file in files(&root.join(place), ending)? {
            // Each file is a response of its own, so each is compressed on its own.
            let bytes = std::fs::read(&file)?;
            figure.raw_bytes += bytes.len();
            figure.gzip_bytes += gzip(&bytes)?;
            figure.brotli_bytes += brotli(&bytes)?;
        }
    }
    figure.within_budget = part
        .gzip_budget
        .is_none_or(|budget| figure.gzip_bytes <= budget);
    Ok(figure)
}

fn files(place: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let missing = || format!("{} is not built: run `cargo xtask build`", place.display());
    if place.is_file() {
        return Ok(vec![place.to_owned()]);
    }
    let entries = std::fs::read_dir(place).with_context(missing)?;
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .filter(|path| {
            path.as_ref()
                .map_or(true, |path| path.to_string_lossy().ends_with(ending))
        })
        .collect::<Result<_, _>>()?;
    found.sort();
    if found.is_empty() {
        bail!("{}", missing());
    }
    Ok(found)
}

fn gzip(bytes: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

fn brotli(bytes: &[u8]) -> Result<usize> {
    const QUALITY: u32 = 11;
    const WINDOW_BITS: u32 = 22;
    let mut packed = Vec::new();
    let mut encoder = brotli::CompressorWriter::new(&mut packed, 4_096, QUALITY, WINDOW_BITS);
    encoder.write_all(bytes)?;
    encoder.flush()?;
    drop(encoder);
    Ok(packed.len())
}

fn table(figures: &[Figure]) -> Table {
    let mut table = Table::new(&[
        "bytes",
        "raw",
        "gzip -9",
        "brotli -11",
        "budget (gzip)",
        "used",
    ]);
    for figure in figures {
        let budget = figure.gzip_budget_bytes;
        let used = budget.map(|budget| format!("{} %", figure.gzip_bytes * 100 / budget));
        table.row([
            figure.name.clone(),
            figure.raw_bytes.to_string(),
            figure.gzip_bytes.to_string(),
            figure.brotli_bytes.to_string(),
            budget.map_or_else(|| "–".to_owned(), |budget| budget.to_string()),
            used.unwrap_or_else(|| "–".to_owned()),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::{brotli, gzip};

    #[test]
    fn compressors_compress() {
        let bytes = b"upriver ".repeat(1_000);
        assert!(gzip(&bytes).expect("gzip") < 100);
        assert!(brotli(&bytes).expect("brotli") < 60);
    }
}
