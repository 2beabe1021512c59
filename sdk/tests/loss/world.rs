//! One run: a visitor's pages, the network and the server, and what goes wrong with them, all drawn
//! from a seed.

use crate::page::{Page, Told};
use crate::server::{self, Server};
use crate::store::{COMMIT_MS_MAX, Store};
use std::collections::BTreeSet;
use upriver_sdk::driver::Input;
use upriver_sdk::driver::{Command, News};
use upriver_sdk::retry::Random;
use upriver_sdk::uplink::{REQUEST_AGE_MS_MAX, STREAM_AGE_MS_MAX, Transport};

/// Things that happen in a run.
const ACTS_MAX: u64 = 60;
/// The longest a message is under way, ms.
const DELAY_MS_MAX: u64 = 20_000;
/// Time a calm world is given in the end: longer than any wait that a server may have asked for.
const CALM_MS: u64 = 40 * 60_000;
const HOUR_MS: f64 = 3_600_000.0;

/// What happened, counted.
#[derive(Default, Clone)]
pub(crate) struct Figures {
    pub(crate) pages: u64,
    pub(crate) killed: u64,
    pub(crate) restarts: u64,
    pub(crate) faults: u64,
    pub(crate) clock_settings: u64,
    pub(crate) events: u64,
    pub(crate) adopted: u64,
    pub(crate) repeats: u64,
    pub(crate) batches: u64,
    /// Not yet in a batch when their page was killed.
    pub(crate) let_go_unsealed: u64,
    /// Of pages that were killed while the database took nothing.
    pub(crate) let_go_unkept: u64,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
}

