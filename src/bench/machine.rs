//! Cores and CPU time, where the system lets us at them; elsewhere there is just no figure.

use std::num::NonZeroUsize;
use std::time::Duration;

/// How many cores this process may use.
pub fn usable_cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Keeps this thread, and those it will start, on one core, from 0. Returns whether that was possible.
#[cfg(target_os = "linux")]
pub fn pin(core: usize) -> bool {
    if core >= rustix::thread::CpuSet::MAX_CPU {
        return false;
    }
    let mut cores = rustix::thread::CpuSet::new();
    cores.set(core);
    rustix::thread::sched_setaffinity(None, &cores).is_ok()
}

/// Keeps this thread on one core: not possible on this system.
#[cfg(not(target_os = "linux"))]
pub fn pin(_core: usize) -> bool {
    false
}

/// CPU time that all threads of a process have used, to the nanosecond; `None` where it can't be known.
pub(super) fn cpu_time(process: u32) -> Option<Duration> {
    let mut nanoseconds = 0;
    for thread in std::fs::read_dir(format!("/proc/{process}/task")).ok()? {
        // Time on a core, time waiting for one, slices: proc(5).
        let times = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        nanoseconds += times.split_whitespace().next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(nanoseconds))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;
    use std::time::Instant;

    use super::*;

    /// Another process: threads of this one come and go with other tests.
    #[test]
    fn a_busy_process_uses_cpu_time() {
        let mut busy =
            Command::new("sh").args(["-c", "while :; do :; done"]).spawn().expect("a shell");
        let started = Instant::now();
        let used = loop {
            let used = cpu_time(busy.id());
            if used > Some(Duration::from_millis(1)) || started.elapsed() > Duration::from_secs(60)
            {
                break used;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        busy.kill().and_then(|()| busy.wait()).expect("it is ours");
        assert!(used > Some(Duration::from_millis(1)), "{used:?}");
    }
}
