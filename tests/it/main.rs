//! The collector as its users meet it: real processes, a real ClickHouse, nothing replaced.

mod alerts;
mod audit;
mod cookbook;
mod crash;
mod definitions;
mod experiments;
mod import;
mod ingest;
mod live;
mod multiplex;
mod oracle;
mod quarantine;
<<<<<<< HEAD
mod resume;
=======
mod rules;
>>>>>>> 0872d72 (Tell visitors by rules over what they do, once, with a share held out)
mod schema;
mod signals;
mod stream;
mod watching;
mod webhooks;
