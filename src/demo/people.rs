//! The customers of the made-up shop: what they like, how often they come, what they keep buying.

use fastrand::Rng;

use super::ShopOptions;
use super::chance::{Weights, between, chance, position};
use super::goods::Goods;

/// Someone who shops there.
pub(super) struct Customer {
    /// Families they like.
    tastes: Vec<usize>,
    taste_weights: Weights,
    /// The price tier they like, as in the facts of an item.
    tier: u8,
    /// Buys by preference what is on sale.
    pub(super) hunts_bargains: bool,
    /// Chance of a visit on an ordinary day, besides those for reorders.
    pub(super) visits_per_day: f64,
    /// Their first day in the shop.
    pub(super) joins: u32,
    /// From this day on they stay away.
    pub(super) leaves: Option<u32>,
    pub(super) habits: Vec<Habit>,
    /// Families of durable goods of which they have one.
    pub(super) owns: Vec<usize>,
}

/// An item that a customer uses up and buys again.
pub(super) struct Habit {
    pub(super) item: usize,
    /// How long it lasts this customer, in days.
    lasts_days: f64,
    /// The day on which they will need it again.
    pub(super) next_day: u32,
    /// How often they bought it so far.
    pub(super) bought: u32,
}

impl Habit {
    /// Bought today; the next time is a cycle away, give or take a tenth.
    pub(super) fn renew(&mut self, today: u32, rng: &mut Rng) {
        let jitter = 0.88 + 0.12 * (rng.f64() + rng.f64());
        let forgot = if chance(rng, 0.03) { 2.0 } else { 1.0 };
        self.next_day = today + ((self.lasts_days * jitter * forgot + 0.5) as u32).max(1);
        self.bought += 1;
    }
}

impl Customer {
    /// A customer with an account.
    pub(super) fn draw(options: &ShopOptions, goods: &Goods, rng: &mut Rng) -> Self {
        let mut customer = Self::stranger(goods, rng);
        customer.hunts_bargains = chance(rng, 0.2);
        let often = rng.f64();
        customer.visits_per_day = 0.095 * often * often * if chance(rng, 0.05) { 2.5 } else { 1.0 };
        customer.joins =
            if chance(rng, 0.55) { between(rng, 0, 13) } else { between(rng, 0, options.days - 1) };
        let stays_at_least = customer.joins + 20;
        if chance(rng, 0.3) && stays_at_least < options.days {
            customer.leaves = Some(between(rng, stays_at_least, options.days - 1));
        }
        customer.take_up_habits(options, goods, rng);
        customer
    }

    /// Somebody who looks in without a name.
    pub(super) fn stranger(goods: &Goods, rng: &mut Rng) -> Self {
        let tastes = draw_tastes(goods, rng);
        // What was drawn first is liked best.
        let taste_weights = Weights::new((1..=tastes.len()).map(|place| 1.0 / place as f64));
        Self {
            tastes,
            taste_weights,
            tier: between(rng, 0, 2) as u8, // 0 to 2
            hunts_bargains: false,
            visits_per_day: 0.0,
            joins: 0,
            leaves: None,
            habits: Vec::new(),
            owns: Vec::new(),
        }
    }

    pub(super) fn is_gone(&self, day: u32) -> bool {
        self.leaves.is_some_and(|leaves| leaves <= day)
    }

    pub(super) fn keeps_buying(&self, item: usize) -> bool {
        self.habits.iter().any(|habit| habit.item == item)
    }

    /// An item they come for: mostly by taste, sometimes what everyone buys.
    pub(super) fn wish(
        &self,
        goods: &Goods,
        day: u32,
        month: usize,
        rng: &mut Rng,
    ) -> Option<usize> {
        (0..12).find_map(|_| {
            let item = if chance(rng, 0.85) {
                let family = self.tastes[self.taste_weights.draw(rng)];
                let family = &goods.families[family];
                family.items[family.weights.draw(rng)]
            } else {
                goods.item_weights.draw(rng)
            };
            let department = &goods.departments[goods.department_of(item)];
            let fits = goods.facts[item].tier == self.tier || chance(rng, 0.5);
            let in_season = chance(rng, department.season[month]);
            let free = goods.is_sold(item, day) && !self.keeps_buying(item);
            (fits && in_season && free).then_some(item)
        })
    }

    /// None to two things, by preference of the families they like, one per family.
    fn take_up_habits(&mut self, options: &ShopOptions, goods: &Goods, rng: &mut Rng) {
        let count = [0, 0, 0, 0, 0, 1, 1, 1, 2, 2][position(rng, 10)];
        for _ in 0..count {
            let mut choice = goods.reorder_weights.draw(rng);
            for _ in 0..6 {
                if self.tastes.contains(&goods.facts[goods.reorder[choice].0].family) {
                    break;
                }
                choice = goods.reorder_weights.draw(rng);
            }
            let (item, every_days) = goods.reorder[choice];
            let family = goods.facts[item].family;
            if self.habits.iter().any(|habit| goods.facts[habit.item].family == family) {
                continue;
            }
            let starts = if chance(rng, 0.7) {
                self.joins + between(rng, 0, every_days)
            } else {
                between(rng, self.joins, options.days - 1)
            };
            let lasts_days = f64::from(every_days) * (0.93 + 0.14 * rng.f64());
            self.habits.push(Habit { item, lasts_days, next_day: starts, bought: 0 });
        }
    }
}

/// Two to four families of each of one or two departments, and one from anywhere.
fn draw_tastes(goods: &Goods, rng: &mut Rng) -> Vec<usize> {
    let mut tastes = Vec::with_capacity(8);
    for _ in 0..between(rng, 1, 2) {
        let department = &goods.departments[goods.department_weights.draw(rng)];
        for _ in 0..between(rng, 2, 4) {
            let family = department.families[department.weights.draw(rng)];
            if !tastes.contains(&family) {
                tastes.push(family);
            }
        }
    }
    let anywhere = goods.facts[goods.item_weights.draw(rng)].family;
    if !tastes.contains(&anywhere) {
        tastes.push(anywhere);
    }
    tastes
}
