//! What a customer likes to buy, at what price, and when.

use jiff::tz::TimeZone;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::Bought;
use super::ledger::Order;
use super::rfm::Ranks;
use crate::catalog::{CategoryTree, Item};
use crate::ids::{CategoryId, ItemId};
use crate::time::Timestamp;

/// What a customer likes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Preferences {
    /// At most 3, with the share of their purchases, 0 to 1, largest first. Two levels deep at most.
    pub categories: Vec<(CategoryId, f32)>,
    /// At most 3, with the share of their purchases, 0 to 1, largest first.
    pub brands: Vec<(String, f32)>,
    /// Where their purchases stand among the prices of the same category: 0 cheapest, 1 dearest; ½ where
    /// nothing has a price.
    pub price_level: f32,
    /// Share of their lines with money off, shrunk to the shop's as by 10 lines; 0 to 1.
    pub discount_share: f32,
    /// Day of most orders: 0 = Monday.
    pub weekday: u8,
    /// Hour of most orders, 0 to 23, in the shop's zone.
    pub hour: u8,
    /// What they buy most, at most 5, strongest first.
    pub favourites: Vec<Favourite>,
}

/// An item that a customer keeps buying.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Favourite {
    /// Which.
    pub item: ItemId,
    /// In how many orders.
    pub times: u32,
    /// The latest of them.
    pub last: Timestamp,
    /// Days usually between two of them; 0 if not known.
    pub usual_days: f32,
}

impl Preferences {
    /// "low", "middle" or "high": thirds of [`price_level`](Self::price_level).
    pub fn price_band(&self) -> &'static str {
        match self.price_level {
            level if level < 1.0 / 3.0 => "low",
            level if level <= 2.0 / 3.0 => "middle",
            _ => "high",
        }
    }
}

/// Kept of categories and brands.
const TOP: usize = 3;
const FAVOURITES: usize = 5;
/// Lines that the shop's share of discounts counts for.
const DISCOUNT_PRIOR: f32 = 10.0;
/// Fewer priced items in a category are compared with the whole shop's.
const LEAST_PRICED: usize = 5;

/// What is known of the shop's goods.
#[derive(Debug)]
pub(super) struct Shelf<'a> {
    items: &'a [Item],
    /// Per item.
    category: Vec<Option<CategoryId>>,
    /// Per item: 0 cheapest, 1 dearest of its category.
    level: Vec<Option<f32>>,
    /// Share of all lines with money off.
    pub(super) usual_discount: f32,
}

impl<'a> Shelf<'a> {
    pub(super) fn new(items: &'a [Item], tree: &CategoryTree, usual_discount: f32) -> Self {
        let category: Vec<_> = (0..items.len())
            .map(|item| {
                let up: Vec<CategoryId> = tree.upwards(tree.of(ItemId::new(item))).collect();
                up.len().checked_sub(2).or(up.len().checked_sub(1)).map(|at| up[at])
            })
            .collect();
        let price = |item: usize| items[item].price.filter(|&p| p > 0.0).map(|p| p as f32);
        let mut prices: FxHashMap<Option<CategoryId>, Vec<f32>> = FxHashMap::default();
        for (item, &category) in category.iter().enumerate() {
            prices.entry(category).or_default().extend(price(item));
        }
        let whole = Ranks::of((0..items.len()).filter_map(price));
        let ranks: FxHashMap<_, _> = prices
            .into_iter()
            .filter(|(_, prices)| prices.len() >= LEAST_PRICED)
            .map(|(category, prices)| (category, Ranks::of(prices.into_iter())))
            .collect();
        let level = |item: usize| {
            let ranks = ranks.get(&category[item]).unwrap_or(&whole);
            price(item).map(|price| ranks.share_below(price) as f32)
        };
        let level = (0..items.len()).map(level).collect();
        Self { items, category, level, usual_discount }
    }

    /// What a customer with these orders likes, who `bought` these items (as often as in lines) and has these
    /// `favourites`.
    pub(super) fn preferences(
        &self,
        orders: &[Order],
        bought: &[ItemId],
        favourites: Vec<Favourite>,
        zone: &TimeZone,
    ) -> Preferences {
        let (weekday, hour) = usual_time(orders, zone);
        let brands = top(bought.iter().filter_map(|i| self.items[i.index()].brand.as_deref()));
        Preferences {
            categories: top(bought.iter().filter_map(|item| self.category[item.index()])),
            brands: brands.into_iter().map(|(brand, share)| (brand.to_owned(), share)).collect(),
            price_level: self.price_level(bought),
            discount_share: self.discount_share(orders),
            weekday,
            hour,
            favourites,
        }
    }

