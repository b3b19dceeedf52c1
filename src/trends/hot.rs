//! What is hot and what is rising in the last day, week and month, in the whole shop and in each category.

use jiff::tz::TimeZone;
use rayon::prelude::*;

use super::days::Days;
use super::rising::{Riser, risers};
use super::sellers::{Seller, sellers};
use crate::catalog::CategoryTree;
use crate::events::EventLog;
use crate::ids::{CategoryId, ItemId};
use crate::lists::Lists;

/// Longest list of the shop that is kept.
pub const LONGEST_LIST: usize = 1_000;
/// Longest list of a category.
const LONGEST_IN_CATEGORY: usize = 300;

/// How far back, in days of the shop; the last is that of the log's last event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Window {
    /// The last day.
    Day,
    /// The last 7 days.
    #[default]
    Week,
    /// The last 30 days.
    Month,
}

impl Window {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// How many days that are.
    pub fn days(self) -> u32 {
        match self {
            Self::Day => 1,
            Self::Week => 7,
            Self::Month => 30,
        }
    }

    /// In words: `week`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

/// The lists of one window. Row 0 is the whole shop, row 1 + c category c with those below it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HotLists {
    /// Best sellers, best first.
    pub sellers: Lists<Seller>,
    /// Risers, the surest bound first.
    pub risers: Lists<Riser>,
}

/// The lists of all windows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hot {
    /// By [`Window`], in its order.
    pub windows: [HotLists; 3],
}

impl Hot {
    /// Measures a log; `zone` decides what a day is. Nothing rises in a log without time.
    pub fn measure(
        log: &EventLog,
        zone: &TimeZone,
        categories: &CategoryTree,
        item_count: usize,
    ) -> Self {
        let days = Days::count(log, zone, item_count);
        let lists: Vec<HotLists> = Window::ALL
            .into_par_iter()
            .map(|window| HotLists {
                sellers: listed(sellers(log, zone, window, item_count), |s| s.item, categories),
                risers: listed(
                    risers(&days, days.len(), window.days() as usize, categories),
                    |riser| riser.item,
                    categories,
                ),
            })
            .collect();
        Self { windows: lists.try_into().expect("one for each window") }
    }

    /// The lists of a window.
    pub fn of(&self, window: Window) -> &HotLists {
        &self.windows[window as usize]
    }

    /// The row of the whole shop, or of a category.
    pub fn row(category: Option<CategoryId>) -> usize {
        category.map_or(0, |category| category.index() + 1)
    }
}

