//! The columns that depend on what happened, kind by kind. All others keep their empty value.

use super::context::Context;
use crate::row::{EventRow, Kind};
use upriver_wire::batch::{
    Attention, Body, BoxPoint, Consent, Conversion, Custom, Dead, Direction, ErrorPress, Fault,
    Form, Hesitation, How, Identify, Impression, LongPress, PageView, Path, Pinch, Point, Press,
    Prop, Rage, Scroll, Spot, Swipe, Thrash, Value, Variant, Visibility,
};

/// Fills in what a body says.
pub(super) fn fill(row: &mut EventRow, context: &Context<'_>, body: &Body) {
    row.kind = kind(body);
    match body {
        Body::PageView(view) => page_view(row, view),
        Body::Press(Press {
            element,
            at,
            client,
            how,
        }) => place(row, context, *element, *at, *client, *how),
        Body::Scroll(gesture) => scroll(row, context, gesture),
        Body::Swipe(gesture) => swipe(row, context, gesture),
        Body::Custom(Custom { name, props }) => {
            row.name.clone_from(name);
            row.props = texts(props);
        }
        Body::Conversion(success) => conversion(row, success),
        Body::Exposure(Variant {
            experiment,
            variant,
        }) => {
            row.name.clone_from(experiment);
            row.props = vec![("variant".to_owned(), variant.clone())];
        }
        Body::LongPress(LongPress {
            spot: at,
            duration_ms,
        }) => {
            spot(row, context, at);
            row.duration_ms = *duration_ms;
        }
        Body::Pinch(Pinch {
            spot: at,
            scale_percent,
            duration_ms,
        }) => {
            spot(row, context, at);
            (row.scale_percent, row.duration_ms) = (*scale_percent, *duration_ms);
        }
        Body::Hesitation(Hesitation {
            spot: at,
            duration_ms,
            pressed,
        }) => {
            spot(row, context, at);
            (row.duration_ms, row.pressed) = (*duration_ms, *pressed);
        }
        Body::Path(path) => way(row, context, path),
        Body::Attention(attended) => attention(row, attended),
        Body::Impression(seen) => impression(row, context, seen),
        Body::Form(filled) => form(row, context, filled),
        Body::Rage(Rage { spot: at }) => spot(row, context, at),
        Body::Dead(Dead { spot: at, after_ms })
        | Body::ErrorPress(ErrorPress { spot: at, after_ms }) => {
            spot(row, context, at);
            row.after_ms = *after_ms;
        }
        Body::Thrash(moved) => thrash(row, context, moved),
        Body::Fault(error) => fault(row, error),
        Body::Visibility(Visibility { visible, after_ms }) => {
            (row.visible, row.after_ms) = (*visible, *after_ms);
        }
        Body::Consent(Consent { state }) => row.consent = (*state).into(),
        Body::Identify(Identify { user, hashed }) => {
            row.user.clone_from(user);
            row.user_hashed = *hashed;
        }
    }
}

/// The kind of a body.
pub(in crate::ingest) fn kind(body: &Body) -> Kind {
    match body {
        Body::PageView(_) => Kind::PageView,
        Body::Press(_) => Kind::Press,
        Body::Scroll(_) => Kind::Scroll,
        Body::Swipe(_) => Kind::Swipe,
        Body::Custom(_) => Kind::Custom,
        Body::Conversion(_) => Kind::Conversion,
        Body::Exposure(_) => Kind::Exposure,
        Body::LongPress(_) => Kind::LongPress,
        Body::Pinch(_) => Kind::Pinch,
        Body::Hesitation(_) => Kind::Hesitation,
        Body::Path(_) => Kind::Path,
        Body::Attention(_) => Kind::Attention,
        Body::Impression(_) => Kind::Impression,
        Body::Form(_) => Kind::Form,
        Body::Rage(_) => Kind::Rage,
        Body::Dead(_) => Kind::Dead,
        Body::ErrorPress(_) => Kind::ErrorPress,
        Body::Thrash(_) => Kind::Thrash,
        Body::Fault(_) => Kind::Fault,
        Body::Visibility(_) => Kind::Visibility,
        Body::Consent(_) => Kind::Consent,
        Body::Identify(_) => Kind::Identify,
    }
}

fn page_view(row: &mut EventRow, view: &PageView) {
    row.navigation = view.navigation.into();
    row.title.clone_from(&view.title);
    row.referrer.clone_from(&view.referrer);
    row.language.clone_from(&view.language);
}

fn spot(row: &mut EventRow, context: &Context<'_>, spot: &Spot) {
    let Spot {
        element,
        at,
        client,
        how,
    } = *spot;
    place(row, context, element, at, client, how);
}

