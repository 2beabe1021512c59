//! `errors`: what went wrong in the page's scripts, and how far visitors were when it did.

use super::Basis;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// `errors`: each error, those that most visitors met first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    /// What the numbers mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// One row a message, script and line. In a delta: those that changed.
    pub rows: Vec<ErrorRow>,
    /// Errors beyond those in `rows`.
    pub left_out: u64,
}

/// One error. Message, source and line together are the key of the row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ErrorRow {
    /// What it said.
    pub message: String,
    /// Address of the script.
    pub source: String,
    /// Line in it, from 1; 0 when it is not known.
    pub line: u32,
    /// How often it happened.
    pub errors: u64,
    /// Distinct visitors who met it.
    pub visitors: u64,
    /// When it happened last, Unix milliseconds.
    pub last_ms: u64,
    /// How far they were in each funnel. Complete in a delta too.
    pub funnels: Vec<ErrorFunnel>,
}

/// How far visitors were in one funnel when an error happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ErrorFunnel {
    /// Id of the funnel.
    pub id: String,
    /// Its name.
    pub name: String,
    /// One entry a step, the one before the first step too.
    pub steps: Vec<ErrorStep>,
}

/// Errors that happened to those who had reached a step, and not the next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ErrorStep {
    /// The step, from 1; 0 before the first one.
    pub step: u64,
    /// Its name; empty before the first one.
    pub name: String,
    /// How often it happened there.
    pub errors: u64,
    /// Distinct visitors to whom it happened there.
    pub visitors: u64,
}
