//! Points at which the disk may fail, or the power: named, so that tests can break the program at each of them.
//!
//! Every write, sync and rename of publishing passes one, and of forgetting customers. In a debug build the variable
//! `CARTWRIGHT_FAULT=POINT=ACTION` makes a point act: `kill` ends the process there and then (SIGKILL), `enospc`
//! and `eio` have the step fail as a full or a broken disk would. `CARTWRIGHT_FAULT_TRACE=FILE` appends the name
//! of every point that is passed. A release build knows none of this: a point is then nothing but its step.
//!
//! The tempting alternative, a crate behind a feature, would leave plain `cargo test` without these tests.

use std::io::Result;

/// Takes a step that may fail at `point`, and again right behind it, at `point.done`.
///
/// Errors: those of the step, and in a debug build those that are asked for.
pub fn pass<T>(point: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
    at(point)?;
    let done = step()?;
    #[cfg(debug_assertions)]
    at(&format!("{point}.done"))?;
    Ok(done)
}

/// Passes a point without a step.
///
/// Errors: in a debug build those that are asked for.
#[cfg(not(debug_assertions))]
#[inline]
pub fn at(_: &str) -> Result<()> {
    Ok(())
}

/// Passes a point without a step.
///
/// Errors: those that are asked for.
#[cfg(debug_assertions)]
pub fn at(point: &str) -> Result<()> {
    use std::io::{Error, Write as _};
    use std::sync::LazyLock;
    static FAULT: LazyLock<Option<String>> =
        LazyLock::new(|| std::env::var("CARTWRIGHT_FAULT").ok());
    static TRACE: LazyLock<Option<String>> =
        LazyLock::new(|| std::env::var("CARTWRIGHT_FAULT_TRACE").ok());
    if let Some(path) = TRACE.as_deref() {
        let mut file = std::fs::File::options().append(true).create(true).open(path)?;
        writeln!(file, "{point}")?;
    }
    let asked = FAULT.as_deref().and_then(|fault| fault.rsplit_once('='));
    match asked.filter(|(name, _)| *name == point) {
        None => Ok(()),
        Some((_, "enospc")) => Err(Error::from(std::io::ErrorKind::StorageFull)),
        Some((_, "eio")) => Err(Error::other("Input/output error (asked for)")),
        Some(_) => killed(),
    }
}

/// Ends the process as a power cut would: nothing is unwound, dropped or flushed.
#[cfg(debug_assertions)]
fn killed() -> ! {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::abort() // elsewhere; it unwinds nothing either
}
