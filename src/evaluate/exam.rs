//! Every task, every recommender, in order.

use jiff::tz::TimeZone;

use super::baselines::{Hall, LINE_UP};
use super::report::{Report, TaskReport, WindowReport};
use super::{Background, Cut, HeldOut, Problem, Recommender, Task, judge};
use crate::events::{EventKind, EventLog};

/// The cases of the tasks that were asked for, and what they are cases of.
pub struct Exam<'a> {
    past: &'a EventLog,
    zone: TimeZone,
    session_gap_minutes: u32,
    background: Background,
    problems: Vec<Problem>,
    window: WindowReport,
}

impl<'a> Exam<'a> {
    /// Sets the cases of `tasks`.
    pub fn new(
        past: &'a EventLog,
        held_out: &HeldOut,
        cut: Cut,
        zone: &TimeZone,
        session_gap_minutes: u32,
        tasks: &[Task],
    ) -> Self {
        let background = Background::new(past);
        let problems: Vec<Problem> = Task::ALL
            .into_iter()
            .filter(|task| tasks.contains(task))
            .map(|task| Problem::new(task, held_out, past, &background.purchased))
            .collect();
        let purchases = past.events.iter().filter(|event| event.kind == EventKind::Purchase);
        let window = WindowReport {
            cut: match cut {
                Cut::At { at, .. } => Some(at.to_string()),
                Cut::ByHash => None,
            },
            first_day: match cut {
                Cut::At { at, .. } => Some(at.date(zone)),
                Cut::ByHash => None,
            },
            days: match cut {
                Cut::At { days, .. } => Some(days),
                Cut::ByHash => None,
            },
            training_events: past.events.len(),
            training_purchases: purchases.count(),
            training_items: background.catalogue,
            training_customers: past.customers.len(),
            held_out_orders: held_out.orders.len(),
            held_out_visits: held_out.visits.len(),
        };
        let zone = zone.clone();
        Self { past, zone, session_gap_minutes, background, problems, window }
    }

    /// True if no task has a case.
    pub fn is_empty(&self) -> bool {
        self.problems.iter().all(|problem| problem.cases.is_empty())
    }

    /// The tasks with their cases.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Lets `systems` sit for every task, and then the baselines that `wants` by their names. `watch`
    /// hears of every step.
    pub fn sit(
        &self,
        systems: &[&dyn Recommender],
        wants: impl Fn(&str) -> bool,
        mut watch: impl FnMut(&str),
    ) -> Report {
        let mut tasks: Vec<TaskReport> = self.problems.iter().map(TaskReport::new).collect();
        for system in systems {
            watch(&format!("judging {}", system.name()));
            for (problem, report) in self.judged(&mut tasks) {
                report.add(judge(*system, problem, &self.background));
            }
        }
        let subjects = systems.iter().map(|system| system.name().to_owned()).collect();
        let hall = Hall::new(self.past, &self.zone, self.session_gap_minutes);
        for entry in LINE_UP.iter().filter(|entry| wants(entry.name)) {
            let for_it = |task: Task| entry.tasks.contains(&task);
            // What it learns for purchases and for visits is not the same.
            for visits in [false, true] {
                let mut fitted = None;
                for (problem, report) in self.judged(&mut tasks) {
                    let task = problem.task;
                    if !for_it(task) || (task == Task::Session) != visits {
                        continue;
                    }
                    let fitted = fitted.get_or_insert_with(|| {
                        watch(&format!("judging {}", entry.name));
                        hall.fit(entry.name, &entry.baseline, task)
                    });
                    report.add(judge(fitted, problem, &self.background));
                }
            }
        }
        Report::new(self.window.clone(), subjects, tasks)
    }

    fn judged<'t>(
        &'t self,
        reports: &'t mut [TaskReport],
    ) -> impl Iterator<Item = (&'t Problem, &'t mut TaskReport)> {
        self.problems.iter().zip(reports).filter(|(problem, _)| !problem.cases.is_empty())
    }
}
