//! The catalogue of the made-up shop: items, how popular they are, and the part each one plays.

use fastrand::Rng;
use jiff::ToSpan as _;

use super::chance::{self, Weights, between, chance, position};
use super::families::{Choice, DEPARTMENTS, FAMILIES, Family, GOES_WITH, Variants};
use super::{ShopItem, ShopOptions};
use crate::time::{DAY_MS, Timestamp};

/// Everything the shop sells, and how it is drawn from. Items and families are positions.
pub(super) struct Goods {
    pub(super) items: Vec<ShopItem>,
    pub(super) facts: Vec<Facts>,
    /// Members of each substitute group.
    pub(super) substitutes: Vec<Vec<usize>>,
    /// Anchor → its complements, each with the share of anchor orders that get it.
    pub(super) complements: Vec<Vec<(usize, f64)>>,
    pub(super) departments: Vec<DepartmentGoods>,
    pub(super) families: Vec<FamilyGoods>,
    /// Item and cycle in days.
    pub(super) reorder: Vec<(usize, u32)>,
    pub(super) reorder_weights: Weights,
    /// Items whose popularity will burst.
    pub(super) bursts: Vec<usize>,
    pub(super) item_weights: Weights,
    pub(super) department_weights: Weights,
}

pub(super) struct DepartmentGoods {
    pub(super) season: &'static [f64; 12],
    pub(super) families: Vec<usize>,
    pub(super) weights: Weights,
}

pub(super) struct FamilyGoods {
    pub(super) department: usize,
    pub(super) items: Vec<usize>,
    pub(super) weights: Weights,
    /// Used up, so bought in twos and threes and hardly ever returned.
    pub(super) consumable: bool,
    /// One is enough for years.
    pub(super) durable: bool,
}

/// What the catalogue doesn't tell about an item.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) family: usize,
    pub(super) substitutes: Option<usize>,
    /// 0 cheap, 1 middling, 2 dear, within its family.
    pub(super) tier: u8,
    /// Days since the start of the log; 0 for what was there before.
    pub(super) launch_day: u32,
    /// From this day on it can't be had.
    pub(super) sold_out_day: u32,
    /// Before this day it cost `old_price_cents`.
    pub(super) price_rise_day: u32,
    pub(super) old_price_cents: u32,
    popularity: f64,
    role: Role,
}

/// At most one part per item, so that planted effects don't blur one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Ordinary,
    Anchor,
    Complement,
    Reorder,
    Burst,
    Arrival,
    SoldOut,
}

impl Goods {
    pub(super) fn make(options: &ShopOptions) -> Self {
        let mut rng = chance::stream(options.seed, 0);
        let sizes = family_sizes(options.items);
        let mut goods = Self {
            items: Vec::with_capacity(options.items),
            facts: Vec::with_capacity(options.items),
            substitutes: Vec::new(),
            complements: vec![Vec::new(); options.items],
            departments: Vec::new(),
            families: Vec::with_capacity(sizes.len()),
            reorder: Vec::new(),
            reorder_weights: Weights::default(),
            bursts: Vec::new(),
            item_weights: Weights::default(),
            department_weights: Weights::default(),
        };
        for (family, size) in FAMILIES.iter().zip(sizes) {
            goods.add_family(family, size, options, &mut rng);
        }
        goods.plant_complements(options);
        goods.plant_reorder(options, &mut rng);
        goods.plant_bursts_launches_and_gaps(options, &mut rng);
        goods.set_popularity(&mut rng);
        goods
    }

    /// Can be looked at and bought on this day.
    pub(super) fn is_sold(&self, item: usize, day: u32) -> bool {
        let facts = &self.facts[item];
        facts.launch_day <= day && day < facts.sold_out_day
    }

    pub(super) fn price_cents(&self, item: usize, day: u32) -> u32 {
        let facts = &self.facts[item];
        if day < facts.price_rise_day {
            facts.old_price_cents
        } else {
            self.items[item].price_cents
        }
    }

    pub(super) fn department_of(&self, item: usize) -> usize {
        self.families[self.facts[item].family].department
    }

