//! `docs/sql-cookbook.md` taken apart: its questions, their SQL, and the answers printed under them.
//! Runs nothing.

use anyhow::{Result, bail, ensure};
use std::collections::BTreeSet;

/// A query of the document, with the answer printed under it.
#[derive(Debug)]
pub struct Recipe {
    /// Its number and the question: `9. How far do they get?`.
    pub question: String,
    /// The query, with parameters.
    pub sql: String,
    /// The site that is asked about.
    pub site: &'static str,
    /// Rows of cells, the names of the columns first.
    pub answer: Vec<Vec<String>>,
}

/// Every query of the document.
///
/// # Errors
/// One has no question above it, no answer under it, or a question stands there twice.
pub fn recipes(text: &str) -> Result<Vec<Recipe>> {
    let mut found: Vec<Recipe> = Vec::new();
    let mut questions = BTreeSet::new();
    let tea = text.find("\n# The tea shop\n").unwrap_or(text.len());
    let mut at = 0;
    for section in text.split("\n## ") {
        let site = if at > tea { "tea" } else { "shop" };
        at += "\n## ".len() + section.len();
        if !section.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        let question = section.lines().next().unwrap_or_default().to_owned();
        let sql: Vec<&str> = blocks(section, "sql");
        let answers = blocks(section, "text");
        match (&sql[..], &answers[..]) {
            ([], []) => continue,
            ([sql], [answer]) => {
                ensure!(
                    questions.insert(question.clone()),
                    "{question:?} is there twice"
                );
                let rows = answer.lines().map(|line| cells(line, '|')).collect();
                found.push(Recipe {
                    question,
                    sql: (*sql).to_owned(),
                    site,
                    answer: rows,
                });
            }
            _ => bail!(
                "{question:?} has {} queries and {} answers",
                sql.len(),
                answers.len()
            ),
        }
    }
    Ok(found)
}

fn blocks<'a>(section: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("\n```{language}\n");
    let after = section.split(fence.as_str()).skip(1);
    after
        .filter_map(|rest| rest.split("\n```").next())
        .collect()
}

/// The cells of a line.
pub fn cells(line: &str, between: char) -> Vec<String> {
    line.split(between)
        .map(|cell| cell.trim().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_without_an_answer_is_refused() {
        let both = "# x\n\n## 1. How?\n\n```sql\nSELECT 1 AS a\n```\n\n```text\na\n1\n```\n";
        let found = recipes(both).unwrap();
        assert_eq!(found[0].sql, "SELECT 1 AS a");
        assert_eq!(found[0].answer, [["a"], ["1"]]);
        let without = both.split("\n```text").next().unwrap();
        assert!(recipes(without).is_err());
        assert!(recipes(&format!("{both}\n{both}")).is_err());
    }
}
