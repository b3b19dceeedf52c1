//! What came of it: as data, as JSON, and as one page.

mod hot;
mod html;

use serde::Serialize;

use super::{AgainReport, Headline, Marks, Problem, RisingReport, Task};

/// Below so many cases a figure says little.
const FEW_CASES: usize = 100;

/// Everything that was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What was learnt from, and what was held out.
    pub window: WindowReport,
    /// The names of the systems under test; all others are baselines.
    pub subjects: Vec<String>,
    /// The tasks, in their usual order.
    pub tasks: Vec<TaskReport>,
    /// Whether what is said to rise does; none if the log is too short.
    pub rising: Option<RisingReport>,
    /// Whether what is said to be due again is bought; none if nothing is.
    pub again: Option<AgainReport>,
    /// What the shop should know of the figures.
    pub notes: Vec<String>,
    /// How the system under test was tuned, as a manifest has it: blends, what they gained on held-out weeks
    /// before those judged here, and what an answer costs; null if it says nothing.
    pub learnt: serde_json::Value,
}

/// The two parts of the log.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct WindowReport {
    /// The moment from which on everything is held out; none if orders were split by a hash.
    pub cut: Option<String>,
    /// The first day that is held out, as YYYY-MM-DD on the shop's calendar.
    pub first_day: Option<String>,
    /// Days that are held out.
    pub days: Option<u32>,
    /// Events before.
    pub training_events: usize,
    /// Lines bought before.
    pub training_purchases: usize,
    /// Items touched before.
    pub training_items: usize,
    /// Customers known before.
    pub training_customers: usize,
    /// Orders held out.
    pub held_out_orders: usize,
    /// Visits held out.
    pub held_out_visits: usize,
}

/// One task: who did how well.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskReport {
    /// Which.
    pub task: Task,
    /// What is asked and what is right.
    pub description: &'static str,
    /// The figure that it is ranked by.
    pub headline: Headline,
    /// Questions asked.
    pub cases: usize,
    /// Right items per question.
    pub mean_truth: f64,
    /// Why it can't be judged, if it can't.
    pub unjudged: Option<String>,
    /// Marks, best first.
    pub marks: Vec<Marks>,
}

impl TaskReport {
    pub(super) fn new(problem: &Problem) -> Self {
        let cases = problem.cases.len();
        let right: usize = problem.cases.iter().map(|case| case.truth.len()).sum();
        Self {
            task: problem.task,
            description: problem.task.description(),
            headline: problem.task.headline(),
            cases,
            mean_truth: right as f64 / cases.max(1) as f64,
            unjudged: problem.unjudged.clone(),
            marks: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, marks: Marks) {
        self.marks.push(marks);
    }

    /// The marks of the recommender of that name.
    pub fn of(&self, name: &str) -> Option<&Marks> {
        self.marks.iter().find(|marks| marks.name == name)
    }

    /// The best of those that are not under test.
    fn best_baseline(&self, subjects: &[String]) -> Option<&Marks> {
        self.marks.iter().find(|marks| !subjects.contains(&marks.name))
    }
}

impl Report {
    pub(super) fn new(
        window: WindowReport,
        subjects: Vec<String>,
        mut tasks: Vec<TaskReport>,
    ) -> Self {
        let mut notes = Vec::new();
        for task in &mut tasks {
            task.marks.sort_by(|a, b| b.headline.total_cmp(&a.headline));
            if (1..FEW_CASES).contains(&task.cases) {
                notes.push(format!(
                    "{}: only {} cases, so its figures are rough",
                    task.task.name(),
                    task.cases
                ));
            }
        }
        let learnt = serde_json::Value::Null;
        Self { window, subjects, tasks, rising: None, again: None, notes, learnt }
    }

    /// The task's part, if it was asked for.
    pub fn of(&self, task: Task) -> Option<&TaskReport> {
        self.tasks.iter().find(|report| report.task == task)
    }

    /// One self-contained page: no script, nothing from outside.
    pub fn html(&self) -> String {
        html::page(self)
    }
}