    /// See [`Preferences::price_level`].
    pub(super) fn price_level(&self, bought: &[ItemId]) -> f32 {
        let levels = || bought.iter().filter_map(|item| self.level[item.index()]);
        match levels().count() {
            0 => 0.5,
            count => levels().sum::<f32>() / count as f32,
        }
    }

    /// See [`Preferences::discount_share`].
    pub(super) fn discount_share(&self, orders: &[Order]) -> f32 {
        let lines: u32 = orders.iter().map(|order| order.lines).sum();
        let discounted: u32 = orders.iter().map(|order| order.discounted).sum();
        (discounted as f32 + DISCOUNT_PRIOR * self.usual_discount) / (lines as f32 + DISCOUNT_PRIOR)
    }
}

/// The most frequent, each with its share of all.
fn top<T: Ord + std::hash::Hash + Copy>(values: impl Iterator<Item = T>) -> Vec<(T, f32)> {
    let mut counts: FxHashMap<T, u32> = FxHashMap::default();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    let all: u32 = counts.values().sum();
    let mut ranked: Vec<(T, u32)> = counts.into_iter().collect();
    ranked.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked.truncate(TOP);
    ranked.into_iter().map(|(value, count)| (value, count as f32 / all as f32)).collect()
}

fn usual_time(orders: &[Order], zone: &TimeZone) -> (u8, u8) {
    let (mut weekdays, mut hours) = ([0u32; 7], [0u32; 24]);
    for order in orders {
        // 1970-01-01 was a Thursday.
        weekdays[(order.day + 3).rem_euclid(7) as usize] += 1;
        let offset_s = match jiff::Timestamp::from_millisecond(order.at.0) {
            Ok(moment) if *zone != TimeZone::UTC => zone.to_offset(moment).seconds(),
            _ => 0,
        };
        let second = order.at.0.div_euclid(1000) + i64::from(offset_s);
        hours[second.rem_euclid(86_400) as usize / 3600] += 1;
    }
    (most(&weekdays), most(&hours))
}

/// The place of the largest, the first of equals.
fn most(counts: &[u32]) -> u8 {
    let largest = counts.iter().max().copied().unwrap_or(0);
    counts.iter().position(|&count| count == largest).unwrap_or(0) as u8
}

/// What was bought most.
pub(super) fn favourites(bought: &[Bought]) -> Vec<Favourite> {
    let mut strong: Vec<&Bought> = bought.iter().filter(|b| b.times > 0).collect();
    strong.sort_unstable_by(|a, b| b.strength.total_cmp(&a.strength).then(a.item.cmp(&b.item)));
    let favourite = |&Bought { item, times, last, usual_days, .. }: &Bought| Favourite {
        item,
        times,
        last,
        usual_days,
    };
    strong.into_iter().take(FAVOURITES).map(favourite).collect()
}

#[cfg(test)]
mod tests {
    use super::super::ledger::Ledger;
    use super::super::ledger::tests::log;
    use super::*;

    #[test]
    fn likes_are_shares_of_what_was_bought() {
        let item = |category: &str, brand: &str, price: f64| Item {
            category: vec!["Food".into(), category.into(), "deeper".into()],
            brand: Some(brand.into()),
            price: Some(price),
            ..Item::default()
        };
        let items = [item("Tea", "A", 1.0), item("Tea", "B", 9.0), item("Rice", "A", 4.0)];
        let tree = CategoryTree::new(&items);
        // Day 4 was a Monday.
        let log = log(&[
            (0, 4, 1, 0, 1.0, 50),
            (0, 4, 1, 2, 4.0, 0),
            (0, 11, 2, 0, 1.0, 0),
            (0, 12, 3, 0, 1.0, 0),
            (1, 12, 4, 1, 9.0, 0),
        ]);
        let ledger = Ledger::of(&log, &TimeZone::UTC);
        let shelf = Shelf::new(&items, &tree, 0.2);
        let preferences = |customer: usize| {
            let (orders, bought) = (ledger.orders.row(customer), ledger.bought(&log, customer));
            shelf.preferences(orders, &bought, Vec::new(), &TimeZone::UTC)
        };
        let first = preferences(0);
        let names: Vec<&str> =
            first.categories.iter().map(|&(category, _)| tree.path(category)).collect();
        assert_eq!(names, ["Food > Tea", "Food > Rice"]);
        assert_eq!(first.categories[0].1, 0.75);
        assert_eq!(first.brands, [("A".to_owned(), 1.0)]);
        assert_eq!((first.weekday, first.hour), (0, 0));
        assert_eq!(first.price_band(), "low");
        assert_eq!(preferences(1).price_band(), "high");
        // 1 of 4 lines, where the shop has 1 in 5.
        assert!((first.discount_share - (1.0 + 2.0) / 14.0).abs() < 1e-6);
    }
}
