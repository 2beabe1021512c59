//! The collector as its users meet it: real processes, a real ClickHouse, nothing replaced.

mod access;
mod alerts;
mod audit;
mod cookbook;
mod country;
mod crash;
mod definitions;
mod erasure;
mod experiments;
mod explain;
mod import;
mod ingest;
mod live;
mod multiplex;
mod openapi;
mod oracle;
mod quarantine;
mod restart;
mod resume;
mod retention;
mod rules;
mod schema;
mod signals;
mod stream;
mod watching;
mod webhooks;
