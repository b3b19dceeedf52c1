//! Tables and lines for people.

use std::io::{ErrorKind, IsTerminal, Write};
use std::time::{Duration, Instant};

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressStyle};

use crate::catalog::Shelf;
use crate::index::Contents;
use crate::recommend::Recommendation;

/// Writes to stdout. A reader that has gone away (`| head`) is no error.
pub(super) fn print(text: impl std::fmt::Display) -> anyhow::Result<()> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// A table with these columns.
pub(super) fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(columns.to_vec());
    if std::io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table
}

/// Numbers stand to the right.
pub(super) fn align_right(table: &mut Table, columns: &[usize]) {
    for &column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// An answer, a row per recommendation and a line per reason.
pub(super) fn answer_table(contents: &Contents, shelf: &Shelf, answer: &[Recommendation]) -> Table {
    let rows = answer.iter().map(|recommended| {
        let reasons: Vec<String> =
            recommended.reasons.iter().map(|reason| reason.text(contents, shelf)).collect();
        [
            shelf.key(recommended.item).to_owned(),
            shelf.title(recommended.item).to_owned(),
            format!("{:.3}", recommended.score),
            reasons.join("\n"),
        ]
    });
    recommendation_table(rows)
}

/// A table of item, title, score and reasons, numbered from 1.
pub(super) fn recommendation_table(rows: impl Iterator<Item = [String; 4]>) -> Table {
    let mut table = table(&["", "item", "title", "score", "because"]);
    for ([item, title, score, reasons], place) in rows.zip(1..) {
        table.add_row([place.to_string(), item, title, score, reasons]);
    }
    align_right(&mut table, &[0, 3]);
    table
}

/// Says something beside the results, on stderr; where nobody listens, to nobody.
pub(super) fn say(line: impl std::fmt::Display) {
    _ = writeln!(std::io::stderr(), "{line}");
}

/// Says on stderr what is being done: a spinner on a terminal, lines elsewhere.
pub(super) struct Steps {
    started: Instant,
    spinner: Option<ProgressBar>,
}

impl Steps {
    pub(super) fn new() -> Self {
        let spinner = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {elapsed:>4}  {msg}")
                .expect("a template of known placeholders");
            let spinner = ProgressBar::new_spinner().with_style(style);
            spinner.enable_steady_tick(Duration::from_millis(100));
            spinner
        });
        Self { started: Instant::now(), spinner }
    }

    pub(super) fn step(&self, what: &str) {
        match &self.spinner {
            Some(spinner) => spinner.set_message(what.to_owned()),
            None => say(format_args!("{:6.1} s  {what}", self.started.elapsed().as_secs_f64())),
        }
    }

    /// Seconds since the beginning.
    pub(super) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}
