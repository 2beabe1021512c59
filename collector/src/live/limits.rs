//! Every bound of the live engine, by name. What a bound keeps out is counted under `(other)` or
//! in `basis.complete`, and in a metric (`usage`); it is never dropped in silence.

/// Distinct visitors kept per site. Past it their events are still counted, they themselves not.
pub const VISITORS_MAX: usize = 1_000_000;
/// Paths kept per site; the rest share one row.
pub const PAGES_MAX: usize = 2_000;
/// Campaigns (source, medium, campaign) kept per site; the rest share one row.
pub const CAMPAIGNS_MAX: usize = 1_000;
/// Campaign names, and `experiment=variant` pairs, each, that heat maps and funnels tell apart.
pub const NAMES_MAX: usize = 1_000;
/// Combinations of campaign, variants and device that heat maps and funnels tell apart.
pub const ORIGINS_MAX: usize = 100_000;
/// Combinations of origin, source, page and program that funnels tell apart at their first step.
pub const ENTRIES_MAX: usize = 100_000;
/// Rows of a list of visitors.
pub const VISITOR_ROWS_MAX: usize = 1_000;
/// Currencies told apart per site.
pub const CURRENCIES_MAX: usize = 64;
/// Heat map keys (page, kind, element, origin, width) kept per site.
pub const HEAT_KEYS_MAX: usize = 400_000;
/// Cells of heat maps kept per site, eight bytes each: one for each hour, and each of the last
/// minutes, in which something was counted in it.
pub const HEAT_CELLS_MAX: usize = 16_000_000;
/// Deeds of visitors with elements (seen, hesitated over, pressed; under one origin) kept per site.
pub const MARKS_MAX: usize = 4_000_000;
/// Elements on pages that those tell apart.
pub const SUBJECTS_MAX: usize = 100_000;
/// Looks of elements that those tell apart.
pub const STYLES_MAX: usize = 20_000;
/// Rows of a board of elements.
pub const BOARD_ROWS_MAX: usize = 1_000;
/// Element descriptors kept per site.
pub const ELEMENTS_MAX: usize = 50_000;
/// Minutes of visitors kept per site, two bytes each: what is before and after a release.
pub const VISITOR_MINUTES_MAX: usize = 32_000_000;
/// Errors (message, script, line) told apart per site; the rest share one row.
pub const FAULT_GROUPS_MAX: usize = 2_000;
/// Errors kept per site with who met them.
pub const FAULTS_MAX: usize = 200_000;
/// Errors listed, those that most visitors met.
pub const FAULT_ROWS_MAX: usize = 200;
/// Sources (source, medium, referrer) kept per site; the rest share one row.
pub const SOURCES_MAX: usize = 2_000;
/// Hours of visits kept per site, 32 bytes each; conversions of others count as `(other)`.
pub const VISIT_HOURS_MAX: usize = 4_000_000;
/// Releases of a site told apart, ever; later ones are not listed.
pub const RELEASES_MAX: usize = 20_000;
/// Releases listed, the newest.
pub const RELEASE_ROWS_MAX: usize = 20;
/// Events of one visitor kept for one funnel.
pub const FUNNEL_ROWS_MAX: usize = 4_096;
/// Events kept per site for its funnels, 16 bytes each.
pub const FUNNEL_ROWS_PER_SITE_MAX: usize = 20_000_000;
/// Events remembered while the past of one funnel is read, so that each counts once. Past them its
/// numbers stay incomplete.
pub const RECOUNT_EVENTS_MAX: usize = 4_000_000;
/// Variants of all experiments of a site; what is shown of others is not counted.
pub const VARIANTS_MAX: usize = 2_000;
/// Visitors of a site with an exposure or conversion that experiments keep, for 30 days.
pub const EXPERIMENT_VISITORS_MAX: usize = 1_000_000;
/// Variants by day of one visitor kept for experiments.
pub const SHOWN_PER_VISITOR_MAX: usize = 128;
/// Conversions of one visitor kept for experiments.
pub const CONVERSIONS_PER_VISITOR_MAX: usize = 256;
/// Items of the activity feed that are told.
pub const ACTIVITY_MAX: usize = 100;
/// Items of the activity feed that are kept of each kind, for those who want some only.
pub const ACTIVITY_KEPT_MAX: usize = 500;
/// Pages and campaigns named by `presence`; the rest share one row.
pub const PRESENCE_ROWS_MAX: usize = 100;