    fn add_family(
        &mut self,
        family: &'static Family,
        size: usize,
        options: &ShopOptions,
        rng: &mut Rng,
    ) {
        let index = self.families.len();
        let department = department_of(family);
        let first = self.items.len();
        let mut names = Names::new(family, department, rng);
        while self.items.len() < first + size {
            let product = names.next_product();
            // Every third product comes in two variants.
            let variants = if product.number.is_multiple_of(3) { 2 } else { 1 };
            let usual_price = draw_price(family, rng);
            let group_id = (variants > 1).then(|| format!("G{:05}", self.items.len() + 1));
            for variant in 0..variants.min(first + size - self.items.len()) {
                let number = self.items.len() + 1;
                let (color, size, percent) = names.variant(product.number, variant);
                let mark = color.or(size).unwrap_or_default();
                let price = charming(usual_price * percent / 100);
                self.items.push(ShopItem {
                    item_id: format!("{}-{number:04}", DEPARTMENTS[department].prefix),
                    title: format!("{}, {mark}", product.title),
                    category: family.category,
                    brand: product.brand,
                    price_cents: price,
                    cost_cents: price * between(rng, 45, 70) / 100,
                    in_stock: true,
                    group_id: group_id.clone(),
                    launched_at: midnight(options, -i64::from(between(rng, 30, 900))),
                    color,
                    size,
                });
                self.facts.push(Facts::of(family, index, (usual_price, price), options, rng));
            }
        }
        let items: Vec<usize> = (first..first + size).collect();
        if family.choice == Choice::PickOne {
            self.form_shelves(&items);
        }
        let consumable = family.lasts_days.is_some() || family.price_cents.1 < 1000;
        self.families.push(FamilyGoods {
            department,
            items,
            weights: Weights::default(),
            consumable,
            durable: family.choice == Choice::PickOne && family.lasts_days.is_none(),
        });
    }

    /// Splits a family into substitute groups of 3 to 5.
    fn form_shelves(&mut self, items: &[usize]) {
        if items.len() < 3 {
            return;
        }
        let shelves = items.len().div_ceil(5);
        for shelf in 0..shelves {
            let span = shelf * items.len() / shelves..(shelf + 1) * items.len() / shelves;
            let members = items[span].to_vec();
            for &item in &members {
                self.facts[item].substitutes = Some(self.substitutes.len());
            }
            self.substitutes.push(members);
        }
    }

    /// One pair for every ten items: first of each family, second of each, and so on.
    fn plant_complements(&mut self, options: &ShopOptions) {
        let wanted = options.items / 10;
        let family_of = |noun| FAMILIES.iter().position(|family| family.noun == noun);
        let largest = self.families.iter().map(|family| family.items.len()).max().unwrap_or(0);
        let mut planted = 0;
        for round in 0..largest {
            for link in &GOES_WITH {
                let ends = (family_of(link.anchor), family_of(link.complement));
                let (Some(anchor), Some(complement)) = ends else { continue };
                let item = |family: usize| self.families.get(family)?.items.get(round).copied();
                let (Some(anchor), Some(complement)) = (item(anchor), item(complement)) else {
                    continue;
                };
                if planted == wanted {
                    return;
                }
                self.complements[anchor].push((complement, link.share));
                self.facts[anchor].role = Role::Anchor;
                self.facts[complement].role = Role::Complement;
                planted += 1;
            }
        }
    }

    /// One in ten items, of the families that are used up.
    fn plant_reorder(&mut self, options: &ShopOptions, rng: &mut Rng) {
        let lasts = |item: usize| FAMILIES[self.facts[item].family].lasts_days;
        let mut fit: Vec<(usize, (u32, u32))> = (0..self.items.len())
            .filter(|&item| self.facts[item].role == Role::Ordinary)
            .filter_map(|item| Some((item, lasts(item)?)))
            .collect();
        chance::shuffle(rng, &mut fit);
        fit.truncate((options.items / 10).max(2));
        fit.sort_unstable();
        let longest = (options.days / 4).max(14); // several cycles must fit in the log
        for (item, (least, most)) in fit {
            self.facts[item].role = Role::Reorder;
            self.reorder.push((item, between(rng, least.min(longest), most.min(longest))));
        }
    }

