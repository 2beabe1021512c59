//! One URL and method: what answers, and what whoever asks must bring. There is no other way to add one,
//! so none is without the second. Knows nothing of what is answered.

use crate::config::Scope;
use actix_web::http::Method;
use actix_web::{FromRequest, Handler, Responder, Route, web};
use std::borrow::Cow;

/// What whoever asks must bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// The write key of a site, from one of its origins.
    WriteKey,
    /// A login, a token or a ticket, whatever it allows.
    Somebody,
    /// A login, or a token or ticket with one of these scopes. On the site that is asked for; the audit,
    /// which covers all of them, on all.
    Scope(&'static [Scope]),
}

/// A URL with a method.
pub struct Entry {
    /// The method.
    pub method: Method,
    /// The path; `{…}` stands for any one part, `{…:.*}` for any number.
    pub path: Cow<'static, str>,
    /// What whoever asks must bring. The handler looks at it.
    pub needs: Needs,
    pub(super) route: Route,
}

/// An entry for a handler.
pub(super) fn entry<F, Args>(
    method: Method,
    path: impl Into<Cow<'static, str>>,
    needs: Needs,
    handler: F,
) -> Entry
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    Entry {
        route: web::method(method.clone()).to(handler),
        method,
        path: path.into(),
        needs,
    }
}