/// Commands waiting for the engine; the collector waits when it is full.
pub const COMMANDS_MAX: usize = 256;
/// Messages waiting for one subscriber; past it the subscriber gets a new snapshot instead.
pub const SUBSCRIBER_QUEUE_MAX: usize = 32;
/// Messages of one query that are remembered for those who come back. Fewer than fit into a queue.
pub const RECENT_MAX: usize = SUBSCRIBER_QUEUE_MAX - 1;
/// Bytes of them.
pub const RECENT_BYTES_MAX: usize = 64 * 1024;
/// Ticks for which a query without subscribers is kept for those who come back: a minute.
pub const RECENT_TICKS: u32 = (60_000 / TICK_MS) as u32;
/// Subscribers in total.
pub const SUBSCRIBERS_MAX: usize = 5_000;
/// Subscribers of one site.
pub const SUBSCRIBERS_PER_SITE_MAX: usize = 2_000;
/// Distinct queries of one site with subscribers; each is computed apart.
pub const TOPICS_PER_SITE_MAX: usize = 500;
/// How often changes are published, milliseconds.
pub const TICK_MS: u64 = 100;
/// How long after the last sign of life a visitor counts as present, milliseconds.
pub const PRESENCE_MS: u64 = 5 * 60 * 1_000;
/// Minutes in a campaign's sparkline.
pub const SPARK_MINUTES: u64 = 30;

/// The bounds of the engine's maps. A test sets small ones; everyone else takes the default.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// See [`VISITORS_MAX`].
    pub visitors: usize,
    /// See [`PAGES_MAX`].
    pub pages: usize,
    /// See [`CAMPAIGNS_MAX`].
    pub campaigns: usize,
    /// See [`NAMES_MAX`].
    pub names: usize,
    /// See [`ORIGINS_MAX`].
    pub origins: usize,
    /// See [`ENTRIES_MAX`]; never more than it.
    pub entries: usize,
    /// See [`CURRENCIES_MAX`].
    pub currencies: usize,
    /// See [`HEAT_KEYS_MAX`].
    pub heat_keys: usize,
    /// See [`HEAT_CELLS_MAX`].
    pub heat_cells: usize,
    /// See [`MARKS_MAX`].
    pub marks: usize,
    /// See [`SUBJECTS_MAX`].
    pub subjects: usize,
    /// See [`STYLES_MAX`].
    pub styles: usize,
    /// See [`ELEMENTS_MAX`].
    pub elements: usize,
    /// See [`VISITOR_MINUTES_MAX`].
    pub visitor_minutes: usize,
    /// See [`ACTIVITY_KEPT_MAX`].
    pub activity_kept: usize,
    /// See [`FAULT_GROUPS_MAX`].
    pub fault_groups: usize,
    /// See [`FAULTS_MAX`].
    pub faults: usize,
    /// See [`SOURCES_MAX`].
    pub sources: usize,
    /// See [`VISIT_HOURS_MAX`].
    pub visit_hours: usize,
    /// See [`RELEASES_MAX`].
    pub releases: usize,
    /// See [`FUNNEL_ROWS_MAX`]; never more than it.
    pub funnel_rows: usize,
    /// See [`FUNNEL_ROWS_PER_SITE_MAX`].
    pub funnel_rows_of_site: usize,
    /// See [`RECOUNT_EVENTS_MAX`].
    pub recount_events: usize,
    /// See [`VARIANTS_MAX`].
    pub variants: usize,
    /// See [`EXPERIMENT_VISITORS_MAX`].
    pub experiment_visitors: usize,
    /// Whole days before the begun one that experiments are counted over; see
    /// [`super::EXPERIMENT_DAYS`].
    pub experiment_days: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            visitors: VISITORS_MAX,
            pages: PAGES_MAX,
            campaigns: CAMPAIGNS_MAX,
            names: NAMES_MAX,
            origins: ORIGINS_MAX,
            entries: ENTRIES_MAX,
            currencies: CURRENCIES_MAX,
            heat_keys: HEAT_KEYS_MAX,
            heat_cells: HEAT_CELLS_MAX,
            marks: MARKS_MAX,
            subjects: SUBJECTS_MAX,
            styles: STYLES_MAX,
            elements: ELEMENTS_MAX,
            visitor_minutes: VISITOR_MINUTES_MAX,
            activity_kept: ACTIVITY_KEPT_MAX,
            fault_groups: FAULT_GROUPS_MAX,
            faults: FAULTS_MAX,
            sources: SOURCES_MAX,
            visit_hours: VISIT_HOURS_MAX,
            releases: RELEASES_MAX,
            funnel_rows: FUNNEL_ROWS_MAX,
            funnel_rows_of_site: FUNNEL_ROWS_PER_SITE_MAX,
            recount_events: RECOUNT_EVENTS_MAX,
            variants: VARIANTS_MAX,
            experiment_visitors: EXPERIMENT_VISITORS_MAX,
            experiment_days: super::EXPERIMENT_DAYS,
        }
    }
}