/// The ranking as lists, of the shop and of each category.
fn listed<T: Copy>(
    ranking: Vec<T>,
    item: impl Fn(&T) -> ItemId,
    categories: &CategoryTree,
) -> Lists<T> {
    let mut rows = vec![Vec::new(); categories.len() + 1];
    for entry in ranking {
        if rows[0].len() < LONGEST_LIST {
            rows[0].push(entry);
        }
        for category in categories.upwards(categories.of(item(&entry))) {
            let row = &mut rows[category.index() + 1];
            if row.len() < LONGEST_IN_CATEGORY {
                row.push(entry);
            }
        }
    }
    rows.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Item;
    use crate::events::{Event, EventKind};
    use crate::ids::CustomerId;
    use crate::time::Timestamp;

    /// Purchases in order of time: hours since 1970 in UTC, customer, item.
    fn log(purchases: &[(i64, usize, usize)]) -> EventLog {
        let event = |&(hour, customer, item): &(i64, usize, usize)| Event {
            at: Timestamp::from_secs(hour * 3_600),
            customer: Some(CustomerId::new(customer)),
            item: ItemId::new(item),
            group: None,
            quantity: 1.0,
            unit_price: 1.0,
            kind: EventKind::Purchase,
            discount_percent: 0,
        };
        let mut events: Vec<Event> = purchases.iter().map(event).collect();
        events.sort_by_key(|event| event.at);
        EventLog { events: events.into(), timed: true, ..EventLog::default() }
    }

    fn measured(purchases: &[(i64, usize, usize)], items: usize, zone: &str) -> Hot {
        let zone = TimeZone::get(zone).expect("a zone");
        let categories = CategoryTree::new(&vec![Item::default(); items]);
        Hot::measure(&log(purchases), &zone, &categories, items)
    }

    fn items_of(lists: &Lists<Seller>) -> Vec<(usize, u32)> {
        lists.row(0).iter().map(|seller| (seller.item.index(), seller.count)).collect()
    }

    #[test]
    fn the_same_log_in_two_zones_gives_two_rightly_different_days() {
        // 20:00 and 23:00 UTC on the first day, 02:00 on the second; item 1 sells in the evening only.
        let purchases = [(20, 0, 1), (20, 1, 1), (23, 2, 1), (26, 3, 0), (26, 4, 0)];
        let day = |zone| items_of(&measured(&purchases, 2, zone).of(Window::Day).sellers);
        // In UTC the last day began at midnight: only item 0 was sold on it.
        assert_eq!(day("UTC"), [(0, 2)]);
        // In New York it is still yesterday evening, and all five purchases are of one day.
        assert_eq!(day("America/New_York"), [(1, 3), (0, 2)]);
        // In Berlin midnight was at 23:00 UTC.
        assert_eq!(day("Europe/Berlin"), [(0, 2), (1, 1)]);
    }

    #[test]
    fn a_customer_counts_once_however_often_they_come() {
        let purchases = [(1, 0, 0), (2, 0, 0), (3, 0, 0), (2, 1, 1), (3, 2, 1)];
        let hot = measured(&purchases, 2, "UTC");
        assert_eq!(items_of(&hot.of(Window::Day).sellers), [(1, 2), (0, 1)]);
    }

    /// Ten weeks in which each of 20 items has 3 customers a week, on any day; in the last week item 7 has `more`.
    fn steady_shop(more: usize, busy: usize) -> Vec<(i64, usize, usize)> {
        let mut purchases = Vec::new();
        for week in 0..10 {
            for item in 0..20 {
                let customers = match (week, item) {
                    (9, 7) => more,
                    (9, _) => 3 * busy,
                    _ => 3,
                };
                for customer in 0..customers {
                    let day = week * 7 + (customer as i64 + item as i64) % 7;
                    purchases.push((day * 24 + 12, 100 * item + customer, item));
                }
            }
        }
        purchases
    }

    #[test]
    fn a_burst_is_found_and_nothing_else_is() {
        let hot = measured(&steady_shop(20, 1), 20, "UTC");
        let risers = hot.of(Window::Week).risers.row(0);
        assert_eq!(risers.len(), 1, "{risers:?}");
        assert_eq!((risers[0].item.index(), risers[0].count, risers[0].sure), (7, 20, true));
        assert!(risers[0].at_least > 2.0 && risers[0].at_least < 20.0 / risers[0].expected);
    }

    #[test]
    fn a_busy_week_lifts_nothing() {
        let hot = measured(&steady_shop(12, 4), 20, "UTC");
        assert!(hot.of(Window::Week).risers.row(0).is_empty(), "all sell four times as much");
    }

    #[test]
    fn a_weekday_that_is_always_busy_is_no_rise() {
        // Item 0 sells on Sundays only, the others on all other days; the log ends on a Sunday.
        let mut purchases = Vec::new();
        for day in 0..74i64 {
            let sunday = day % 7 == 3; // 1970 began on a Thursday
            for customer in 0..8 {
                let item = if sunday { 0 } else { 1 + customer };
                purchases.push((day * 24 + 12, (day * 10) as usize + customer, item));
            }
        }
        let last_day = 73;
        assert_eq!(last_day % 7, 3);
        let categories: Vec<Item> = (0..9)
            .map(|item| Item { category: vec![format!("C{}", item.min(1))], ..Item::default() })
            .collect();
        let categories = CategoryTree::new(&categories);
        let hot = Hot::measure(&log(&purchases), &TimeZone::UTC, &categories, 9);
        let sure = hot.of(Window::Day).risers.row(0).iter().filter(|riser| riser.sure).count();
        assert_eq!(sure, 0, "{:?}", hot.of(Window::Day).risers.row(0));
    }

    #[test]
    fn chance_alone_is_hardly_ever_a_discovery() {
        let mut chance = fastrand::Rng::with_seed(5);
        let mut purchases = Vec::new();
        for day in 0..63i64 {
            for customer in 0..200 {
                purchases.push((day * 24 + 12, day as usize * 200 + customer, chance.usize(..500)));
            }
        }
        let hot = measured(&purchases, 500, "UTC");
        for window in Window::ALL {
            let sure = hot.of(window).risers.row(0).iter().filter(|riser| riser.sure).count();
            assert!(sure <= 1, "{window:?}: {sure} of 500 items that all sell alike");
        }
    }
}
