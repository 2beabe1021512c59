//! The server as a process of its own, spoken to by the clients people use. One folder per test.

mod analyst;
mod clients;
mod http;
mod life;
mod server;
