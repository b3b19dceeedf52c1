//! What a customer's past says of a new item, in figures that are weighed.

use super::likeness::Kin;
use crate::ids::ItemId;
use crate::time::Timestamp;

/// How many figures there are:
///
/// | | |
/// |---|---|
/// | 0 | how much the item is bought by anybody: in learning only, 0 when customers are compared |
/// | 1 to 5 | of its category: times, days since, items, times of late, share of all |
/// | 6 to 9 | of the category above: times, days since, items, share of all |
/// | 10, 11 | of its brand in there: times, items |
/// | 12 to 14 | of what is like it: all, the most, share of all |
/// | 15, 16 | times, orders |
/// | 17, 18, 21 | orders of late; days since the latest; orders per day |
/// | 19, 20 | items first bought of late; how many of all times were of another item |
///
/// All but likeness itself are logarithms.
pub(super) const FIGURES: usize = 22;

pub(super) type Figures = [f32; FIGURES];

/// What was bought n times speaks n to this power times as loudly.
const OFTEN: f32 = 0.7;
/// Bought so long ago, an item counts half for what is bought of late; days.
const HALF_LIFE_DAYS: f64 = 60.0;
/// Orders of late are those of so many days; items new to the customer of late, of twice as many.
const LATELY_DAYS: f64 = 28.0;
/// Never is as good as so many days ago.
const NEVER_DAYS: f64 = 400.0;
/// A share is drawn towards nothing by so many times.
const SHARE_PRIOR: f32 = 20.0;
/// Rates count from so many days before the first order.
const RATE_DAYS: f64 = 14.0;

/// An item that a customer has bought.
#[derive(Clone, Copy, Debug)]
pub(super) struct Had {
    pub(super) item: ItemId,
    /// In how many orders, at least 1.
    pub(super) times: u32,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

/// Purchases of one sort.
#[derive(Clone, Copy, Default)]
struct Sort {
    times: f32,
    items: f32,
    last: Option<Timestamp>,
}

impl Sort {
    fn add(&mut self, had: &Had) {
        self.times += had.times as f32;
        self.items += 1.0;
        self.last = self.last.max(Some(had.last));
    }

    fn days_since(&self, now: Timestamp) -> f32 {
        self.last.map_or(NEVER_DAYS, |last| now.days_since(last).max(0.0)) as f32
    }
}

/// What a customer with this past, of so many orders, is to the item that `kin` is about; `glanced` is what of
/// likeness they have looked at. `None` for one without a past, or who has the item.
pub(super) fn figures(
    kin: &Kin,
    past: &[Had],
    orders: u32,
    glanced: f32,
    now: Timestamp,
) -> Option<Figures> {
    let [mut all, mut category, mut parent, mut brand] = [Sort::default(); 4];
    let (mut like, mut most, mut like_times) = (glanced, 0.0f32, 0.0);
    let (mut of_late, mut fresh, mut first) = (0.0f32, 0.0f32, now);
    let mut order_days = Vec::new();
    for had in past {
        if had.item == kin.item {
            return None;
        }
        let near = &kin.near[had.item.index()];
        all.add(had);
        first = first.min(had.first);
        if near.in_category {
            category.add(had);
            let days = now.days_since(had.last).max(0.0);
            of_late += had.times as f32 * 0.5f64.powf(days / HALF_LIFE_DAYS) as f32;
        }
        if near.in_parent {
            parent.add(had);
        }
        if near.of_brand {
            brand.add(had);
        }
        like += near.like * (had.times as f32).powf(OFTEN);
        most = most.max(near.like);
        like_times += near.like * had.times as f32;
        fresh += f32::from(u8::from(now.days_since(had.first) <= 2.0 * LATELY_DAYS));
        if now.days_since(had.last) <= LATELY_DAYS {
            order_days.push(had.last);
        }
    }
    all.last?;
    order_days.sort_unstable();
    order_days.dedup();
    let share = |times: f32, least: f32| ((times + least) / (all.times + SHARE_PRIOR)).ln();
    let orders = orders.max(1) as f32;
    Some([
        0.0,
        category.times.ln_1p(),
        category.days_since(now).ln_1p(),
        category.items.ln_1p(),
        of_late.ln_1p(),
        share(category.times, 0.2),
        parent.times.ln_1p(),
        parent.days_since(now).ln_1p(),
        parent.items.ln_1p(),
        share(parent.times, 0.5),
        brand.times.ln_1p(),
        brand.items.ln_1p(),
        (5.0 * like).ln_1p(),
        most,
        share(like_times, 0.02),
        all.times.ln(),
        orders.ln(),
        (order_days.len() as f32).ln_1p(),
        all.days_since(now).ln_1p(),
        fresh.ln_1p(),
        (all.items / all.times).ln(),
        (orders / (now.days_since(first) + RATE_DAYS) as f32).ln(),
    ])
}

/// How loudly an item that was bought so many times speaks for one that it is so much like.
pub(super) fn speaks(like: f32, times: u32) -> f32 {
    like * (times as f32).powf(OFTEN)
}
