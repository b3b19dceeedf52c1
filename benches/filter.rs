//! What a filter costs per row: 100,000 items held against a typical filter, and what parsing and binding cost.
//!
//! ```text
//! cargo bench --bench filter
//! ```
//!
//! The time per row is the item time divided out: divan prints rows per second beside it. Before anything is
//! timed, the matches are counted and held against the same condition written in Rust.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

use cartwright::filter::{Bound, FieldId, Filter, Row, Schema, Type};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROWS: u32 = 100_000;

const TYPICAL: &str = "price < current.price * 1.2 and brand != current.brand \
    and category under \"Food > Bread\" and in_stock";

const LISTS: &str =
    "brand in (\"b3\", \"b11\", \"b17\", \"b23\", \"b29\", \"b31\") or price / 2 < 1";

fn main() {
    check_the_answers();
    divan::main();
}

#[divan::bench(args = ["typical", "lists"])]
fn rows(bencher: Bencher, name: &str) {
    let (items, bound) = (items(), bound(if name == "typical" { TYPICAL } else { LISTS }));
    bencher
        .counter(ItemsCount::new(items.len()))
        .bench_local(|| black_box(&items).iter().filter(|item| bound.matches(*item)).count());
}

#[divan::bench]
fn parse() -> Filter {
    Filter::parse(black_box(TYPICAL), &Shop).expect("the bench's own filter")
}

#[divan::bench]
fn bind(bencher: Bencher) {
    let filter = parse();
    let current = item(7);
    bencher.bench_local(|| filter.bind(Some(black_box(&current))));
}

fn check_the_answers() {
    let (items, current) = (items(), item(7));
    let typical = |item: &Item| {
        let bread = item.category == "Food > Bread" || item.category.starts_with("Food > Bread > ");
        let cheaper = item.price < current.price * 1.2;
        cheaper && item.brand != current.brand && bread && item.in_stock
    };
    let listed = ["b3", "b11", "b17", "b23", "b29", "b31"];
    let lists = |item: &Item| listed.contains(&item.brand.as_str()) || item.price / 2.0 < 1.0;
    for (text, same) in [(TYPICAL, &typical as &dyn Fn(&Item) -> bool), (LISTS, &lists)] {
        let bound = bound(text);
        assert!(items.iter().all(|item| bound.matches(item) == same(item)), "{text}");
        let matches = items.iter().filter(|item| same(item)).count();
        assert!(matches > 1000 && matches < items.len() / 2, "{matches} rows match {text}");
    }
}

fn bound(text: &str) -> Bound {
    Filter::parse(text, &Shop).expect("the bench's own filter").bind(Some(&item(7)))
}

struct Item {
    price: f64,
    brand: String,
    category: &'static str,
    in_stock: bool,
}

fn items() -> Vec<Item> {
    (0..ROWS).map(item).collect()
}

/// The item with this number: made up, and always the same.
fn item(number: u32) -> Item {
    const CATEGORIES: [&str; 5] =
        ["Food > Bread", "Food > Bread > Rolls", "Food > Breadcrumbs", "Drink > Tea", "Food"];
    let mixed = number.wrapping_mul(2_654_435_761) >> 8;
    Item {
        price: f64::from(mixed % 2000) / 100.0,
        brand: format!("b{}", mixed % 37),
        category: CATEGORIES[(mixed / 37 % 5) as usize],
        in_stock: !(mixed / 185).is_multiple_of(4),
    }
}

struct Shop;

impl Schema for Shop {
    fn field(&self, name: &str) -> Option<(FieldId, Type)> {
        match name {
            "price" => Some((FieldId(0), Type::Number)),
            "brand" => Some((FieldId(1), Type::Text)),
            "category" => Some((FieldId(2), Type::Path)),
            "in_stock" => Some((FieldId(3), Type::Flag)),
            _ => None,
        }
    }

    fn names(&self) -> Vec<String> {
        ["price", "brand", "category", "in_stock"].map(String::from).into()
    }
}

impl Row for Item {
    fn number(&self, _: FieldId) -> Option<f64> {
        Some(self.price)
    }
    fn text(&self, _: FieldId) -> Option<&str> {
        Some(&self.brand)
    }
    fn flag(&self, _: FieldId) -> Option<bool> {
        Some(self.in_stock)
    }
    fn path(&self, _: FieldId) -> Option<&str> {
        Some(self.category)
    }
    fn day(&self, _: FieldId) -> Option<i64> {
        None
    }
}
