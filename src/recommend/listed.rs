//! Questions whose answers were listed beforehand, in the shop or for the customer: what is hot, what rises, what
//! is due again. Nothing is blended; what can't be offered gives way to what comes next.

use std::sync::LazyLock;

use super::blend::{Source, Weights};
use super::evidence::Evidence;
use super::pool::Pool;
use super::{Question, TrendingBy};
use crate::customers::History;
use crate::ids::{CategoryId, ItemId};
use crate::index::Contents;
use crate::trends::{Hot, HotLists, Window};

/// So many that may be answered are looked for, for each place of the answer: the shop's rules and the objective
/// may prefer a later one.
const FOR_EACH_PLACE: usize = 4;
/// What the next best kind of candidates is scaled to, so that it stands behind.
const BEHIND: f32 = 0.01;

/// Whether the question's answers were listed beforehand.
pub(super) fn is_listed(question: &Question<'_>) -> bool {
    matches!(question, Question::Trending { .. } | Question::Again)
}

/// The weights for such questions: what the lists say, then what is popular.
pub(super) fn weights() -> &'static Weights {
    static WEIGHTS: LazyLock<Weights> = LazyLock::new(|| Weights {
        category: 1.0,
        bought: 0.0,
        popular: 0.0,
        momentum: 0.0,
        reach: 0.0,
        ..Weights::default()
    });
    &WEIGHTS
}

/// Says what a list says.
const LIST: Source = Source::Category;

/// The category that a request means, however it spaces its levels.
pub fn known_category(contents: &Contents, path: &str) -> Option<CategoryId> {
    let categories = &contents.categories;
    categories.get(path).or_else(|| {
        let levels: Vec<&str> = path.split('>').map(str::trim).collect();
        categories.get(&levels.join(" > "))
    })
}

/// Candidates for what is hot, or rises.
pub(super) fn trending(
    pool: &mut Pool<'_>,
    window: Window,
    category: &str,
    by: TrendingBy,
    limit: usize,
) {
    let known = known_category(pool.contents, category);
    let mut list = List {
        lists: pool.contents.hot.of(window),
        window,
        row: Hot::row(known) as u32,
        // The whole shop stands in for a category that it does not have.
        fallback: known.is_none() && !category.trim().is_empty(),
        wanted: FOR_EACH_PLACE * limit,
    };
    match by {
        TrendingBy::BestSellers => list.sellers(pool, 1.0),
        TrendingBy::Rising => {
            list.risers(pool);
            list.fallback = true;
            list.sellers(pool, BEHIND * BEHIND);
        }
    }
    if list.wanted > (FOR_EACH_PLACE - 1) * limit {
        pool.add_popular_as(limit, true);
    }
}

/// Rows of a window that are gone through until enough is found.
struct List<'a> {
    lists: &'a HotLists,
    window: Window,
    row: u32,
    fallback: bool,
    wanted: usize,
}

impl List<'_> {
    /// Adds sellers, the best of which says `top`.
    fn sellers(&mut self, pool: &mut Pool<'_>, top: f32) {
        let &mut Self { lists, window, row, fallback, .. } = self;
        let sellers = lists.sellers.row(row as usize);
        let best = sellers.first().map_or(1.0, |seller| seller.score);
        for (seller, place) in sellers.iter().zip(0..) {
            // Never so little that what is merely popular would stand before it.
            let says = top * (seller.score / best).max(BEHIND);
            self.add(pool, seller.item, says, Evidence::Selling { window, row, place, fallback });
        }
    }

    /// Adds risers: what surely rises, and behind it what may have risen by chance.
    fn risers(&mut self, pool: &mut Pool<'_>) {
        let &mut Self { lists, window, row, .. } = self;
        let risers = lists.risers.row(row as usize);
        for sure in [true, false] {
            for (riser, place) in risers.iter().zip(0..).filter(|(riser, _)| riser.sure == sure) {
                let says = if sure { riser.at_least } else { BEHIND * riser.at_least.min(90.0) };
                let fallback = self.fallback || !sure;
                let evidence = Evidence::Rising { window, row, place, fallback };
                self.add(pool, riser.item, says, evidence);
            }
        }
    }

    fn add(&mut self, pool: &mut Pool<'_>, item: ItemId, says: f32, evidence: Evidence) {
        if self.wanted > 0 && !pool.is_known(item) && pool.may_enter(item) {
            pool.add(LIST, item, says, evidence);
            self.wanted -= 1;
        }
    }
}

/// Candidates for what a customer buys again: what is due, the likeliest first; what was bought without a rhythm,
/// the strongest first; and what is popular, to fill the answer up.
pub(super) fn again(pool: &mut Pool<'_>, history: Option<&History>, limit: usize) {
    let mut found = 0;
    if let Some(history) = history {
        for due in &history.due {
            let evidence = Evidence::Due {
                usual_days: due.usual_days,
                in_days: due.in_days,
                chance: due.chance,
            };
            pool.add(LIST, due.item, due.chance + BEHIND, evidence);
        }
        for bought in history.bought.iter().filter(|bought| bought.times > 0) {
            if !pool.is_known(bought.item) {
                let strength = bought.strength / (1.0 + bought.strength);
                pool.add(LIST, bought.item, BEHIND * BEHIND * strength.max(BEHIND), Evidence::Own);
            }
        }
        found = history.bought.iter().filter(|b| pool.may_answer(b.item) && b.times > 0).count();
    }
    if found < limit {
        pool.add_popular_as(limit, true);
    }
}
