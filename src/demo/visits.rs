//! What happens in the made-up shop: sessions, orders, returns.

use fastrand::Rng;

use super::calendar::{Calendar, Day};
use super::chance::{self, between, chance, position};
use super::goods::Goods;
use super::people::Customer;
use super::{OrderNumber, SessionNumber, ShopEvent, ShopEventKind, ShopOptions};
use crate::ids::{CustomerId, ItemId};
use crate::time::Timestamp;

/// The log, and what is known of the customers in it.
pub(super) struct Visits {
    /// By time.
    pub(super) events: Vec<ShopEvent>,
    /// Customers whose next purchase of an item falls just after the log.
    pub(super) due: Vec<(CustomerId, usize)>,
    /// Customers who stay away, from this day on.
    pub(super) former: Vec<(CustomerId, u32)>,
    pub(super) bargain_hunters: Vec<CustomerId>,
}

/// Sends every customer through the calendar, then the strangers.
pub(super) fn make(options: &ShopOptions, goods: &Goods, calendar: &Calendar) -> Visits {
    let mut log = Log {
        goods,
        calendar,
        events: Vec::with_capacity((options.customers * options.days as usize / 3).min(1 << 24)),
        sessions: 0,
        orders: 0,
    };
    let mut visits = Visits {
        events: Vec::new(),
        due: Vec::new(),
        former: Vec::new(),
        bargain_hunters: Vec::new(),
    };
    let mut sessions_per_day = vec![0; calendar.days.len()];
    for index in 0..options.customers {
        let id = CustomerId::new(index);
        let mut rng = chance::stream(options.seed, 16 + index as u64);
        let mut customer = Customer::draw(options, goods, &mut rng);
        log.live(&mut customer, id, &mut sessions_per_day, &mut rng);
        visits.remember(&customer, id, options);
    }
    log.let_strangers_in(options, &sessions_per_day);
    visits.events = log.into_events();
    visits
}

impl Visits {
    fn remember(&mut self, customer: &Customer, id: CustomerId, options: &ShopOptions) {
        let soon = options.days..options.days + 4;
        match customer.leaves {
            Some(day) => self.former.push((id, day)),
            None => {
                let due = customer.habits.iter();
                let due = due.filter(|habit| habit.bought >= 2 && soon.contains(&habit.next_day));
                self.due.extend(due.map(|habit| (id, habit.item)));
            }
        }
        if customer.hunts_bargains {
            self.bargain_hunters.push(id);
        }
    }
}

struct Log<'shop> {
    goods: &'shop Goods,
    calendar: &'shop Calendar,
    events: Vec<ShopEvent>,
    sessions: usize,
    orders: usize,
}

/// One visit, while it lasts.
struct Visit {
    day: u32,
    customer: Option<CustomerId>,
    session: SessionNumber,
    /// Seconds since midnight.
    clock: u32,
    lines: Vec<Line>,
}

struct Line {
    item: usize,
    quantity: u16,
    /// Bought out of habit: never sent back.
    habitual: bool,
}

/// When visits start: an hour per entry, the more entries the busier.
const HOURS: [u32; 24] =
    [7, 8, 9, 9, 10, 11, 12, 12, 13, 14, 15, 16, 17, 17, 18, 18, 19, 19, 20, 20, 20, 21, 21, 22];