impl Figures {
    pub(crate) fn all(&self) -> [(&'static str, u64); 13] {
        [
            ("pages", self.pages),
            ("killed", self.killed),
            ("restarts", self.restarts),
            ("faults", self.faults),
            ("clock_settings", self.clock_settings),
            ("events", self.events),
            ("adopted", self.adopted),
            ("repeats", self.repeats),
            ("batches", self.batches),
            ("let_go_unsealed", self.let_go_unsealed),
            ("let_go_unkept", self.let_go_unkept),
            ("lost", self.lost),
            ("doubled", self.doubled),
        ]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let fields = [
            (&mut self.pages, other.pages),
            (&mut self.killed, other.killed),
            (&mut self.restarts, other.restarts),
            (&mut self.faults, other.faults),
            (&mut self.clock_settings, other.clock_settings),
            (&mut self.events, other.events),
            (&mut self.adopted, other.adopted),
            (&mut self.repeats, other.repeats),
            (&mut self.batches, other.batches),
            (&mut self.let_go_unsealed, other.let_go_unsealed),
            (&mut self.let_go_unkept, other.let_go_unkept),
            (&mut self.lost, other.lost),
            (&mut self.doubled, other.doubled),
        ];
        for (sum, more) in fields {
            *sum += more;
        }
    }

    pub(crate) fn json(&self, runs: u64, seed: u64) -> String {
        let fields = self
            .all()
            .map(|(name, count)| format!(",\"{name}\":{count}"));
        format!("{{\"runs\":{runs},\"seed\":{seed}{}}}", fields.concat())
    }
}

/// Something on its way to the server.
struct Flight {
    lands_ms: u64,
    page: u128,
    /// The socket, or none and the number of a request.
    socket: Option<u64>,
    number: u64,
    /// A request that outlives its page.
    outlives: bool,
    bytes: Vec<u8>,
    took_ms: u64,
    tainted: bool,
}

pub(crate) struct World {
    random: Random,
    now: u64,
    /// How far the system's clock is ahead of the true time, and how often it was set.
    system_ahead: f64,
    settings: u32,
    pages: Vec<Page>,
    store: Store,
    server: Server,
    flights: Vec<Flight>,
    figures: Figures,
    let_go: BTreeSet<String>,
    made: Vec<(String, u64)>,
    order: u64,
    // What goes wrong.
    calm: bool,
    stream_works: bool,
    down_until: u64,
    offline_until: u64,
    budget_used_up: bool,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: Random(seed.wrapping_mul(0x5851_f42d_4c95_7f2d)),
            now: 1_700_000_000_000,
            system_ahead: 0.0,
            settings: 0,
            pages: vec![],
            store: Store::default(),
            server: Server::default(),
            flights: vec![],
            figures: Figures::default(),
            let_go: BTreeSet::new(),
            made: vec![],
            order: 0,
            calm: false,
            stream_works: true,
            down_until: 0,
            offline_until: 0,
            budget_used_up: false,
        }
    }

    /// Lives it and checks what is left.
    pub(crate) fn run(mut self) -> Figures {
        self.stream_works = self.below(4) > 0;
        self.open();
        for _ in 0..=self.below(ACTS_MAX) {
            self.act();
        }
        self.calm = true;
        self.store.fails = false;
        while !self.pages.is_empty() {
            self.leave(0);
        }
        self.open();
        self.pass(CALM_MS);
        self.store.settle(self.now);
        assert!(
            self.store.rows.is_empty(),
            "{} batches are left in the database",
            self.store.rows.len()
        );
        let mut made = std::mem::take(&mut self.made);
        made.extend(self.pages.iter().flat_map(|page| page.made.clone()));
        for (marker, _) in &made {
            match self.server.markers.get(marker) {
                Some(1) => {}
                Some(_) => self.figures.doubled += 1,
                None if self.let_go.contains(marker) => {}
                None => self.figures.lost += 1,
            }
        }
        assert_eq!((self.figures.lost, self.figures.doubled), (0, 0));
        self.figures.events = made.len() as u64;
        self.figures.repeats = self.server.repeats;
        self.figures.batches = self.server.batches;
        self.figures
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random.bits() % limit
    }

    fn any_page(&mut self) -> usize {
        let count = self.pages.len() as u64;
        self.below(count) as usize
    }

    fn act(&mut self) {
        if self.pages.is_empty() {
            self.open();
        }
        let page = self.any_page();
        match self.below(32) {
            0..=10 => self.mark(page),
            11..=16 => {
                let wait = [5, 60, 300, 2_000, 9_000, 40_000][self.below(6) as usize];
                let wait = self.below(wait) + 1;
                self.pass(wait);
            }
            17 => self.hide(page),
            18 => {
                // A press, the page hidden, the renderer killed.
                self.mark(page);
                self.hide(page);
                let wait = COMMIT_MS_MAX + 1 + self.below(245);
                self.pass(wait);
                self.kill(page);
            }
            19 => self.kill(page),
            20..=22 => self.leave(page),
            23 if self.pages.len() < 3 => self.open(),
            24 => self.step(page, Input::Flush),
            25 => {
                self.figures.faults += 1;
                self.cut();
            }
            26 => {
                self.figures.restarts += 1;
                self.down_until = self.now + self.below(10_000);
                self.cut();
                // Whether it had taken a request that was under way is not known to the page.
                for flight in std::mem::take(&mut self.flights) {
                    if self.below(2) == 0 {
                        self.take(&flight);
                    }
                    self.fail(&flight, 0, 0.0);
                }
            }
            27 => self.offline_until = self.now + self.below(60_000),
            28 => self.store.fails = !self.store.fails && self.below(2) == 0,
            29 => {
                self.figures.clock_settings += 1;
                self.settings += 1;
                self.system_ahead = (self.below(12_000) as f64 / 1_000.0 - 6.0) * HOUR_MS;
            }
            30 => self.stream_works = !self.stream_works,
            _ => self.budget_used_up = !self.budget_used_up,
        }
    }

    fn open(&mut self) {
        self.figures.pages += 1;
        let name = u128::from(self.figures.pages);
        let seed = self.random.bits();
        let mut page = Page::new(name, seed, self.system_ahead);
        let opens = self.now + 1 + self.below(30);
        page.coming.push((opens, 0, 0, Told::Look));
        self.store.claims.insert(name, name);
        let commands = page.show(self.now);
        self.pages.push(page);
        self.obey(self.pages.len() - 1, commands);
    }

    fn mark(&mut self, page: usize) {
        self.order += 1;
        let marker = format!("m{}", self.order);
        let commands = self.pages[page].mark(self.now, marker);
        self.obey(page, commands);
    }

    fn hide(&mut self, page: usize) {
        // So that what was made before it can be told from what comes after.
        self.pass(1);
        self.pages[page].left_ms = self.now;
        self.step(page, Input::Leave);
    }

    /// The page is left for another one: everything in order.
    fn leave(&mut self, page: usize) {
        self.hide(page);
        self.step(page, Input::Pause);
        let wait = COMMIT_MS_MAX + 1 + self.below(20);
        self.pass(wait);
        self.kill(page);
    }

    /// The page is gone, whatever it was doing.
    fn kill(&mut self, index: usize) {
        self.figures.killed += 1;
        self.store.settle(self.now);
        let page = self.pages.remove(index);
        self.store.gone(page.name);
        for mut flight in std::mem::take(&mut self.flights) {
            if flight.page != page.name || flight.outlives {
                self.flights.push(flight);
            } else if self.below(2) == 0 {
                flight.lands_ms = self.now;
                self.take(&flight);
            }
        }
        let kept = self.store.rows.values().map(|row| &row.bytes);
        // What is under way may still get lost: only what is in the database counts.
        let safe: BTreeSet<String> = kept.flat_map(|bytes| server::markers(bytes)).collect();
        for (marker, at) in &page.made {
            if safe.contains(marker) || self.server.markers.contains_key(marker) {
                continue;
            }
            if page.unkept || self.store.fails {
                self.figures.let_go_unkept += 1;
            } else {
                self.figures.let_go_unsealed += 1;
                let age = (self.now - at) as f64;
                let waiting = page.waiting() as f64;
                let open = page.recorder.transport() == Transport::Stream;
                let most = if open {
                    STREAM_AGE_MS_MAX
                } else {
                    REQUEST_AGE_MS_MAX
                };
                let most =
                    most as f64 * (1.0 + waiting * waiting / 16.0) + COMMIT_MS_MAX as f64 + 2.0;
                assert!(age <= most, "{marker} was in no batch after {age} ms");
                assert!(
                    *at >= page.left_ms || self.now - page.left_ms <= COMMIT_MS_MAX,
                    "{marker} was in no batch when the page was hidden"
                );
            }
            self.let_go.insert(marker.clone());
        }
        self.made.extend(page.made);
    }

    /// Every stream breaks; some pages hear of it, others find out.
    fn cut(&mut self) {
        self.flights.retain(|flight| flight.socket.is_none());
        for index in 0..self.pages.len() {
            let heard = self.below(3) > 0;
            let (now, order) = (self.now + 1, self.next_order());
            let page = &mut self.pages[index];
            page.coming.retain(|(_, _, socket, _)| *socket == 0);
            if heard && page.socket > 0 {
                page.coming.push((now, order, page.socket, Told::Closed));
            }
            page.socket += 1_000;
        }
    }

    fn next_order(&mut self) -> u64 {
        // Answers of one moment come in any order.
        self.random.bits() >> 1
    }

    fn reachable(&self) -> bool {
        self.calm || self.now >= self.down_until && self.now >= self.offline_until
    }

    fn delay(&mut self) -> u64 {
        if self.calm {
            return 20;
        }
        let most = [40, 40, 40, 400, 3_000, DELAY_MS_MAX][self.below(6) as usize];
        1 + self.below(most)
    }

    fn step(&mut self, page: usize, input: Input<'_>) {
        let commands = self.pages[page].step(self.now, input);
        self.obey(page, commands);
    }

    fn obey(&mut self, index: usize, commands: Vec<Command>) {
        for command in commands {
            let (delay, order) = (self.delay(), self.next_order());
            let clocks = (self.now, self.system_ahead, self.settings);
            let commit = self.below(COMMIT_MS_MAX + 1);
            let reachable = self.reachable();
            let works = self.stream_works || self.calm;
            let silent = !self.calm && self.below(4) == 0;
            let page = &mut self.pages[index];
            match command {
                Command::Open => {
                    page.socket += 1;
                    let told = if reachable && works {
                        Told::Opened
                    } else {
                        Told::Closed
                    };
                    if !silent {
                        page.coming
                            .push((self.now + delay, order, page.socket, told));
                    }
                }
                Command::Close => page.coming.retain(|(_, _, socket, _)| *socket == 0),
                Command::Send(bytes) => {
                    let socket = Some(page.socket);
                    self.fly(index, socket, 0, false, bytes, delay);
                }
                Command::Post(number, bytes, keepalive) => {
                    let outlives = keepalive && !self.budget_used_up;
                    self.fly(index, None, number, outlives, bytes, delay);
                }
                Command::Keep(number, bytes) => {
                    page.keep(clocks, (number, bytes), (&mut self.store, commit));
                }
                Command::Forget(number) => {
                    if page.forget(self.now, number, &mut self.store) {
                        page.coming.push((self.now, order, 0, Told::Look));
                    }
                }
            }
        }
    }

    fn fly(
        &mut self,
        index: usize,
        socket: Option<u64>,
        number: u64,
        outlives: bool,
        bytes: Vec<u8>,
        took_ms: u64,
    ) {
        let page = &self.pages[index];
        let (stream, _) = upriver_wire::decode(&bytes).expect("a batch is readable");
        self.flights.push(Flight {
            lands_ms: self.now + took_ms,
            page: page.name,
            socket,
            number,
            outlives,
            tainted: page.tainted.contains(&stream.stream.0),
            bytes,
            took_ms,
        });
    }

    /// The server takes what a flight brings.
    fn take(&mut self, flight: &Flight) -> Vec<u8> {
        let living = self.pages.iter().flat_map(|page| &page.made);
        let made: Vec<(String, u64)> = living.chain(&self.made).cloned().collect();
        let (slack, tainted) = (flight.took_ms as f64 + 2.0, flight.tainted);
        self.server.take(&flight.bytes, self.now, |marker, ms| {
            let true_ms = made.iter().find(|(name, _)| name == marker);
            let Some((_, true_ms)) = true_ms.filter(|_| !tainted) else {
                return;
            };
            let off = ms - *true_ms as f64;
            assert!(
                off.abs() <= slack,
                "{marker} is told {off} ms from its time"
            );
        })
    }

    fn answer(&mut self, flight: &Flight, told: Told, later_ms: u64) {
        let (delay, order) = (self.delay() + later_ms, self.next_order());
        let at = self.now + delay;
        let socket = flight.socket.unwrap_or(0);
        let page = self.pages.iter_mut().find(|page| page.name == flight.page);
        if let Some(page) = page
            && flight.socket.is_none_or(|socket| socket == page.socket)
        {
            page.coming.push((at, order, socket, told));
        }
    }

    fn fail(&mut self, flight: &Flight, status: u16, wait: f64) {
        if flight.socket.is_none() {
            self.answer(flight, Told::Posted(flight.number, status, wait, vec![]), 0);
        }
    }

    fn land(&mut self, flight: &Flight) {
        if !self.reachable() {
            return self.fail(flight, 0, 0.0);
        }
        let fate = if self.calm { 0 } else { self.below(12) };
        self.figures.faults += u64::from(fate > 4);
        match fate {
            // Dropped on the way there, or cut half-way.
            5 | 6 => self.fail(flight, 0, 0.0),
            // Taken, and the answer lost or cut.
            7 | 8 => {
                self.take(flight);
                self.fail(flight, 0, 0.0);
            }
            9 => match flight.socket {
                Some(_) => {
                    let refused = server::later(&flight.bytes, 2_000);
                    self.answer(flight, Told::Frame(refused), 0);
                }
                None => self.fail(flight, 500, 0.0),
            },
            10 => match flight.socket {
                Some(_) => {}
                None => self.fail(flight, 503, 7_000.0),
            },
            _ => {
                let answer = self.take(flight);
                let told = match flight.socket {
                    Some(_) => Told::Frame(answer),
                    None => Told::Posted(flight.number, 200, 0.0, answer),
                };
                if fate == 11 {
                    self.answer(flight, told.clone(), 300);
                }
                self.answer(flight, told, 0);
            }
        }
    }

    /// Lets time pass, with all that happens in it.
    fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        let mut still = 0;
        loop {
            let landing = self.flights.iter().map(|flight| flight.lands_ms).min();
            let heard = self.pages.iter().flat_map(|page| &page.coming);
            let heard = heard.map(|(at, ..)| *at).min();
            let due = self.pages.iter_mut().filter_map(Page::due).min();
            let next = [landing, heard, due].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else {
                break;
            };
            still = if next > self.now { 0 } else { still + 1 };
            assert!(
                still < 10_000,
                "something is due and does nothing, for ever"
            );
            self.now = self.now.max(next);
            let now = self.now;
            if let Some(place) = self
                .flights
                .iter()
                .position(|flight| flight.lands_ms <= now)
            {
                let flight = self.flights.swap_remove(place);
                self.land(&flight);
            } else if let Some((index, told)) = self.next_told() {
                self.hear(index, told);
            } else if let Some(index) = self
                .pages
                .iter_mut()
                .position(|page| page.due().is_some_and(|due| due <= now))
            {
                self.step(index, Input::Tick);
            }
        }
        self.now = end;
    }

    fn next_told(&mut self) -> Option<(usize, Told)> {
        let now = self.now;
        for (index, page) in self.pages.iter_mut().enumerate() {
            let due = page.coming.iter().enumerate().filter(|(_, it)| it.0 <= now);
            if let Some((place, _)) = due.min_by_key(|(_, it)| (it.0, it.1)) {
                return Some((index, page.coming.swap_remove(place).3));
            }
        }
        None
    }

    fn hear(&mut self, index: usize, told: Told) {
        let clocks = (self.now, self.system_ahead, self.settings);
        let news = match &told {
            Told::Look => {
                self.figures.adopted += self.pages[index].look(clocks, &mut self.store);
                return self.step(index, Input::Tick);
            }
            Told::Opened => News::Opened,
            Told::Frame(bytes) => News::Frame(bytes),
            Told::Closed => News::Closed(1_006),
            Told::Posted(number, status, retry_after_ms, body) => News::Posted {
                number: *number,
                status: *status,
                retry_after_ms: *retry_after_ms,
                body,
            },
        };
        self.step(index, Input::News(news));
    }
}
