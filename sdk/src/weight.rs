//! How many bytes something takes in a batch: an upper bound, cheap to tell before encoding.
//!
//! Owns the bounds of bodies and pages. Refuses to know when a batch is full.

use alloc::string::String;
use alloc::vec::Vec;
use upriver_wire::Body;
use upriver_wire::batch::{Page, Prop, Value, Variant};

/// Upper bound of a page view's numbers and tags.
pub(crate) const PAGE_BYTES: usize = 96;

/// Bytes of an exposure.
pub(crate) fn variant_bytes(variant: &Variant) -> usize {
    4 + variant.experiment.len() + variant.variant.len()
}

/// Bytes of a page's texts.
pub(crate) fn page_bytes(page: &Page) -> usize {
    let campaign = page.campaign.as_ref().map_or(0, |campaign| {
        let fields = [
            &campaign.source,
            &campaign.medium,
            &campaign.campaign,
            &campaign.term,
        ];
        fields.iter().map(|field| field.len()).sum::<usize>() + campaign.content.len()
    });
    page.host.len() + page.path.len() + campaign
}

/// Bytes of what happened, without the event's own numbers.
pub(crate) fn body_bytes(body: &Body) -> usize {
    let props = |props: &Vec<Prop>| -> usize { props.iter().map(prop_bytes).sum() };
    match body {
        Body::PageView(view) => {
            let strings: [&String; 3] = [&view.title, &view.referrer, &view.language];
            PAGE_BYTES
                + page_bytes(&view.page)
                + strings.iter().map(|text| text.len()).sum::<usize>()
        }
        Body::Custom(custom) => custom.name.len() + props(&custom.props),
        Body::Conversion(conversion) => {
            conversion.name.len()
                + conversion.currency.len()
                + conversion.order.len()
                + props(&conversion.props)
        }
        Body::Exposure(variant) => variant_bytes(variant),
        _ => 0,
    }
}

fn prop_bytes(prop: &Prop) -> usize {
    let value = match &prop.value {
        Value::Text(text) => text.len(),
        _ => 8,
    };
    6 + prop.name.len() + value
}
