//! How like a new item the others are, by what the catalogue says of them.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::catalog::{CategoryTree, Item, Shelf};
use crate::ids::{CategoryId, ItemId};
use crate::lists::Lists;

/// Words shorter than this say nothing.
const LEAST_LETTERS: usize = 3;
/// What the levels of the category that are shared, the brand and the words of the title weigh in likeness.
const CATEGORY: f32 = 0.6;
const BRAND: f32 = 0.2;
const WORDS: f32 = 1.0;
/// Less likeness than this is none.
const LEAST: f32 = 0.05;

/// What the catalogue says of all items, made ready to be compared.
#[derive(Clone, Debug)]
pub struct Likeness<'a> {
    categories: &'a CategoryTree,
    /// Per item.
    brands: Vec<Option<&'a str>>,
    /// Per item: the words of its title, as numbers, distinct.
    words: Lists<u32>,
    /// Per word: ln of all items to those that have it, never below 0.
    rarity: Vec<f32>,
}

/// What an older item is to a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Near {
    /// 0 to 1, where 1 is the most like of all.
    pub(super) like: f32,
    /// In its category; in the one above it; there, and of its brand.
    pub(super) in_category: bool,
    pub(super) in_parent: bool,
    pub(super) of_brand: bool,
}

/// What every item is to one that is new.
#[derive(Clone, Debug)]
pub struct Kin {
    pub(super) item: ItemId,
    pub(super) near: Vec<Near>,
}

impl<'a> Likeness<'a> {
    /// Of items in the order of their ids, and the categories that they span.
    pub fn new(items: &'a [Item], categories: &'a CategoryTree) -> Self {
        let said = items.iter().map(|item| (item.title.as_deref(), item.brand.as_deref()));
        Self::of(said, categories)
    }

    /// Of what the trainer has seen of a shelf.
    pub fn of_shelf(shelf: &'a Shelf, categories: &'a CategoryTree) -> Self {
        let all = (0..shelf.trained()).map(ItemId::new);
        Self::of(all.map(|item| (shelf.told_title(item), shelf.brand(item))), categories)
    }

    /// Of titles and brands.
    fn of(
        items: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)>,
        categories: &'a CategoryTree,
    ) -> Self {
        let mut brands = Vec::new();
        let mut numbers: FxHashMap<String, u32> = FxHashMap::default();
        let mut holders: Vec<u32> = Vec::new();
        let mut words = Lists::new();
        for (title, brand) in items {
            brands.push(brand);
            let title = title.unwrap_or_default().to_lowercase();
            let all = title.split(|c: char| !c.is_alphanumeric());
            let mut own: Vec<u32> = all
                .filter(|word| word.chars().count() >= LEAST_LETTERS)
                .map(|word| {
                    let next = numbers.len() as u32;
                    *numbers.entry(word.to_owned()).or_insert(next)
                })
                .collect();
            own.sort_unstable();
            own.dedup();
            holders.resize(numbers.len(), 0);
            own.iter().for_each(|&word| holders[word as usize] += 1);
            words.push(own);
        }
        let count = brands.len() as f32;
        let rarity = |&held: &u32| (count / (1.0 + held as f32)).ln().max(0.0);
        Self { categories, brands, words, rarity: holders.iter().map(rarity).collect() }
    }

    /// What every item is to `item`: (0.6 × (shared levels ÷ levels)⁴ + 0.2 if the brand is the same + the share of
    /// its words that both have, rare ones counting more)², as a share of the greatest.
    pub fn kin(&self, item: ItemId) -> Kin {
        let path: Vec<CategoryId> = self.upwards(item);
        let own: FxHashSet<u32> = self.words.row(item.index()).iter().copied().collect();
        let whole: f32 = own.iter().map(|&word| self.rarity[word as usize]).sum();
        let brand = self.brands[item.index()];
        let one = |other: usize| {
            if other == item.index() {
                return Near::default();
            }
            let levels = self.upwards(ItemId::new(other));
            let shared = path.iter().position(|category| levels.contains(category));
            let shared = shared.map_or(0, |above| path.len() - above);
            let of_brand = brand.is_some() && self.brands[other] == brand;
            let common = self.words.row(other).iter().filter(|word| own.contains(word));
            let common: f32 = common.map(|&word| self.rarity[word as usize]).sum();
            let levels_shared = shared as f32 / path.len().max(1) as f32;
            let likeness = CATEGORY * levels_shared.powi(4)
                + if of_brand { BRAND } else { 0.0 }
                + WORDS * common / whole.max(f32::MIN_POSITIVE);
            let in_parent = shared + 1 >= path.len();
            Near {
                like: if likeness > LEAST { likeness * likeness } else { 0.0 },
                in_category: shared == path.len() && levels.len() == path.len(),
                in_parent,
                of_brand: in_parent && of_brand,
            }
        };
        let mut near: Vec<Near> = (0..self.brands.len()).map(one).collect();
        let most = near.iter().map(|near| near.like).fold(f32::MIN_POSITIVE, f32::max);
        near.iter_mut().for_each(|near| near.like /= most);
        Kin { item, near }
    }

    /// The item's category and those above it.
    fn upwards(&self, item: ItemId) -> Vec<CategoryId> {
        self.categories.upwards(self.categories.of(item)).collect()
    }
}

