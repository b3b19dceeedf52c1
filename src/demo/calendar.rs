//! The days of the log: weekday and season, sales, and the items that burst.

use jiff::civil::Date;

use super::ShopOptions;
use super::chance::{self, between, position};
use super::goods::{Goods, date, midnight};
use crate::time::Timestamp;

pub(super) struct Calendar {
    pub(super) days: Vec<Day>,
    pub(super) bursts: Vec<BurstDays>,
}

pub(super) struct Day {
    pub(super) midnight: Timestamp,
    pub(super) date: Date,
    /// 0 for January.
    pub(super) month: usize,
    /// Visits against an ordinary day, 1.0.
    pub(super) traffic: f64,
    pub(super) sale: Option<Sale>,
    /// Items in everyone's mouth, and the probability that a visitor looks one up.
    pub(super) bursts: Vec<(usize, f64)>,
}

/// Money off everything in one department, or in all.
#[derive(Clone, Copy)]
pub(super) struct Sale {
    department: Option<usize>,
    pub(super) percent: u32,
}

/// Both days belong to the burst.
pub(super) struct BurstDays {
    pub(super) item: usize,
    pub(super) first: u32,
    pub(super) last: u32,
}

/// Monday first: people stroll on Sunday and are out on Saturday.
const WEEKDAYS: [f64; 7] = [1.0, 0.95, 0.95, 1.0, 1.05, 0.85, 1.2];
const MONTHS: [f64; 12] = [0.9, 0.9, 0.95, 1.0, 1.0, 0.95, 0.85, 0.85, 0.95, 1.0, 1.25, 1.3];

impl Calendar {
    pub(super) fn make(options: &ShopOptions, goods: &Goods) -> Self {
        let days = (0..options.days).map(|day| Day::quiet(options, day)).collect();
        let mut calendar = Self { days, bursts: Vec::new() };
        calendar.plan_sales(options, goods);
        calendar.plan_bursts(options, goods);
        calendar
    }

    pub(super) fn len(&self) -> u32 {
        self.days.len() as u32 // made from a u32
    }

    /// Three days of sale a month in one department, and a weekend of it everywhere in late November.
    fn plan_sales(&mut self, options: &ShopOptions, goods: &Goods) {
        let mut rng = chance::stream(options.seed, 1);
        let stocked: Vec<usize> = (0..goods.departments.len())
            .filter(|&index| !goods.departments[index].families.is_empty())
            .collect();
        for month_start in (0..self.len()).step_by(30) {
            let first = month_start + between(&mut rng, 3, 24);
            let department = stocked[position(&mut rng, stocked.len())];
            let sale = Sale { department: Some(department), percent: between(&mut rng, 3, 6) * 5 };
            for day in self.days.iter_mut().skip(first as usize).take(3) {
                day.sale = Some(sale);
            }
        }
        for day in &mut self.days {
            if day.month == 10 && (27..=30).contains(&day.date.day()) {
                day.sale = Some(Sale { department: None, percent: 20 });
                day.traffic *= 1.5;
            }
        }
    }

    /// Bursts of 5 to 8 days, spread over the log but for its first quarter; the last one is still on
    /// when the log ends.
    fn plan_bursts(&mut self, options: &ShopOptions, goods: &Goods) {
        let mut rng = chance::stream(options.seed, 2);
        let count = goods.bursts.len() as u32; // a few dozen at most
        let quiet = options.days / 4;
        for (index, &item) in (0..).zip(&goods.bursts) {
            let length = between(&mut rng, 5, 8);
            let last = if index + 1 == count {
                options.days - 1
            } else {
                quiet + (options.days - quiet) * index / count + length
            };
            let first = last.min(options.days - 1) + 1 - length;
            self.bursts.push(BurstDays { item, first, last: first + length - 1 });
            for day in 0..length {
                let probability = 0.03 + 0.05 * f64::from(day) / f64::from(length);
                self.days[(first + day) as usize].bursts.push((item, probability));
            }
        }
    }
}

impl Day {
    fn quiet(options: &ShopOptions, day: u32) -> Self {
        let date = date(options, day);
        let month = date.month() as usize - 1; // jiff: 1 to 12
        let weekday = date.weekday().to_monday_zero_offset() as usize;
        Self {
            midnight: midnight(options, i64::from(day)),
            date,
            month,
            traffic: WEEKDAYS[weekday] * MONTHS[month],
            sale: None,
            bursts: Vec::new(),
        }
    }

    /// Percent off the goods of a department on this day.
    pub(super) fn percent_off(&self, department: usize) -> u32 {
        match self.sale {
            Some(sale) if sale.department.is_none_or(|on_sale| on_sale == department) => {
                sale.percent
            }
            _ => 0,
        }
    }

    /// The one department that is on sale.
    pub(super) fn sale_department(&self) -> Option<usize> {
        self.sale.and_then(|sale| sale.department)
    }
}
