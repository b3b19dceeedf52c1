//! What sells better than it used to: found while it is still small, and not by chance alone.
//!
//! ```text
//! days ─ the eight windows before → usual rate of item and category, and how rates wander here
//!      ─ the window ──────────────→ recent count ─ lower bound of recent ÷ usual
//!                                               └ chance of so many at the usual rate → discoveries
//! ```
//!
//! Rates are per unit of what the shop sells, so that a busy week lifts nothing; a category's own weekdays are
//! corrected for. Counts are of distinct customers, each once a day.

use super::days::Days;
use crate::catalog::CategoryTree;
use crate::ids::ItemId;
use crate::special::{beta_quantile, beta_share};

/// An item that sells better than it used to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Riser {
    /// Which.
    pub item: ItemId,
    /// Distinct customers in the window, each once a day.
    pub count: u32,
    /// As many as its usual rate would have brought, > 0.
    pub expected: f32,
    /// With 95 % confidence its rate is at least so many times the usual, > 1.
    pub at_least: f32,
    /// Among those of which at most one in ten rose by chance alone.
    pub sure: bool,
}

/// The usual rate is that of so many windows before …
const WINDOWS_BEFORE: usize = 8;
/// … and of at least as many weeks.
const LEAST_WINDOW_DAYS: usize = 7;
/// What the category's rate counts for, in customers of the item.
const CATEGORY_PRIOR: f64 = 0.5;
/// The belief that nothing has changed, in customers of the window.
const SAME_PRIOR: f64 = 2.0;
/// The bound is below the true ratio but for this chance.
const BOUND: f64 = 0.05;
/// Share of false ones among the discoveries, at most. Source: Benjamini & Hochberg 1995.
const FALSE_DISCOVERIES: f64 = 0.1;
/// Customers of a category that its weekdays are weighed against.
const WEEKDAY_PRIOR: f64 = 100.0;
/// An item tells how rates wander if it had so many customers before.
const TELLING: u32 = 16;

/// The risers of the window of `window_days` that ends before day `until` of the log, the surest bound first.
///
/// With n customers in the window, h before, and E and H what the shop sold in the two, bent by the category's
/// weekdays, the usual rate is u ~ Gamma(a, a/û), where û = (½ + h)/(½/m + H), m is the category's rate per item,
/// and a = ½ + h, but no more than what rates wander by from window to window in this shop allows; the recent rate
/// is r ~ Gamma(n + 2, E + 2/û). The bound is the 5 % quantile of r ÷ u, and the chance of n or more at the usual
/// rate that of the negative binomial.
///
/// Before its first sale an item sold nothing: what is new and sells rises. (To count from the first sale finds
/// what grows since; but of what sold well in the week after, far less was found.)
pub fn risers(
    days: &Days,
    until: usize,
    window_days: usize,
    categories: &CategoryTree,
) -> Vec<Riser> {
    let Some(span) = Span::ending(days, until, window_days) else { return Vec::new() };
    let shop = Usual::of(days, span, categories);
    let steadiness = shop.steadiness();
    let mut tested = 0usize;
    let mut found: Vec<(f64, Riser)> = Vec::new();
    for item in (0..days.items.len()).map(ItemId::new) {
        let Some(case) = shop.case(item) else { continue };
        tested += 1;
        found.extend(case.judged(item, steadiness));
    }
    discover(&mut found, tested);
    let mut risers: Vec<Riser> = found.into_iter().map(|(_, riser)| riser).collect();
    risers.sort_by(|a, b| b.at_least.total_cmp(&a.at_least).then(a.item.cmp(&b.item)));
    risers
}

/// Days of the log: the history, and the window behind it.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: usize,
    window: usize,
    until: usize,
    /// Days of each of the windows before.
    step: usize,
}

impl Span {
    /// `None` if there is no day before the window.
    fn ending(days: &Days, until: usize, window_days: usize) -> Option<Self> {
        let until = until.min(days.len());
        let window = until.checked_sub(window_days).filter(|&window| window > 0)?;
        let step = window_days.max(LEAST_WINDOW_DAYS);
        Some(Self { from: window.saturating_sub(WINDOWS_BEFORE * step), window, until, step })
    }
}

/// What is usual in the shop.
struct Usual<'a> {
    days: &'a Days,
    span: Span,
    categories: &'a CategoryTree,
    /// Per category (the last for items that have none): Σ of its volume from the span's first day to before each.
    exposure: Vec<Vec<f64>>,
    /// Per category: what an item that sells at all sells, per volume.
    rate: Vec<f64>,
}

/// One item's figures.
#[derive(Clone, Copy, Debug)]
struct Case {
    recent: u32,
    before: u32,
    recent_exposure: f64,
    exposure_before: f64,
    category_rate: f64,
}

impl<'a> Usual<'a> {
    fn of(days: &'a Days, span: Span, categories: &'a CategoryTree) -> Self {
        let rows = categories.len() + 1;
        let mut usual =
            Self { days, span, categories, exposure: Vec::new(), rate: vec![0.0; rows] };
        usual.exposure = usual.exposures(rows);
        let (mut sold, mut exposed, mut items) = (vec![0.0; rows], vec![0.0; rows], 0.0);
        for item in (0..days.items.len()).map(ItemId::new) {
            let Some(case) = usual.case(item) else { continue };
            let row = usual.row(item);
            sold[row] += f64::from(case.before);
            exposed[row] += case.exposure_before;
            items += 1.0;
        }
        // Each category is shrunk to the shop, as if it had two more items that sell as the shop's do.
        let in_shop: f64 = exposed.iter().sum::<f64>().max(1.0);
        let all = (sold.iter().sum::<f64>() + CATEGORY_PRIOR) / in_shop;
        let two = 2.0 * in_shop / f64::max(items, 1.0);
        usual.rate = (0..rows).map(|row| (sold[row] + two * all) / (exposed[row] + two)).collect();
        usual
    }