fn place(
    row: &mut EventRow,
    context: &Context<'_>,
    element: u16,
    at: BoxPoint,
    client: Point,
    how: How,
) {
    row.element = context.element(element);
    (row.element_x, row.element_y, row.cell) = (at.x(), at.y(), at.cell());
    in_window(row, context, client);
    row.pointer = how.pointer.into();
    row.layer = how.layer.into();
    row.button = how.button.into();
}

fn in_window(row: &mut EventRow, context: &Context<'_>, client: Point) {
    (row.client_x, row.client_y) = (client.x, client.y);
    (row.page_x, row.page_y) = context.on_page(client);
}

fn scroll(row: &mut EventRow, context: &Context<'_>, gesture: &Scroll) {
    let Scroll {
        container,
        dx,
        dy,
        detour,
        reversals,
        duration_ms,
    } = *gesture;
    row.element = context.element_if_any(container);
    if container == 0 {
        // Where the window's top left is afterwards.
        let (x, y) = context.on_page(Point::default());
        (row.page_x, row.page_y) = (x.saturating_add(dx), y.saturating_add(dy));
    }
    (row.dx, row.dy) = (dx, dy);
    row.direction = Direction::of(dx, dy).into();
    (row.detour, row.reversals, row.duration_ms) = (detour, reversals, duration_ms);
}

fn swipe(row: &mut EventRow, context: &Context<'_>, gesture: &Swipe) {
    let Swipe {
        element,
        at,
        client,
        dx,
        dy,
        duration_ms,
        release_px_s,
        how,
    } = *gesture;
    place(row, context, element, at, client, how);
    (row.dx, row.dy) = (dx, dy);
    row.direction = Direction::of(dx, dy).into();
    (row.duration_ms, row.release_px_s) = (duration_ms, release_px_s);
}

fn conversion(row: &mut EventRow, success: &Conversion) {
    row.name.clone_from(&success.name);
    row.value = success.value_micros;
    row.currency.clone_from(&success.currency);
    row.order_id.clone_from(&success.order);
    row.props = texts(&success.props);
}

/// Steps added up. A pointer that is held may leave the window, so its place may be negative; the
/// columns of one place then have the edge.
fn way(row: &mut EventRow, context: &Context<'_>, path: &Path) {
    let (mut ms, mut x, mut y) = (0_u32, 0_i32, 0_i32);
    for (index, step) in path.steps.iter().enumerate() {
        // The first step has no step before it to have a time since.
        ms = ms.saturating_add(if index == 0 { 0 } else { step.delta_ms });
        (x, y) = (x.saturating_add(step.dx), y.saturating_add(step.dy));
        row.way_ms.push(ms);
        row.way_x.push(x);
        row.way_y.push(y);
    }
    row.duration_ms = ms;
    let edge = |place: i32| u32::try_from(place).unwrap_or(0);
    let (x, y) = (edge(x), edge(y));
    in_window(row, context, Point { x, y });
}

fn attention(row: &mut EventRow, attended: &Attention) {
    (row.visible_ms, row.active_ms) = (attended.visible_ms, attended.active_ms);
    row.first_band = attended.first_band;
    row.bands.clone_from(&attended.bands);
}

fn impression(row: &mut EventRow, context: &Context<'_>, seen: &Impression) {
    let Impression { element, look } = seen;
    row.element = context.element(*element);
    row.look_background = look.background;
    (row.look_width, row.look_height) = (look.size.w, look.size.h);
    (row.look_x, row.look_y) = (look.x, look.y);
    row.look_radius = look.radius;
}

fn form(row: &mut EventRow, context: &Context<'_>, filled: &Form) {
    let Form {
        element,
        field,
        step,
        fields,
        duration_ms,
    } = *filled;
    row.element = context.element(element);
    row.field = context.element_if_any(field);
    row.form_step = step.into();
    (row.fields, row.duration_ms) = (fields, duration_ms);
}

fn thrash(row: &mut EventRow, context: &Context<'_>, moved: &Thrash) {
    let Thrash {
        client,
        reversals,
        distance,
        duration_ms,
    } = *moved;
    in_window(row, context, client);
    (row.reversals, row.distance, row.duration_ms) = (reversals, distance, duration_ms);
}

fn fault(row: &mut EventRow, error: &Fault) {
    row.fault = error.kind.into();
    row.message.clone_from(&error.message);
    row.source.clone_from(&error.source);
    (row.source_line, row.source_column) = (error.line, error.column);
}

fn texts(props: &[Prop]) -> Vec<(String, String)> {
    props
        .iter()
        .map(|prop| {
            let value = match &prop.value {
                Value::Text(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Flag(flag) => flag.to_string(),
            };
            (prop.name.clone(), value)
        })
        .collect()
}
