//! A log of a given size, written as it is made up: no part of it stays in memory.
//!
//! Items come in families, families have Zipf popularity, and every customer has three of them to come
//! back to. A visit looks at a few items of one family and now and then at something popular; every third
//! visit ends in an order, and every third order also holds the companion of one of its items. The same
//! [`Size`] gives the same bytes.

use std::io::{self, Write};

/// Items of one family.
const FAMILY: usize = 20;
/// Families that a customer comes back to.
const FAVOURITES: u64 = 3;
/// The log covers a year from this moment, 2025-01-01, in seconds since 1970.
const FIRST_S: u64 = 1_735_689_600;
const YEAR_S: u64 = 365 * 86_400;

/// How large a shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Items that are sold; ≥ 1.
    pub items: usize,
    /// Customers; ≥ 1.
    pub customers: usize,
    /// Lines of the log.
    pub events: u64,
}

/// Writes the log as CSV, in the canonical columns and in order of time.
///
/// Errors: those of `out`.
pub fn write(size: Size, out: impl Write) -> io::Result<()> {
    let mut log = Log { out, left: size.events };
    writeln!(log.out, "customer_id,item_id,timestamp,event_type,order_id,quantity,unit_price")?;
    let families = Zipf::new(size.items.div_ceil(FAMILY));
    let mut random = fastrand::Rng::with_seed(42);
    let mut visit = Visit::default();
    for order in 1.. {
        if log.left == 0 {
            break;
        }
        visit.make_up(size, &families, &mut random);
        let done = size.events - log.left;
        visit.at_s =
            FIRST_S + (u128::from(YEAR_S) * u128::from(done) / u128::from(size.events)) as u64;
        log.write(&visit, order)?;
    }
    log.out.flush()
}

struct Log<W> {
    out: W,
    /// Lines that may still be written.
    left: u64,
}

impl<W: Write> Log<W> {
    fn write(&mut self, visit: &Visit, order: u64) -> io::Result<()> {
        for (second, &item) in visit.looked_at.iter().enumerate() {
            self.line(visit, visit.at_s + 20 * second as u64, item, "view", None)?;
        }
        let end = visit.at_s + 20 * visit.looked_at.len() as u64;
        for &item in &visit.bought {
            self.line(visit, end, item, "purchase", Some(order))?;
        }
        Ok(())
    }

    fn line(
        &mut self,
        visit: &Visit,
        at_s: u64,
        item: usize,
        kind: &str,
        order: Option<u64>,
    ) -> io::Result<()> {
        if self.left == 0 {
            return Ok(());
        }
        self.left -= 1;
        write!(self.out, "C{:07},I{item:07},{at_s},{kind},", visit.customer)?;
        match order {
            Some(order) => writeln!(self.out, "O{order:08},1,{}.99", 1 + item * 7 % 200),
            None => writeln!(self.out, ",,"),
        }
    }
}

/// One customer, once.
#[derive(Default)]
struct Visit {
    customer: usize,
    at_s: u64,
    looked_at: Vec<usize>,
    bought: Vec<usize>,
}

impl Visit {
    fn make_up(&mut self, size: Size, families: &Zipf, random: &mut fastrand::Rng) {
        // Some come often and many rarely.
        self.customer =
            ((random.f64().powi(2) * size.customers as f64) as usize).min(size.customers - 1);
        let favourite = self.customer as u64 * FAVOURITES + random.u64(..FAVOURITES);
        let family = families.at(fastrand::Rng::with_seed(favourite).f64());
        self.looked_at.clear();
        self.bought.clear();
        for _ in 0..random.usize(1..=5) {
            let family = if random.u8(..10) < 7 { family } else { families.at(random.f64()) };
            // Within a family too the first are the most wanted.
            let member = (random.f64().powi(2) * FAMILY as f64) as usize;
            self.looked_at.push((family * FAMILY + member).min(size.items - 1));
        }
        if random.u8(..3) == 0 {
            let wanted = random.usize(1..=self.looked_at.len());
            self.bought.extend(&self.looked_at[..wanted]);
            if random.u8(..3) == 0 {
                self.bought.push((self.looked_at[0] ^ 1).min(size.items - 1));
            }
            self.bought.sort_unstable();
            self.bought.dedup();
        }
    }
}

/// Positions with popularity (position + 10)^-0.9.
struct Zipf {
    cumulative: Vec<f64>,
}

impl Zipf {
    fn new(count: usize) -> Self {
        let mut sum = 0.0;
        let cumulative = (0..count.max(1)).map(|position| {
            sum += (position as f64 + 10.0).powf(-0.9);
            sum
        });
        Self { cumulative: cumulative.collect() }
    }

    /// The position at this share of all popularity, 0 to 1.
    fn at(&self, share: f64) -> usize {
        let last = self.cumulative.len() - 1;
        let aim = share * self.cumulative[last];
        self.cumulative.partition_point(|sum| *sum <= aim).min(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Size = Size { items: 200, customers: 50, events: 1000 };

    fn text(size: Size) -> String {
        let mut out = Vec::new();
        write(size, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_log_has_as_many_lines_as_asked_for_and_the_same_ones_each_time() {
        for events in [0, 1, 999] {
            let lines = text(Size { events, ..SMALL }).lines().count();
            assert_eq!(lines, 1 + events as usize);
        }
        assert_eq!(text(SMALL), text(SMALL));
        assert_eq!(text(Size { items: 1, customers: 1, events: 50 }).lines().count(), 51);
    }

    #[test]
    fn popular_items_are_looked_at_often_and_customers_come_back() {
        let log = text(SMALL);
        let count = |what: &str| log.lines().filter(|line| line.contains(what)).count();
        assert!(count(",I0000000,") > 4 * count(",I0000190,"), "{}", count(",I0000000,"));
        assert!(count("C0000000,") > 10, "{}", count("C0000000,"));
        assert!((100..600).contains(&count("purchase")), "{}", count("purchase"));
    }
}