    fn plant_bursts_launches_and_gaps(&mut self, options: &ShopOptions, rng: &mut Rng) {
        let mut free: Vec<usize> =
            (0..self.items.len()).filter(|&item| self.facts[item].role == Role::Ordinary).collect();
        chance::shuffle(rng, &mut free);
        let mut free = free.into_iter();
        for item in free.by_ref().take((options.items / 50).clamp(2, 24)) {
            self.facts[item].role = Role::Burst;
            self.bursts.push(item);
        }
        let launches = (options.items / 20).max(2);
        for (count, item) in free.by_ref().take(launches).enumerate() {
            // A quarter within the last two weeks, the rest spread over the log.
            let day = if count % 4 == 0 {
                options.days - between(rng, 3, 14)
            } else {
                between(rng, options.days / 6, options.days - 4)
            };
            self.facts[item].role = Role::Arrival;
            self.facts[item].launch_day = day;
            self.facts[item].price_rise_day = 0;
            self.items[item].launched_at = midnight(options, i64::from(day));
        }
        for item in free.take(if options.items < 100 { 1 } else { 2 }) {
            self.facts[item].role = Role::SoldOut;
            self.facts[item].sold_out_day = options.days - between(rng, 7, 21);
            self.items[item].in_stock = false;
        }
    }

    /// Zipf-like: the weight of rank r is 1 / (r + 2 % of all items). Planted pairs are among the popular,
    /// bursts come from the back.
    fn set_popularity(&mut self, rng: &mut Rng) {
        let mut places: Vec<(f64, usize)> = (self.facts.iter().enumerate())
            .map(|(item, facts)| (facts.role.place(rng.f64()), item))
            .collect();
        places.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let head = self.items.len() as f64 / 50.0;
        for (rank, &(_, item)) in places.iter().enumerate() {
            self.facts[item].popularity = 1.0 / (rank as f64 + 1.0 + head);
        }
        let popularity = |items: &[usize]| {
            let facts = &self.facts;
            Weights::new(items.iter().map(|&item| facts[item].popularity))
        };
        for family in &mut self.families {
            family.weights = popularity(&family.items);
        }
        let reorder: Vec<usize> = self.reorder.iter().map(|&(item, _)| item).collect();
        self.reorder_weights = popularity(&reorder);
        self.item_weights = Weights::new(self.facts.iter().map(|facts| facts.popularity));
        self.departments = (DEPARTMENTS.iter().enumerate())
            .map(|(index, department)| self.department(index, &department.season))
            .collect();
        self.department_weights =
            Weights::new(self.departments.iter().map(|department| department.weights.total()));
    }

    fn department(&self, index: usize, season: &'static [f64; 12]) -> DepartmentGoods {
        let families: Vec<usize> = (0..self.families.len())
            .filter(|&family| self.families[family].department == index)
            .collect();
        let totals = families.iter().map(|&family| self.families[family].weights.total());
        DepartmentGoods { season, weights: Weights::new(totals), families }
    }
}

impl Facts {
    fn of(
        family: &Family,
        index: usize,
        (usual_price, price): (u32, u32),
        options: &ShopOptions,
        rng: &mut Rng,
    ) -> Self {
        let (least, most) = family.price_cents;
        let third = (most - least) / 3 + 1;
        let rises = chance(rng, 0.3);
        Self {
            family: index,
            substitutes: None,
            tier: (usual_price.saturating_sub(least) / third).min(2) as u8,
            launch_day: 0,
            sold_out_day: u32::MAX,
            price_rise_day: if rises { between(rng, 10, options.days - 10) } else { 0 },
            old_price_cents: charming(price * 100 / between(rng, 104, 109)),
            popularity: 0.0,
            role: Role::Ordinary,
        }
    }
}

