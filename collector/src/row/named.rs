//! Columns that hold one of a few names: `Enum8` in the tables, an enum here, a name in JSON.
//!
//! Numbers and names are those of the migrations; both only grow at the end.

use serde_repr::{Deserialize_repr, Serialize_repr};
use upriver_wire::batch;

macro_rules! column_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $value:literal $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize_repr, Deserialize_repr)]
        #[repr(i8)]
        pub enum $name { $($(#[$vdoc])* $variant = $value),* }

        impl $name {
            /// Every value, in the order of the column's `Enum8`.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name in SQL and JSON.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}

column_enum!(
    /// What happened.
    Kind {
        /// A page was shown.
        #[default]
        PageView = 1 "page_view",
        /// A press.
        Press = 2 "press",
        /// A scroll gesture.
        Scroll = 3 "scroll",
        /// A swipe.
        Swipe = 4 "swipe",
        /// The site's own event.
        Custom = 5 "custom",
        /// A conversion.
        Conversion = 6 "conversion",
        /// A variant was shown.
        Exposure = 7 "exposure",
        /// Something was held down.
        LongPress = 8 "long_press",
        /// Two fingers moved apart or together.
        Pinch = 9 "pinch",
        /// A pointer rested over an element.
        Hesitation = 10 "hesitation",
        /// The way of a pointer.
        Path = 11 "path",
        /// How long a page was looked at.
        Attention = 12 "attention",
        /// An element was seen.
        Impression = 13 "impression",
        /// A form was begun, submitted or given up.
        Form = 14 "form",
        /// The same place was pressed again and again.
        Rage = 15 "rage",
        /// A press had no effect.
        Dead = 16 "dead",
        /// A press was followed by an error.
        ErrorPress = 17 "error_press",
        /// A pointer was moved to and fro.
        Thrash = 18 "thrash",
        /// An error of the page's scripts.
        Fault = 19 "fault",
        /// The page was hidden or shown again.
        Visibility = 20 "visibility",
        /// What the visitor agreed to.
        Consent = 21 "consent",
        /// Who the visitor is.
        Identify = 22 "identify",
    }
);
column_enum!(
    /// The device.
    Device {
        /// Not a browser, or unknown.
        #[default]
        Other = 0 "other",
        /// Fine pointer.
        Desktop = 1 "desktop",
        /// Coarse pointer, large.
        Tablet = 2 "tablet",
        /// Coarse pointer, small.
        Phone = 3 "phone",
    }
);
column_enum!(
    /// With what something was pressed or swiped.
    Pointer {
        /// Nothing of the kind.
        #[default]
        None = 0 "none",
        /// Mouse or trackpad.
        Mouse = 1 "mouse",
        /// Finger.
        Touch = 2 "touch",
        /// Pen.
        Pen = 3 "pen",
        /// Keyboard or assistive technology.
        Keyboard = 4 "keyboard",
    }
);
column_enum!(
    /// On which layer an element lies.
    Layer {
        /// No element.
        #[default]
        None = 0 "none",
        /// Scrolls with the page.
        Flow = 1 "flow",
        /// Fixed to the window.
        Fixed = 2 "fixed",
        /// Stuck at an edge.
        Stuck = 3 "stuck",
        /// Dialog, popover, full screen.
        Top = 4 "top",
    }
);
column_enum!(
    /// Which button.
    Button {
        /// None.
        #[default]
        None = 0 "none",
        /// Left, touch, Enter.
        Primary = 1 "primary",
        /// The wheel.
        Middle = 2 "middle",
        /// Right.
        Secondary = 3 "secondary",
        /// Any other.
        Other = 4 "other",
    }
);
column_enum!(
    /// Direction of a movement.
    Direction {
        /// No movement.
        #[default]
        None = 0 "none",
        /// Towards the top.
        Up = 1 "up",
        /// Towards the bottom.
        Down = 2 "down",
        /// Towards the left.
        Left = 3 "left",
        /// Towards the right.
        Right = 4 "right",
    }
);
column_enum!(
    /// What happened to a form.
    FormStep {
        /// No form.
        #[default]
        None = 0 "none",
        /// Its first field was changed.
        Start = 1 "start",
        /// It was submitted.
        Submit = 2 "submit",
        /// It was left with fields used and not submitted.
        Abandon = 3 "abandon",
    }
);
column_enum!(
    /// What kind of error it was.
    Fault {
        /// No error.
        #[default]
        None = 0 "none",
        /// Thrown and not caught.
        Error = 1 "error",
        /// A rejected promise that nobody handled.
        Rejection = 2 "rejection",
    }
);
column_enum!(
    /// What the visitor agreed to.
    Consent {
        /// Nothing was said.
        #[default]
        None = 0 "none",
        /// Everything.
        Granted = 1 "granted",
        /// Everything but keeping something in the browser.
        Cookieless = 2 "cookieless",
    }
);
column_enum!(
    /// How a page came to be shown.
    Navigation {
        /// Not a page view.
        #[default]
        None = 0 "none",
        /// Loaded.
        Load = 1 "load",
        /// Route change.
        Route = 2 "route",
        /// From the back/forward cache.
        Restore = 3 "restore",
    }
);

impl From<batch::Device> for Device {
    fn from(device: batch::Device) -> Self {
        match device {
            batch::Device::Other => Self::Other,
            batch::Device::Desktop => Self::Desktop,
            batch::Device::Tablet => Self::Tablet,
            batch::Device::Phone => Self::Phone,
        }
    }
}

impl From<Device> for batch::Device {
    fn from(device: Device) -> Self {
        match device {
            Device::Other => Self::Other,
            Device::Desktop => Self::Desktop,
            Device::Tablet => Self::Tablet,
            Device::Phone => Self::Phone,
        }
    }
}

impl From<batch::Navigation> for Navigation {
    fn from(navigation: batch::Navigation) -> Self {
        match navigation {
            batch::Navigation::Load => Self::Load,
            batch::Navigation::Route => Self::Route,
            batch::Navigation::Restore => Self::Restore,
        }
    }
}

impl From<batch::Pointer> for Pointer {
    fn from(pointer: batch::Pointer) -> Self {
        match pointer {
            batch::Pointer::Mouse => Self::Mouse,
            batch::Pointer::Touch => Self::Touch,
            batch::Pointer::Pen => Self::Pen,
            batch::Pointer::Keyboard => Self::Keyboard,
        }
    }
}

impl From<batch::Layer> for Layer {
    fn from(layer: batch::Layer) -> Self {
        match layer {
            batch::Layer::Flow => Self::Flow,
            batch::Layer::Fixed => Self::Fixed,
            batch::Layer::Stuck => Self::Stuck,
            batch::Layer::Top => Self::Top,
        }
    }
}

impl From<batch::Button> for Button {
    fn from(button: batch::Button) -> Self {
        match button {
            batch::Button::Primary => Self::Primary,
            batch::Button::Middle => Self::Middle,
            batch::Button::Secondary => Self::Secondary,
            batch::Button::Other => Self::Other,
        }
    }
}

impl From<Option<batch::Direction>> for Direction {
    fn from(direction: Option<batch::Direction>) -> Self {
        match direction {
            None => Self::None,
            Some(batch::Direction::Up) => Self::Up,
            Some(batch::Direction::Down) => Self::Down,
            Some(batch::Direction::Left) => Self::Left,
            Some(batch::Direction::Right) => Self::Right,
        }
    }
}

impl From<batch::FormStep> for FormStep {
    fn from(step: batch::FormStep) -> Self {
        match step {
            batch::FormStep::Start => Self::Start,
            batch::FormStep::Submit => Self::Submit,
            batch::FormStep::Abandon => Self::Abandon,
        }
    }
}

impl From<batch::FaultKind> for Fault {
    fn from(kind: batch::FaultKind) -> Self {
        match kind {
            batch::FaultKind::Error => Self::Error,
            batch::FaultKind::Rejection => Self::Rejection,
        }
    }
}

impl From<batch::ConsentState> for Consent {
    fn from(state: batch::ConsentState) -> Self {
        match state {
            batch::ConsentState::Granted => Self::Granted,
            batch::ConsentState::Cookieless => Self::Cookieless,
        }
    }
}