impl Log<'_> {
    /// From the customer's first day to their last.
    fn live(
        &mut self,
        customer: &mut Customer,
        id: CustomerId,
        sessions_per_day: &mut [u32],
        rng: &mut Rng,
    ) {
        let calendar = self.calendar;
        let mut due = Vec::new();
        for (number, day) in (0..).zip(&calendar.days).skip(customer.joins as usize) {
            if customer.is_gone(number) {
                break;
            }
            due.clear();
            for habit in &mut customer.habits {
                if habit.next_day <= number {
                    due.push(habit.item);
                    habit.renew(number, rng);
                }
            }
            let keen = if customer.hunts_bargains && day.sale.is_some() { 3.0 } else { 1.0 };
            let strolls = chance(rng, customer.visits_per_day * day.traffic * keen)
                || number == customer.joins;
            if strolls || !due.is_empty() {
                sessions_per_day[number as usize] += 1;
                let stroll = strolls || chance(rng, 0.25);
                self.visit(customer, Some(id), number, &due, stroll, rng);
            }
        }
    }

    /// One session in six has no name to it.
    fn let_strangers_in(&mut self, options: &ShopOptions, sessions_per_day: &[u32]) {
        let mut rng = chance::stream(options.seed, 3);
        for (day, &sessions) in (0..).zip(sessions_per_day) {
            for _ in 0..sessions {
                if chance(&mut rng, 0.2) {
                    let mut stranger = Customer::stranger(self.goods, &mut rng);
                    self.visit(&mut stranger, None, day, &[], true, &mut rng);
                }
            }
        }
    }

    /// A session: first what they came for, then a stroll, then perhaps the till.
    fn visit(
        &mut self,
        customer: &mut Customer,
        id: Option<CustomerId>,
        number: u32,
        due: &[usize],
        strolls: bool,
        rng: &mut Rng,
    ) {
        let clock = HOURS[position(rng, HOURS.len())] * 3600 + rng.u32(..3600);
        let session = SessionNumber::at(self.sessions);
        self.sessions += 1;
        let mut visit = Visit { day: number, customer: id, session, clock, lines: Vec::new() };
        for &item in due {
            if chance(rng, 0.6) {
                self.note(&mut visit, item, ShopEventKind::View, rng);
            }
            self.take(&mut visit, item, true, rng);
        }
        if strolls {
            let day = &self.calendar.days[number as usize];
            let keen = if customer.hunts_bargains && day.sale.is_some() { 0.25 } else { 0.0 };
            let chance_to_buy = if id.is_some() { 0.45 + keen } else { 0.1 };
            let buys = !visit.lines.is_empty() || chance(rng, chance_to_buy);
            for _ in 0..[1, 1, 2, 2, 3, 4][position(rng, 6)] {
                if let Some(item) = self.errand(customer, day, number, rng) {
                    self.look_around(&mut visit, item, customer, buys, rng);
                }
            }
            self.follow_the_crowd(&mut visit, customer, day, buys, rng);
            if !buys {
                visit.lines.clear(); // left in the cart
            }
        }
        self.check_out(visit, customer, rng);
    }

    /// What to look for next; a bargain hunter lets the sale decide.
    fn errand(&self, customer: &Customer, day: &Day, number: u32, rng: &mut Rng) -> Option<usize> {
        let lured = customer.hunts_bargains && chance(rng, 0.6);
        if let Some(index) = day.sale_department().filter(|_| lured) {
            let department = &self.goods.departments[index];
            let family = &self.goods.families[department.families[department.weights.draw(rng)]];
            let item = family.items[family.weights.draw(rng)];
            let free = self.goods.is_sold(item, number) && !customer.keeps_buying(item);
            return free.then_some(item);
        }
        customer.wish(self.goods, number, day.month, rng)
    }

    /// Looks at an item and what stands beside it; may mark it, may take it.
    fn look_around(
        &mut self,
        visit: &mut Visit,
        item: usize,
        customer: &Customer,
        buys: bool,
        rng: &mut Rng,
    ) {
        let goods = self.goods;
        let facts = &goods.facts[item];
        let beside = match facts.substitutes {
            Some(group) => {
                let others = if chance(rng, 0.8) { between(rng, 1, 3) } else { 0 };
                (&goods.substitutes[group][..], others)
            }
            None => (&goods.families[facts.family].items[..], between(rng, 0, 2)),
        };
        self.note(visit, item, ShopEventKind::View, rng);
        self.compare(visit, item, beside, rng);
        if chance(rng, 0.05) {
            self.note(visit, item, ShopEventKind::Favorite, rng);
        }
        let needed = !customer.owns.contains(&facts.family) || chance(rng, 0.15);
        if needed && chance(rng, if buys { 0.78 } else { 0.28 }) {
            self.take(visit, item, false, rng);
            self.take_complements(visit, item, customer, rng);
        }
    }

    /// Views `count` others of a shelf or family, in shelf order from a random place.
    fn compare(
        &mut self,
        visit: &mut Visit,
        item: usize,
        (beside, count): (&[usize], u32),
        rng: &mut Rng,
    ) {
        let start = position(rng, beside.len());
        let around = beside[start..].iter().chain(&beside[..start]);
        let day = visit.day;
        let goods = self.goods;
        let others = around.filter(|&&other| other != item && goods.is_sold(other, day));
        for &other in others.take(count as usize) {
            self.note(visit, other, ShopEventKind::View, rng);
        }
    }

    /// Puts an item in the cart, unless a substitute of it is there already.
    fn take(&mut self, visit: &mut Visit, item: usize, habitual: bool, rng: &mut Rng) {
        let goods = self.goods;
        let rival = |line: &Line| {
            let group = goods.facts[item].substitutes;
            group.is_some() && goods.facts[line.item].substitutes == group
        };
        let present = visit.lines.iter().any(|line| line.item == item);
        let rivalled = visit.lines.iter().any(rival) && !chance(rng, 0.005);
        if present || rivalled {
            return;
        }
        self.note(visit, item, ShopEventKind::Cart, rng);
        let several = goods.families[goods.facts[item].family].consumable && chance(rng, 0.25);
        let quantity = if several { between(rng, 2, 4) as u16 } else { 1 };
        visit.lines.push(Line { item, quantity, habitual });
    }

    fn take_complements(
        &mut self,
        visit: &mut Visit,
        anchor: usize,
        customer: &Customer,
        rng: &mut Rng,
    ) {
        let goods = self.goods;
        for &(item, share) in &goods.complements[anchor] {
            if chance(rng, share) && !customer.keeps_buying(item) {
                if chance(rng, 0.6) {
                    self.note(visit, item, ShopEventKind::View, rng);
                }
                self.take(visit, item, false, rng);
            }
        }
    }

    /// Looks up what is in everyone's mouth; near the till, adds what everyone buys.
    fn follow_the_crowd(
        &mut self,
        visit: &mut Visit,
        customer: &Customer,
        day: &Day,
        buys: bool,
        rng: &mut Rng,
    ) {
        for &(item, probability) in &day.bursts {
            if chance(rng, probability) {
                self.note(visit, item, ShopEventKind::View, rng);
                if chance(rng, if buys { 0.7 } else { 0.2 }) {
                    self.take(visit, item, false, rng);
                }
            }
        }
        if buys && chance(rng, 0.2) {
            let item = self.goods.item_weights.draw(rng);
            let needed = !customer.owns.contains(&self.goods.facts[item].family);
            let free = self.goods.is_sold(item, visit.day) && !customer.keeps_buying(item);
            if needed && free {
                self.take(visit, item, false, rng);
                self.take_complements(visit, item, customer, rng);
            }
        }
    }

    /// Writes down one thing done during a visit; the clock moves on.
    fn note(&mut self, visit: &mut Visit, item: usize, kind: ShopEventKind, rng: &mut Rng) {
        self.events.push(visit.event(item, kind, self.goods.price_cents(item, visit.day), self));
        visit.clock += between(rng, 8, 70);
    }

    /// Pays for what is in the cart, all lines at one moment; some of it comes back later.
    fn check_out(&mut self, mut visit: Visit, customer: &mut Customer, rng: &mut Rng) {
        if visit.lines.is_empty() {
            return;
        }
        let goods = self.goods;
        let day = &self.calendar.days[visit.day as usize];
        let order = OrderNumber::at(self.orders);
        self.orders += 1;
        visit.clock += between(rng, 30, 150);
        for line in &visit.lines {
            let price = goods.price_cents(line.item, visit.day);
            let percent = day.percent_off(goods.department_of(line.item));
            let bought = ShopEvent {
                order: Some(order),
                discount_cents: price * u32::from(line.quantity) * percent / 100,
                quantity: line.quantity,
                ..visit.event(line.item, ShopEventKind::Purchase, price, self)
            };
            self.events.push(bought);
            let family = goods.facts[line.item].family;
            if goods.families[family].durable && !customer.owns.contains(&family) {
                customer.owns.push(family);
            }
            self.perhaps_send_back(line, visit.day, bought, rng);
        }
    }

    /// About three lines in a hundred come back within three weeks, hardly ever food.
    fn perhaps_send_back(&mut self, line: &Line, day: u32, bought: ShopEvent, rng: &mut Rng) {
        let consumable = self.goods.families[self.goods.facts[line.item].family].consumable;
        let likely = if consumable { 0.015 } else { 0.08 };
        let sent_back = !line.habitual && chance(rng, likely);
        let later = day + between(rng, 3, 21);
        if let Some(day) = self.calendar.days.get(later as usize).filter(|_| sent_back) {
            let at = day.midnight.0 + i64::from(between(rng, 9 * 3600, 17 * 3600)) * 1000;
            let (kind, session) = (ShopEventKind::Return, None);
            self.events.push(ShopEvent { at: Timestamp(at), kind, session, ..bought });
        }
    }

    /// By time, and sessions and orders counted in that order.
    fn into_events(self) -> Vec<ShopEvent> {
        let mut events = self.events;
        events.sort_unstable_by_key(|event| {
            (event.at, event.session, event.order, event.kind, event.item)
        });
        let mut sessions = Renumber::new(self.sessions);
        let mut orders = Renumber::new(self.orders);
        for event in &mut events {
            let session = event.session.map(|session| sessions.number(session.index()));
            event.session = session.map(SessionNumber::at);
            let order = event.order.map(|order| orders.number(order.index()));
            event.order = order.map(OrderNumber::at);
        }
        events
    }
}

impl Visit {
    fn event(&self, item: usize, kind: ShopEventKind, price: u32, log: &Log<'_>) -> ShopEvent {
        let midnight = log.calendar.days[self.day as usize].midnight;
        ShopEvent {
            at: Timestamp(midnight.0 + i64::from(self.clock) * 1000),
            customer: self.customer,
            item: ItemId::new(item),
            order: None,
            session: Some(self.session),
            unit_price_cents: price,
            discount_cents: 0,
            quantity: 1,
            kind,
        }
    }
}

/// Numbers in order of first sight.
struct Renumber {
    numbers: Vec<u32>,
    seen: u32,
}

impl Renumber {
    fn new(len: usize) -> Self {
        Self { numbers: vec![u32::MAX; len], seen: 0 }
    }

    fn number(&mut self, old: usize) -> usize {
        let number = &mut self.numbers[old];
        if *number == u32::MAX {
            *number = self.seen;
            self.seen += 1;
        }
        *number as usize
    }
}
