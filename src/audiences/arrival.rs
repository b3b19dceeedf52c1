//! Who may want an item that is new: what is near it, by sales where there are any, by content where not.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::catalog::Item;
use crate::customers::{History, Interests};
use crate::ids::ItemId;
use crate::index::Contents;

/// Sales of the item that speak as loudly as its content does.
const SALES_PRIOR: f32 = 20.0;
/// What was bought n times speaks n to this power times as loudly.
const OFTEN: f32 = 0.7;
/// Words shorter than this say nothing.
const LEAST_LETTERS: usize = 3;
/// What a level of the category, the brand and the words of the title weigh in likeness.
const CATEGORY: f32 = 0.6;
const BRAND: f32 = 0.2;
const WORDS: f32 = 1.0;

/// How much having bought an item speaks for the new ones; by item, 0 = not at all.
#[derive(Clone, Debug)]
pub(super) struct Affinity {
    weights: Vec<f32>,
    new: FxHashSet<ItemId>,
    interests: Interests,
}

impl Affinity {
    pub(super) fn of(contents: &Contents, new: &[ItemId]) -> Self {
        let mut weights = vec![0.0f32; contents.len()];
        for &item in new {
            let sold = contents.bought.item_groups.get(item.index()).copied().unwrap_or(0) as f32;
            let trust = sold / (sold + SALES_PRIOR);
            add(&mut weights, &by_sales(contents, item), trust);
            add(&mut weights, &by_content(contents, item), 1.0 - trust);
        }
        Self { weights, new: new.iter().copied().collect(), interests: contents.interests }
    }

    /// How much a customer's past speaks for the new items, and the item that does most; `None` for one who
    /// has bought them already, or of whose past nothing is near.
    pub(super) fn of_past(&self, history: &History) -> Option<(f32, ItemId)> {
        let speaks = |item: ItemId| self.weights[item.index()];
        if history.bought.iter().any(|bought| self.new.contains(&bought.item)) {
            return None;
        }
        let bought =
            history.bought.iter().map(|b| (b.item, speaks(b.item) * b.strength.powf(OFTEN)));
        let glanced =
            history.glances.iter().map(|g| (g.item, speaks(g.item) * self.interests.of(g.kind)));
        let (mut sum, mut best) = (0.0, None::<(f32, ItemId)>);
        for (item, weight) in bought.chain(glanced).filter(|(_, weight)| *weight > 0.0) {
            sum += weight;
            if best.is_none_or(|(most, _)| weight > most) {
                best = Some((weight, item));
            }
        }
        best.map(|(_, item)| (sum, item))
    }
}

fn add(sum: &mut [f32], more: &FxHashMap<ItemId, f32>, weight: f32) {
    let total: f32 = more.values().copied().fold(0.0, f32::max);
    for (item, value) in more {
        sum[item.index()] += weight * value / total.max(f32::MIN_POSITIVE);
    }
}

/// What is bought with it, wanted by the same customers, or calls for it.
fn by_sales(contents: &Contents, item: ItemId) -> FxHashMap<ItemId, f32> {
    let mut near: FxHashMap<ItemId, f32> = FxHashMap::default();
    let mut raise = |other: ItemId, by: f32| *near.entry(other).or_default() += by;
    for rules in [&contents.bought.lists, &contents.collected.lists] {
        let most = rules.row(item.index()).first().map_or(1.0, |rule| rule.score);
        rules.row(item.index()).iter().for_each(|rule| raise(rule.item, rule.score / most));
    }
    for neighbour in contents.neighbours.row(item.index()) {
        raise(neighbour.item, neighbour.cosine);
    }
    for (other, pulls) in contents.drawn.rows().enumerate() {
        for pull in pulls.iter().filter(|pull| pull.item == item) {
            raise(ItemId::new(other), 2.0 * pull.weight);
        }
    }
    near
}

/// What is like it: category by shared levels, brand, words of the title by how rare they are.
fn by_content(contents: &Contents, item: ItemId) -> FxHashMap<ItemId, f32> {
    let new = &contents.items[item.index()];
    let own = words(new);
    let mut holders: FxHashMap<&str, u32> = FxHashMap::default();
    let titles: Vec<FxHashSet<String>> = contents.items.iter().map(words).collect();
    for word in titles.iter().flatten().filter(|word| own.contains(*word)) {
        *holders.entry(word.as_str()).or_default() += 1;
    }
    let count = contents.len() as f32;
    let rarity = |word: &str| (count / (1.0 + holders.get(word).copied().unwrap_or(0) as f32)).ln();
    let whole: f32 = own.iter().map(|word| rarity(word).max(0.0)).sum();
    let mut near = FxHashMap::default();
    for (other, old) in contents.items.iter().enumerate().filter(|(at, _)| *at != item.index()) {
        let shared = old.category.iter().zip(&new.category).take_while(|(a, b)| a == b).count();
        let levels = shared as f32 / new.category.len().max(1) as f32;
        let brand = if new.brand.is_some() && old.brand == new.brand { BRAND } else { 0.0 };
        let common = titles[other].iter().filter(|word| own.contains(*word));
        let common: f32 = common.map(|word| rarity(word).max(0.0)).sum();
        let likeness =
            CATEGORY * levels.powi(4) + brand + WORDS * common / whole.max(f32::MIN_POSITIVE);
        if likeness > 0.05 {
            near.insert(ItemId::new(other), likeness * likeness);
        }
    }
    near
}

fn words(item: &Item) -> FxHashSet<String> {
    let title = item.title.as_deref().unwrap_or_default().to_lowercase();
    let words = title.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| word.len() >= LEAST_LETTERS).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::customers::{Bought, Glance};
    use crate::time::Timestamp;

    fn bought(item: usize) -> Bought {
        Bought {
            item: ItemId::new(item),
            times: 1,
            first: Timestamp(0),
            last: Timestamp(0),
            strength: 1.0,
            usual_days: 0.0,
            orders_ago: 0,
            orders_since_first: 0,
            lately: 1.0,
        }
    }

    #[test]
    fn an_item_that_was_never_sold_is_wanted_by_those_who_bought_its_like() {
        let item = |title: &str, category: &str| Item {
            title: Some(title.into()),
            category: vec!["Home".into(), category.into()],
            ..Item::default()
        };
        let contents = Contents {
            items: vec![
                item("red tea pot", "Kitchen"),
                item("blue tea pot", "Kitchen"),
                item("garden hose", "Garden"),
            ]
            .into(),
            ..Contents::default()
        };
        let affinity = Affinity::of(&contents, &[ItemId::new(0)]);
        let past = |items: &[usize]| History {
            bought: items.iter().copied().map(bought).collect(),
            glances: Vec::<Glance>::new(),
            ..History::default()
        };
        let like = affinity.of_past(&past(&[1])).unwrap();
        let unlike = affinity.of_past(&past(&[2]));
        assert!(unlike.is_none_or(|(score, _)| score < 0.5 * like.0), "{like:?} {unlike:?}");
        assert_eq!(like.1, ItemId::new(1));
        assert_eq!(affinity.of_past(&past(&[0, 1])), None, "who has it is left in peace");
        assert_eq!(affinity.of_past(&past(&[])), None);
    }
}
