//! What the read-only analyst may not do. The engine's own `readonly=2` refuses changes; it does
//! not refuse to read or write the host's files and network, so this does.

use super::failure::{Failure, code};
use super::run::Work;
use crate::engine::{Role, Sessions};
use crate::ffi::Param;

/// Refuses what this role may not run.
pub(crate) fn check(
    sessions: &Sessions,
    role: Role,
    work: &Work,
    params: &[Param],
) -> Result<(), Failure> {
    let _ = (sessions, params);
    match (role, work) {
        (Role::Owner, _) => Ok(()),
        (Role::Analyst, _) => Err(Failure::new(code::READONLY, "READONLY", "not yet")),
    }
}
