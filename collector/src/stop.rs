//! When a process of `upriver` is asked to stop: by a signal, or because whoever started it is gone.
//! Knows nothing of what is stopped then.

use anyhow::Context;
use std::io::Read;
use tokio::signal::unix::{SignalKind, signal};

/// Resolves when the process is asked to stop.
pub(crate) fn stopped(with_parent: bool) -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    Ok(async move {
        let parent_gone = async {
            if !with_parent || parent_ends().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        // A terminal sends its interrupt to the whole group; a child leaves it to its parent.
        let interrupted = async {
            loop {
                interrupt.recv().await;
                if !with_parent {
                    return;
                }
            }
        };
        tokio::select! {
            _ = terminate.recv() => {}
            () = interrupted => {}
            () = parent_gone => {}
        }
    })
}

/// Resolves when standard input ends: when whoever started this closed it, or died. Nothing is ever
/// sent over it. A thread of its own, because a blocked read must not hold up the runtime's end.
fn parent_ends() -> tokio::sync::oneshot::Receiver<()> {
    let (ended, parent_gone) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        while matches!(input.read(&mut [0; 64]), Ok(read) if read > 0) {}
        // Nobody waits any more when another reason to stop came first.
        let _ = ended.send(());
    });
    parent_gone
}
