//! Who was in a campaign, and what they bought.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use crate::customers::Paid;
use crate::error::{Error, Result, counted};
use crate::tables::{Broken, Content, Role, Table, are_whole_floats, detect, is_absent, quoted};
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

    /// Whether events of which the last is this leave out some of the campaign; on its last day none need have come.
    pub fn goes_on_after(&self, last: Timestamp) -> bool {
        last.plus_days(1) < self.end
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

/// What an assigned customer with these orders did; `before` are their orders as they stood when it started: what was
/// sent back since may be the campaign's doing.
pub fn subject(
    assignment: &Assignment,
    orders: &[Paid],
    before: &[Paid],
    window: &Window,
) -> Subject {
    let earliest = window.start.plus_days(-i64::from(window.before_days));
    Subject {
        assigned: assignment.assigned,
        segment: assignment.segment.clone(),
        orders: paid(orders, window.start..window.end).count() as u32,
        revenue: paid(orders, window.start..window.end).sum(),
        before: paid(before, earliest..window.start).sum(),
    }
}

/// What each of the orders within a time came to.
fn paid(orders: &[Paid], within: Range<Timestamp>) -> impl Iterator<Item = f64> {
    let orders = orders.iter().filter(move |order| within.contains(&order.at));
    orders.map(|order| f64::from(order.value))
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

/// Each customer once, as they come first.
///
/// Errors: what is wrong, in words, where customers are in both groups.
pub fn distinct(assignments: Vec<Assignment>) -> Result<Vec<Assignment>, String> {
    let mut groups: BTreeMap<&str, BTreeSet<Assigned>> = BTreeMap::new();
    for one in &assignments {
        groups.entry(&one.customer).or_default().insert(one.assigned);
    }
    let both = groups.values().filter(|groups| groups.len() > 1).count();
    if both > 0 {
        let customers = counted(both as u64, "customer");
        return Err(format!(
            "expected each customer to be treated or held out, got {customers} in both groups"
        ));
    }
    let mut seen = BTreeSet::new();
    let is_first = |one: &Assignment| seen.insert(one.customer.clone());
    Ok(assignments.into_iter().filter(is_first).collect())
}

/// Reads who was in a campaign: `customer_id`, `group` (treated, or holdout; without it all were treated)
/// and `segment`, if there is one. A customer who comes twice counts once, as the first row says.
///
/// Errors: the file is missing or damaged, has no customer column, a row of another width, a group that is
/// neither, or customers in both groups.
pub fn read_assignments(path: &Path) -> Result<Vec<Assignment>> {
    let table = Table::open(path)?;
    let detected = detect(&table, &ROLES, &BTreeMap::new())?;
    detected.require_or(&table, &ROLES, &["customer_id"], "Call the column customer_id.")?;
    let columns: Vec<usize> = (0..table.names.len()).collect();
    let place = |role: usize| detected.columns[role].first().copied();
    let keys = table.sample.column(detected.columns[0][0]).filter(|key| !is_absent(key));
    let are_floats = are_whole_floats(keys);
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
            let Some(mut customer) = text(0) else { continue };
            if let Some(whole) = customer.strip_suffix(".0").filter(|_| are_floats) {
                customer = whole.to_owned();
            }
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
            let segment = text(2).unwrap_or_default();
            assignments.push(Assignment { customer, assigned, segment });
        }
        Ok(())
    })?;
    distinct(assignments).map_err(|wrong| Error::Input(format!("{}: {wrong}", path.display())))
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
    fn a_customer_in_both_groups_is_refused_and_counted_and_not_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("assigned.csv");
        std::fs::write(&path, "customer_id,group\nann,treated\nben,treated\nann,holdout\n")
            .unwrap();
        let refused = read_assignments(&path).unwrap_err().to_string();
        let told =
            "expected each customer to be treated or held out, got 1 customer in both groups";
        assert!(refused.contains(told) && !refused.contains("ann"), "{refused}");
    }

    #[test]
    fn keys_that_went_through_a_float_are_those_of_the_events() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("assigned.csv");
        std::fs::write(&path, "customer_id,group\n371.0,treated\n,treated\n12.0,holdout\n")
            .unwrap();
        let customers = read_assignments(&path).unwrap().into_iter().map(|one| one.customer);
        assert_eq!(customers.collect::<Vec<_>>(), ["371", "12"]);
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
        // Half of the order of day 25 was sent back during the campaign.
        let before = [paid(19, 1.0), paid(20, 32.0), paid(25, 4.0)];
        let subject = subject(&assignment, &orders, &before, &window);
        assert_eq!((subject.orders, subject.revenue, subject.before), (2, 12.0, 36.0));
        assert!(Window { end: day(30), ..window }.check().is_err());
    }

    #[test]
    fn assignments_are_read_and_another_word_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("who.csv");
        std::fs::write(&path, "customer_id,group,segment\na,treated,x\nb,holdout,\na,treated,y\n")
            .unwrap();
        let read = read_assignments(&path).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(read[1].assigned, Assigned::HeldOut);
        std::fs::write(&path, "customer_id,group\na,perhaps\n").unwrap();
        let error = read_assignments(&path).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("perhaps"), "{error}");
    }
}