impl Kin {
    /// Sales tell more than content once there are some: each item's likeness becomes `trust` (0 to 1) parts what
    /// `by_sales` says of it, as a share of the most it says, and the rest what it was.
    pub fn told_by_sales(&mut self, by_sales: &FxHashMap<ItemId, f32>, trust: f32) {
        let most = by_sales.values().copied().fold(f32::MIN_POSITIVE, f32::max);
        self.near.iter_mut().for_each(|near| near.like *= 1.0 - trust);
        for (item, says) in by_sales.iter().filter(|(item, _)| **item != self.item) {
            self.near[item.index()].like += trust * says / most;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(title: &str, path: &[&str], brand: &str) -> Item {
        Item {
            title: Some(title.into()),
            category: path.iter().map(|level| (*level).to_owned()).collect(),
            brand: Some(brand.into()),
            ..Item::default()
        }
    }

    #[test]
    fn what_shares_words_category_and_brand_is_near_and_the_nearest_is_one() {
        let items = [
            item("red tea pot", &["Home", "Kitchen"], "A"),
            item("blue tea pot", &["Home", "Kitchen"], "A"),
            item("wooden spoon", &["Home", "Kitchen"], "B"),
            item("table", &["Home", "Rooms"], "A"),
            item("garden hose", &["Garden"], "A"),
        ];
        let categories = CategoryTree::new(&items);
        let near = Likeness::new(&items, &categories).kin(ItemId::new(0)).near;
        let likes: Vec<f32> = near.iter().map(|near| near.like).collect();
        assert_eq!((likes[0], likes[1]), (0.0, 1.0), "{likes:?}");
        assert!(likes[1] > likes[2] && likes[2] > likes[3], "{likes:?}");
        assert!(near[2].in_category && near[2].in_parent && !near[2].of_brand);
        assert!(!near[3].in_category && near[3].in_parent && near[3].of_brand);
        assert!(!near[4].in_parent && !near[4].of_brand, "the brand counts near by only");
    }

    #[test]
    fn sales_take_the_place_of_content_as_far_as_they_are_trusted() {
        let items = [item("red tea pot", &[], ""), item("tea cup", &[], ""), item("hose", &[], "")];
        let categories = CategoryTree::new(&items);
        let mut kin = Likeness::new(&items, &categories).kin(ItemId::new(0));
        kin.told_by_sales(&[(ItemId::new(2), 7.0)].into_iter().collect(), 0.75);
        assert!(kin.near[2].like > 2.0 * kin.near[1].like, "{kin:?}");
        assert!(kin.near[1].like > 0.0, "{kin:?}");
    }
}