impl Role {
    /// Place in the order of popularity, 0 first: where a fair throw of `luck` in [0, 1) ends up.
    fn place(self, luck: f64) -> f64 {
        match self {
            Self::Anchor => luck * 0.3,
            Self::Complement | Self::Reorder => 0.15 + luck * 0.6,
            Self::Burst => 0.5 + luck * 0.5,
            Self::Arrival => 0.1 + luck * 0.5,
            Self::Ordinary | Self::SoldOut => luck,
        }
    }
}

/// A product before its variants.
struct Product {
    number: usize,
    title: String,
    brand: &'static str,
}

/// Gives out product names of one family, no two alike.
struct Names {
    family: &'static Family,
    brands: Vec<&'static str>,
    styles: Vec<&'static str>,
    first_variant: usize,
    next: usize,
}

/// Set before the style once brands and styles are used up.
const GRADES: [&str; 6] = ["Classic", "Reserve", "Little", "Heritage", "Weekend", "Extra Fine"];

impl Names {
    fn new(family: &'static Family, department: usize, rng: &mut Rng) -> Self {
        let mut brands = DEPARTMENTS[department].brands.to_vec();
        let mut styles = family.styles.to_vec();
        chance::shuffle(rng, &mut brands);
        chance::shuffle(rng, &mut styles);
        Self { family, brands, styles, first_variant: position(rng, 2), next: 0 }
    }

    fn next_product(&mut self) -> Product {
        let number = self.next;
        self.next += 1;
        let brand = self.brands[number % self.brands.len()];
        // For one brand, `number / brands` walks through the styles; adding `number` makes
        // neighbours differ in both.
        let turn = number / self.brands.len();
        let style = self.styles[(turn + number % self.brands.len()) % self.styles.len()];
        let round = turn / self.styles.len();
        let noun = self.family.noun;
        let title = match (round, GRADES.get(round.wrapping_sub(1))) {
            (0, _) => format!("{brand} {style} {noun}"),
            (_, Some(grade)) => format!("{brand} {grade} {style} {noun}"),
            (_, None) => format!("{brand} {style} {noun} No. {}", round - GRADES.len() + 1),
        };
        Product { number, title, brand }
    }

    /// Colour or size of a variant, and its price in percent of the usual one.
    fn variant(
        &self,
        product: usize,
        variant: usize,
    ) -> (Option<&'static str>, Option<&'static str>, u32) {
        let turn = self.first_variant + product + variant;
        match self.family.variants {
            Variants::Color(colors) => (Some(colors[turn % colors.len()]), None, 100),
            Variants::Size(sizes) => {
                let (size, percent) = sizes[turn % sizes.len()];
                (None, Some(size), percent)
            }
        }
    }
}

fn department_of(family: &Family) -> usize {
    let name = family.category.split(" > ").next().unwrap_or_default();
    let found = DEPARTMENTS.iter().position(|department| department.name == name);
    found.expect("every family's category starts with a department")
}

/// About four items per family or more, so that shelves have something to compare.
fn family_sizes(items: usize) -> Vec<usize> {
    let families = (items / 4).clamp(1, FAMILIES.len());
    (0..families).map(|index| items / families + usize::from(index < items % families)).collect()
}

/// The cheaper of two throws of the dice: most goods cost little.
fn draw_price(family: &Family, rng: &mut Rng) -> u32 {
    let (least, most) = family.price_cents;
    between(rng, least, most).min(between(rng, least, most))
}

/// Ends in 9 or 5 cents, as prices do.
fn charming(price_cents: u32) -> u32 {
    price_cents / 10 * 10 + if price_cents < 1000 { 5 } else { 9 }
}

/// Midnight (UTC) of the day `day` of the log; negative before it.
pub(super) fn midnight(options: &ShopOptions, day: i64) -> Timestamp {
    let epoch = jiff::civil::date(1970, 1, 1);
    let days = (options.first_day - epoch).get_days();
    Timestamp((i64::from(days) + day) * DAY_MS)
}

/// The date of the day `day` of the log.
pub(super) fn date(options: &ShopOptions, day: u32) -> jiff::civil::Date {
    options.first_day.saturating_add(i64::from(day).days())
}