    fn row(&self, item: ItemId) -> usize {
        self.categories.of(item).map_or(self.categories.len(), |category| category.index())
    }

    /// The shop's volume on each day, as the category's weekdays bend it, summed up.
    fn exposures(&self, rows: usize) -> Vec<Vec<f64>> {
        let Span { from, window, until, .. } = self.span;
        let mut by_weekday = vec![[0u32; 7]; rows];
        for item in (0..self.days.items.len()).map(ItemId::new) {
            for on in self.days.between(item, from, window) {
                by_weekday[self.row(item)][self.days.weekday(on.day as usize)] += on.count;
            }
        }
        let mut shop = [0.0; 7];
        by_weekday.iter().for_each(|row| (0..7).for_each(|day| shop[day] += f64::from(row[day])));
        let all: f64 = shop.iter().sum::<f64>().max(1.0);
        let factor = |row: &[u32; 7], weekday: usize| {
            let of_row = f64::from(row.iter().sum::<u32>());
            let share = shop[weekday] / all;
            (f64::from(row[weekday]) + WEEKDAY_PRIOR * share)
                / (of_row * share + WEEKDAY_PRIOR * share).max(f64::MIN_POSITIVE)
        };
        let summed = |row: &[u32; 7]| {
            let factors: [f64; 7] = std::array::from_fn(|weekday| factor(row, weekday).max(0.01));
            let mut sum = 0.0;
            let mut sums = vec![0.0];
            for day in from..until {
                sum += f64::from(self.days.volume[day]) * factors[self.days.weekday(day)];
                sums.push(sum);
            }
            sums
        };
        by_weekday.iter().map(summed).collect()
    }

    fn exposed(&self, row: usize, from: usize, until: usize) -> f64 {
        let at = |day: usize| self.exposure[row][day - self.span.from];
        at(until) - at(from)
    }

    /// The item's figures; `None` if it was not sold in all that time.
    fn case(&self, item: ItemId) -> Option<Case> {
        let Span { from, window, until, .. } = self.span;
        let row = self.row(item);
        let case = Case {
            recent: self.days.of(item, window, until),
            before: self.days.of(item, from, window),
            recent_exposure: self.exposed(row, window, until),
            exposure_before: self.exposed(row, from, window),
            category_rate: self.rate[row],
        };
        (case.recent + case.before > 0 && case.recent_exposure > 0.0).then_some(case)
    }

    /// The shape of the Gamma by which an item's rate wanders from window to window: 1 ÷ the variance of the
    /// rate over its mean squared, by moments, from items that sell enough to tell.
    fn steadiness(&self) -> f64 {
        let Span { from, window, step, .. } = self.span;
        let (mut beyond, mut squares) = (0.0, 0.0);
        for item in (0..self.days.items.len()).map(ItemId::new) {
            let first = self.days.items.row(item.index()).first().map_or(0, |on| on.day as usize);
            let before = self.days.of(item, from, window);
            if before < TELLING || (first >= from && from > 0) {
                continue;
            }
            let row = self.row(item);
            let rate = f64::from(before) / self.exposed(row, from, window).max(f64::MIN_POSITIVE);
            for start in (from..window).step_by(step) {
                let end = (start + step).min(window);
                let expected = rate * self.exposed(row, start, end);
                let off = f64::from(self.days.of(item, start, end)) - expected;
                beyond += off * off - expected;
                squares += expected * expected;
            }
        }
        if beyond <= 0.0 { 1_000.0 } else { (squares / beyond).clamp(2.0, 1_000.0) }
    }
}

impl Case {
    /// The chance of so many at the usual rate, and the item as a riser; `None` if the bound is not above 1.
    fn judged(&self, item: ItemId, steadiness: f64) -> Option<(f64, Riser)> {
        let Self { recent, before, recent_exposure, exposure_before, category_rate } = *self;
        let a = CATEGORY_PRIOR + f64::from(before);
        let usual = a / (CATEGORY_PRIOR / category_rate + exposure_before);
        let a = a.min(steadiness);
        let n = f64::from(recent);
        let expected = usual * recent_exposure;
        if n <= expected {
            return None;
        }
        // r ÷ u = scale × x ÷ (1 − x), where x is Beta(n + 2, a).
        let scale = a / (expected + SAME_PRIOR);
        let shape = n + SAME_PRIOR;
        if beta_share(shape, a, 1.0 / (1.0 + scale)) >= BOUND {
            return None;
        }
        let x = beta_quantile(shape, a, BOUND);
        let at_least = (scale * x / (1.0 - x)) as f32;
        let chance = beta_share(n, a, expected / (expected + a));
        let expected = expected as f32;
        Some((chance, Riser { item, count: recent, expected, at_least, sure: false }))
    }
}

/// Marks the discoveries among `tested` items. Those that are not in `found` had a chance above all of these.
fn discover(found: &mut [(f64, Riser)], tested: usize) {
    found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.item.cmp(&b.1.item)));
    let bar = |place: usize| FALSE_DISCOVERIES * (place + 1) as f64 / tested.max(1) as f64;
    let sure = (0..found.len()).rev().find(|&place| found[place].0 <= bar(place));
    let sure = sure.map_or(0, |last| last + 1);
    found[..sure].iter_mut().for_each(|(_, riser)| riser.sure = true);
}
