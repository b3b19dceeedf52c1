//! What each stage of a run cost.

use std::time::Instant;

/// One stage of a run.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Stage {
    /// What was done.
    pub name: String,
    /// How long it took.
    pub seconds: f64,
    /// The most memory that the process had held by its end, in bytes; 0 where the system doesn't say.
    pub peak_bytes: u64,
}

/// Tells the stages of a run apart by when the next begins.
pub struct Stopwatch {
    running: Option<(String, Instant)>,
    done: Vec<Stage>,
}

impl Stopwatch {
    /// A stopwatch that waits for its first stage.
    pub fn new() -> Self {
        Self { running: None, done: Vec::new() }
    }

    /// Ends the stage that runs, and begins the next.
    pub fn begin(&mut self, name: &str) {
        self.end();
        self.running = Some((name.to_owned(), Instant::now()));
    }

    /// Ends the last stage and gives all of them, in order.
    pub fn finish(mut self) -> Vec<Stage> {
        self.end();
        self.done
    }

    fn end(&mut self) {
        if let Some((name, started)) = self.running.take() {
            let seconds = started.elapsed().as_secs_f64();
            self.done.push(Stage { name, seconds, peak_bytes: peak_bytes() });
        }
    }
}

impl Default for Stopwatch {
    fn default() -> Self {
        Self::new()
    }
}

/// The most memory that this process has held so far (Linux's VmHWM); 0 where the system doesn't say.
pub fn peak_bytes() -> u64 {
    figure("VmHWM:")
}

/// The memory that this process holds now (Linux's VmRSS); 0 where the system doesn't say.
pub fn resident_bytes() -> u64 {
    figure("VmRSS:")
}

fn figure(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_ends_where_the_next_begins() {
        let mut stopwatch = Stopwatch::new();
        stopwatch.begin("reading");
        std::thread::sleep(std::time::Duration::from_millis(20));
        stopwatch.begin("counting");
        let stages = stopwatch.finish();
        assert_eq!(
            stages.iter().map(|stage| stage.name.as_str()).collect::<Vec<_>>(),
            ["reading", "counting"]
        );
        assert!(stages[0].seconds >= 0.02, "a stage is as long as what was done in it");
    }
}
