//! The category tree, as far as the items span it.

use rustc_hash::FxHashMap;

use super::{BELOW, Item};
use crate::ids::CategoryId;

/// Every category that holds an item, and every category above one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CategoryTree {
    nodes: Vec<Node>,
    by_path: FxHashMap<String, CategoryId>,
    of_item: Vec<Option<CategoryId>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Node {
    path: String,
    parent: Option<CategoryId>,
}

impl CategoryTree {
    /// The tree over `items`, given in the order of their ids.
    pub fn new(items: &[Item]) -> Self {
        let paths: Vec<Option<String>> = items.iter().map(Item::path).collect();
        Self::over(paths.iter().map(Option::as_deref))
    }

    /// The tree over the items' full paths, given in the order of their ids.
    pub(crate) fn over<'a>(paths: impl Iterator<Item = Option<&'a str>>) -> Self {
        let mut tree = Self::default();
        for path in paths {
            let category = path.and_then(|path| tree.get(path).or_else(|| tree.grow(path)));
            tree.of_item.push(category);
        }
        tree
    }

    /// Adds what is missing on the way to the category with this path.
    fn grow(&mut self, path: &str) -> Option<CategoryId> {
        let ends = path.match_indices(BELOW).map(|(end, _)| end).chain([path.len()]);
        ends.fold(None, |parent, end| {
            let path = &path[..end];
            self.get(path).or_else(|| {
                let category = self.add(path, parent);
                self.by_path.insert(path.to_owned(), category);
                Some(category)
            })
        })
    }

    fn add(&mut self, path: &str, parent: Option<CategoryId>) -> CategoryId {
        self.nodes.push(Node { path: path.to_owned(), parent });
        CategoryId::new(self.nodes.len() - 1)
    }

    /// The category with this full path, `a > b > c`.
    pub fn get(&self, path: &str) -> Option<CategoryId> {
        self.by_path.get(path).copied()
    }

    /// The narrowest category of the item with this index, if it has one.
    #[inline]
    pub fn of(&self, item: crate::ids::ItemId) -> Option<CategoryId> {
        self.of_item.get(item.index()).copied().flatten()
    }

    /// The category and those above it, narrowest first.
    pub fn upwards(&self, from: Option<CategoryId>) -> impl Iterator<Item = CategoryId> {
        std::iter::successors(from, |category| self.nodes[category.index()].parent)
    }

    /// The full path, `a > b > c`.
    pub fn path(&self, category: CategoryId) -> &str {
        &self.nodes[category.index()].path
    }

    /// How many categories there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// True if no item has a category.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ItemId;

    fn item(category: &[&str]) -> Item {
        Item { category: category.iter().map(ToString::to_string).collect(), ..Item::default() }
    }

    #[test]
    fn categories_climb_from_the_narrowest_to_the_widest() {
        let tree =
            CategoryTree::new(&[item(&["Food", "Bread"]), item(&[]), item(&["Food", "Tea"])]);
        let path =
            |i| tree.upwards(tree.of(ItemId::new(i))).map(|c| tree.path(c)).collect::<Vec<_>>();
        assert_eq!(path(0), ["Food > Bread", "Food"]);
        assert!(path(1).is_empty() && path(9).is_empty());
        assert_eq!(path(2), ["Food > Tea", "Food"]);
        assert_eq!(tree.len(), 3);
        assert_eq!(tree.get("Food > Tea"), tree.of(ItemId::new(2)));
        assert_eq!(tree.get("Tea"), None);
    }
}
