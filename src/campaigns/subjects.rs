//! Who was in a campaign, and what they bought.

use std::path::Path;

use crate::customers::Paid;
use crate::error::{Error, Result};
use crate::tables::{Broken, Content, Role, Table, detect, is_absent, quoted};
use crate::time::Timestamp;

/// Written to, or held out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Assigned {
    /// Was written to.
    Treated,
    /// Was held out by chance.
    HeldOut,
}

/// One customer of a campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The shop's key.
    pub customer: String,
    /// Written to or held out.
    pub assigned: Assigned,
    /// To tell groups apart; may be empty.
    pub segment: String,
}

/// When a campaign was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its first moment.
    pub start: Timestamp,
    /// The first moment after it.
    pub end: Timestamp,
    /// So many days before `start` tell what a customer spends without it; > 0.
    pub before_days: u32,
}

impl Window {
    /// Errors: it ends before it begins, or nothing lies before it.
    pub fn check(&self) -> Result<()> {
        if self.start < self.end && self.before_days > 0 {
            return Ok(());
        }
        Err(Error::Config(
            "a campaign must end after it starts, and have at least a day before it".into(),
        ))
    }
}

/// What one customer of a campaign did.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// Written to or held out.
    pub assigned: Assigned,
    /// To tell groups apart.
    pub segment: String,
    /// Orders in the window.
    pub orders: u32,
    /// Money of these.
    pub revenue: f64,
    /// Money of the orders in the days before.
    pub before: f64,
}

/// What an assigned customer with these orders did.
pub fn subject(assignment: &Assignment, orders: &[Paid], window: &Window) -> Subject {
    let earliest = window.start.plus_days(-i64::from(window.before_days));
    let paid = |from: Timestamp, until: Timestamp| {
        orders.iter().filter(move |order| from <= order.at && order.at < until)
    };
    Subject {
        assigned: assignment.assigned,
        segment: assignment.segment.clone(),
        orders: paid(window.start, window.end).count() as u32,
        revenue: paid(window.start, window.end).map(|order| f64::from(order.value)).sum(),
        before: paid(earliest, window.start).map(|order| f64::from(order.value)).sum(),
    }
}

const ROLES: [Role; 3] = [
    Role {
        name: "customer_id",
        aliases: &[&["household_id", "user_id", "client_id", "member_id"], &["customer", "user"]],
        content: Content::PrivateText,
        several: false,
    },
    Role {
        name: "group",
        aliases: &[&["assignment", "arm", "variant"], &["treated", "treatment"]],
        content: Content::Text,
        several: false,
    },
    Role { name: "segment", aliases: &[&["rfm"]], content: Content::Text, several: false },
];

/// Reads who was in a campaign: `customer_id`, `group` (treated, or holdout; without it all were treated)
/// and `segment`, if there is one. A customer who comes twice counts once, as the first row says.
///
/// Errors: the file is missing or damaged, has no customer column, a row of another width, or a group that is
/// neither.
pub fn read_assignments(path: &Path) -> Result<Vec<Assignment>> {
    let table = Table::open(path)?;
    let detected = detect(&table, &ROLES, &std::collections::BTreeMap::new())?;
    detected.require(&table, &ROLES, &["customer_id"])?;
    let columns: Vec<usize> = (0..table.names.len()).collect();
    let place = |role: usize| detected.columns[role].first().copied();
    let mut seen = std::collections::BTreeSet::new();
    let mut assignments = Vec::new();
    table.read(&columns, |batch| {
        if let Some(Broken { line, problem, .. }) = batch.broken.first() {
            return Err(Error::Input(format!("{}, line {line}: {problem}", path.display())));
        }
        for row in 0..batch.len() {
            let text = |role: usize| {
                let text = place(role).map(|column| batch.field(row, column))?;
                Some(String::from_utf8_lossy(text).into_owned())
                    .filter(|t| !is_absent(t.as_bytes()))
            };
            let Some(customer) = text(0) else { continue };
            let assigned = match text(1) {
                None if place(1).is_none() => Assigned::Treated,
                word => {
                    let word = word.unwrap_or_default();
                    assigned(&word).ok_or_else(|| {
                        Error::Input(format!(
                            "{}, line {}: expected treated or holdout for group, got {}",
                            path.display(),
                            batch.line(row),
                            quoted(word.as_bytes(), true)
                        ))
                    })?
                }
            };
            if seen.insert(customer.clone()) {
                let segment = text(2).unwrap_or_default();
                assignments.push(Assignment { customer, assigned, segment });
            }
        }
        Ok(())
    })?;
    Ok(assignments)
}

fn assigned(word: &str) -> Option<Assigned> {
    match word.to_lowercase().replace(['-', '_', ' '], "").as_str() {
        "treated" | "treatment" | "test" | "true" | "yes" | "1" | "sent" => Some(Assigned::Treated),
        "holdout" | "heldout" | "control" | "false" | "no" | "0" => Some(Assigned::HeldOut),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_that_is_none_is_refused_by_its_line_and_quotes_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("assigned.csv");
        let refused = |rows: &str| {
            std::fs::write(&path, format!("customer_id,group\na,treated\n{rows}\n")).unwrap();
            read_assignments(&path).map_err(|error| error.to_string())
        };
        assert_eq!(refused("b,holdout").unwrap().len(), 2);
        for (rows, told) in [
            ("b,mail7@shop.example", "line 3: expected treated or holdout for group, got what"),
            ("b,", "line 3: expected treated or holdout for group"),
            ("b,holdout,oops", "line 3: expected 2 columns, got 3"),
            ("b,maybe", "got \"maybe\""),
        ] {
            let refused = refused(rows).unwrap_err();
            assert!(refused.contains(told) && !refused.contains("mail7"), "{refused}");
        }
    }

    #[test]
    fn orders_count_from_the_start_to_before_the_end_and_money_before_it_apart() {
        let day = |n: i64| Timestamp(0).plus_days(n);
        let paid = |n, value| Paid { at: day(n), value };
        let orders = [paid(1, 1.0), paid(25, 2.0), paid(30, 4.0), paid(39, 8.0), paid(40, 16.0)];
        let window = Window { start: day(30), end: day(40), before_days: 10 };
        let assignment = Assignment {
            customer: "c".into(),
            assigned: Assigned::Treated,
            segment: String::new(),
        };
        let subject = subject(&assignment, &orders, &window);
        assert_eq!((subject.orders, subject.revenue, subject.before), (2, 12.0, 2.0));
        assert!(Window { end: day(30), ..window }.check().is_err());
    }

    #[test]
    fn assignments_are_read_and_another_word_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("who.csv");
        std::fs::write(&path, "customer_id,group,segment\na,treated,x\nb,holdout,\na,holdout,x\n")
            .unwrap();
        let read = read_assignments(&path).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(read[1].assigned, Assigned::HeldOut);
        std::fs::write(&path, "customer_id,group\na,perhaps\n").unwrap();
        let error = read_assignments(&path).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("perhaps"), "{error}");
    }
}
