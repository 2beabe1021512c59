//! What a person sees: one line a step with the time it took, and tables of figures. Steps go to
//! standard error, figures to standard output, so that `--json` stays clean.

use anyhow::Result;
use std::io::{IsTerminal, Write};
use std::time::Instant;

/// Columns a step's name may take before its time.
const NAME_WIDTH: usize = 56;

/// Runs one step and says on one line what it was and how long it took.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    step_judged(name, |_| true, work)
}

/// As [`step`], for work that returns also when it did not go well.
pub(crate) fn step_judged<T>(
    name: &str,
    went_well: impl FnOnce(&T) -> bool,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let shown: String = name.chars().take(NAME_WIDTH).collect();
    eprint!("  {shown:<NAME_WIDTH$} ");
    let begun = Instant::now();
    let result = work();
    let mark = if result.as_ref().is_ok_and(went_well) {
        paint("✓", Colour::Green)
    } else {
        paint("✗", Colour::Red)
    };
    eprintln!("{mark} {:>6.1} s", begun.elapsed().as_secs_f64());
    result
}

/// A line between the steps.
pub(crate) fn say(line: &str) {
    eprintln!("  {line}");
}

/// The few colours used.
#[derive(Clone, Copy)]
pub(crate) enum Colour {
    Green,
    Red,
    Cyan,
    Bold,
}

/// Colours text where a person looks at it and has not asked for none (`NO_COLOR`).
pub(crate) fn paint(text: &str, colour: Colour) -> String {
    let plain = std::env::var_os("NO_COLOR").is_some()
        || !std::io::stdout().is_terminal()
        || !std::io::stderr().is_terminal();
    if plain {
        return text.to_owned();
    }
    let code = match colour {
        Colour::Green => "32",
        Colour::Red => "31",
        Colour::Cyan => "36",
        Colour::Bold => "1",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// Rows of text, columns aligned: the first to the left, those that hold numbers to the right.
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        Self {
            head: head.iter().map(|name| (*name).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Writes it to standard output.
    pub(crate) fn print(&self) {
        let mut out = std::io::stdout().lock();
        // A closed pipe is the reader's choice, not a failure.
        let _ = out.write_all(self.text().as_bytes());
    }

    fn text(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().chain([&self.head]);
            cells
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let numeric: Vec<bool> = (0..self.head.len())
            .map(|column| self.is_numeric(column))
            .collect();
        let line = |cells: &[String]| {
            let padded = cells.iter().enumerate().map(|(column, cell)| {
                let width = widths.get(column).copied().unwrap_or(0);
                if numeric.get(column) == Some(&true) {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            });
            format!("  {}", padded.collect::<Vec<_>>().join("  "))
                .trim_end()
                .to_owned()
                + "\n"
        };
        let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        format!("\n{}{}{rows}", line(&self.head), line(&rule))
    }

    fn is_numeric(&self, column: usize) -> bool {
        let mut cells = self
            .rows
            .iter()
            .filter_map(|row| row.get(column))
            .filter(|cell| !cell.is_empty());
        column > 0
            && cells.all(|cell| {
                cell.starts_with(|first: char| first.is_ascii_digit() || "–-".contains(first))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn columns_line_up_and_numbers_stand_to_the_right() {
        let mut table = Table::new(&["file", "bytes"]);
        table.row(["a.js", "9"]);
        table.row(["long.wasm", "12345"]);
        let expected =
            "\n  file       bytes\n  ─────────  ─────\n  a.js           9\n  long.wasm  12345\n";
        assert_eq!(table.text(), expected);
    }
}
